import {
  compareDatabases,
  compareForks,
  databaseKey,
  FORK,
  NO_LIMIT,
  type ChangedBlocks,
  type ChangedDatabase,
  type ChangedFork,
} from './changed-blocks.ts';

const BLOCKS_AT_FIRST = 16;
/** A power of two. */
const CACHED_FORKS = 256;

/** What was gathered of one file; blocks in the order in which they came, some of them several times. */
class GatheredFork {
  readonly tablespaceOid: number;
  readonly databaseOid: number;
  readonly relationNumber: number;
  readonly fork: number;
  #limitBlock = NO_LIMIT;
  #blocks = new Uint32Array(BLOCKS_AT_FIRST);
  #count = 0;
  #last = NO_LIMIT;

  constructor(tablespaceOid: number, databaseOid: number, relationNumber: number, fork: number) {
    this.tablespaceOid = tablespaceOid;
    this.databaseOid = databaseOid;
    this.relationNumber = relationNumber;
    this.fork = fork;
  }

  is(tablespaceOid: number, databaseOid: number, relationNumber: number, fork: number): boolean {
    return (
      this.relationNumber === relationNumber &&
      this.fork === fork &&
      this.databaseOid === databaseOid &&
      this.tablespaceOid === tablespaceOid
    );
  }

  add(block: number): void {
    // Rows that come together go to one block, one record each.
    if (block === this.#last || block >= this.#limitBlock) return;
    this.#last = block;
    if (this.#count === this.#blocks.length) {
      const grown = new Uint32Array(2 * this.#count);
      grown.set(this.#blocks);
      this.#blocks = grown;
    }
    this.#blocks[this.#count++] = block;
  }

  limit(block: number): void {
    if (block < this.#limitBlock) this.#limitBlock = block;
  }

  changed(): ChangedFork {
    const { tablespaceOid, databaseOid, relationNumber, fork } = this;
    const limitBlock = this.#limitBlock;
    const sorted = this.#blocks.subarray(0, this.#count).sort();
    const ranges = new Uint32Array(2 * sorted.length);
    let length = 0;
    for (const block of sorted) {
      if (block >= limitBlock) break;
      if (length > 0 && block <= (ranges[length - 1] ?? 0)) {
        ranges[length - 1] = block + 1;
      } else {
        ranges[length++] = block;
        ranges[length++] = block + 1;
      }
    }
    return {
      tablespaceOid,
      databaseOid,
      relationNumber,
      fork,
      limitBlock,
      ranges: ranges.slice(0, length),
    };
  }
}

/**
 * Gathers what one run of WAL changes, one record after the other. It grows with the number of block references, which a run of
 * bounded length has in bounded number.
 */
export class ChangedBlockCollector {
  readonly #forks = new Map<string, GatheredFork>();
  readonly #databases = new Map<string, ChangedDatabase>();
  /** Most references are to the same few files. */
  readonly #cache = Array.from<GatheredFork | undefined>({ length: CACHED_FORKS });

  /** A block changed. Those of free space maps are passed over. */
  block(tablespaceOid: number, databaseOid: number, relationNumber: number, fork: number, block: number): void {
    if (fork === FORK.freeSpaceMap) return;
    this.#find(tablespaceOid, databaseOid, relationNumber, fork).add(block);
  }

  /** The file was made, dropped (0) or cut off before `block`: what it has from there on is new. */
  limit(tablespaceOid: number, databaseOid: number, relationNumber: number, fork: number, block: number): void {
    if (fork === FORK.freeSpaceMap) return;
    this.#find(tablespaceOid, databaseOid, relationNumber, fork).limit(block);
  }

  /** The relation was dropped, all its files. */
  relation(tablespaceOid: number, databaseOid: number, relationNumber: number): void {
    for (const fork of [FORK.main, FORK.visibilityMap, FORK.init]) {
      this.limit(tablespaceOid, databaseOid, relationNumber, fork, 0);
    }
  }

  /** The database was made or dropped in a tablespace. */
  database(tablespaceOid: number, databaseOid: number): void {
    this.#databases.set(databaseKey({ tablespaceOid, databaseOid }), { tablespaceOid, databaseOid });
  }

  /** What was gathered since the last call. */
  take(): ChangedBlocks {
    const forks: ChangedFork[] = [];
    for (const fork of this.#forks.values()) {
      if (this.#databases.size === 0 || !this.#databases.has(databaseKey(fork))) forks.push(fork.changed());
    }
    const databases = [...this.#databases.values()].sort(compareDatabases);
    forks.sort(compareForks);
    this.#forks.clear();
    this.#databases.clear();
    this.#cache.fill(undefined);
    return { databases, forks };
  }

  #find(tablespaceOid: number, databaseOid: number, relationNumber: number, fork: number): GatheredFork {
    const slot = (relationNumber ^ (databaseOid << 3) ^ (fork << 6)) & (CACHED_FORKS - 1);
    const cached = this.#cache[slot];
    if (cached?.is(tablespaceOid, databaseOid, relationNumber, fork) === true) return cached;
    const key = `${tablespaceOid}/${databaseOid}/${relationNumber}/${fork}`;
    let found = this.#forks.get(key);
    if (found === undefined) {
      found = new GatheredFork(tablespaceOid, databaseOid, relationNumber, fork);
      this.#forks.set(key, found);
    }
    this.#cache[slot] = found;
    return found;
  }
}
