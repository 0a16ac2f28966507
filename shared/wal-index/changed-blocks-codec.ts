import { TidemarkError } from '../errors/tidemark-error.ts';
import {
  compareDatabases,
  databaseKey,
  FORK,
  joinChangedBlocks,
  NO_CHANGED_BLOCKS,
  NO_LIMIT,
  type ChangedBlocks,
  type ChangedDatabase,
  type ChangedFork,
} from '../wal/changed-blocks.ts';
import { ByteReader, ByteWriter } from './byte-codec.ts';

/**
 * The form in which changed blocks travel in change sets and lie in journals and segment indexes. Numbers are of variable length:
 * ```
 * u8  version (1)
 * databases: how many; each: tablespace, database
 * groups: how many; each: tablespace, database, how many files; each file:
 *   relation as the difference from the file before
 *   u8: fork in bits 0 and 1, 0x04 if a limit block follows
 *   limit block
 *   ranges: how many; each: twice the blocks that are left out since the range before (one, which is sure, is not counted), plus one if
 *   the range has more than one block; and then their number less two
 * ```
 * A block that stands alone among others at random takes one or two bytes.
 */
const VERSION = 1;

const FORK_BITS = 0x03;
const HAS_LIMIT = 0x04;
const UINT32_MAX = 0xffff_ffff;

/** Encodes what {@link decodeChangedBlocks} gives back. Never empty. */
export function encodeChangedBlocks({ databases, forks }: ChangedBlocks): Buffer {
  const writer = new ByteWriter();
  writer.byte(VERSION);
  writer.unsigned(databases.length);
  for (const { tablespaceOid, databaseOid } of databases) {
    writer.unsigned(tablespaceOid);
    writer.unsigned(databaseOid);
  }
  const groups = groupByDatabase(forks);
  writer.unsigned(groups.length);
  for (const group of groups) {
    const [first] = group;
    writer.unsigned(first?.tablespaceOid ?? 0);
    writer.unsigned(first?.databaseOid ?? 0);
    writer.unsigned(group.length);
    let relation = 0;
    for (const fork of group) {
      writer.unsigned(fork.relationNumber - relation);
      relation = fork.relationNumber;
      encodeFork(writer, fork);
    }
  }
  return writer.finish();
}

function groupByDatabase(forks: readonly ChangedFork[]): ChangedFork[][] {
  const groups: ChangedFork[][] = [];
  for (const fork of forks) {
    const group = groups.at(-1);
    if (group?.[0] !== undefined && compareDatabases(group[0], fork) === 0) group.push(fork);
    else groups.push([fork]);
  }
  return groups;
}

function encodeFork(writer: ByteWriter, { fork, limitBlock, ranges }: ChangedFork): void {
  writer.byte(fork | (limitBlock === NO_LIMIT ? 0 : HAS_LIMIT));
  if (limitBlock !== NO_LIMIT) writer.unsigned(limitBlock);
  writer.unsigned(ranges.length / 2);
  let before = -1;
  for (let at = 0; at < ranges.length; at += 2) {
    const first = ranges[at] ?? 0;
    const end = ranges[at + 1] ?? 0;
    const several = end - first > 1;
    writer.unsigned((first - before - 1) * 2 + (several ? 1 : 0));
    if (several) writer.unsigned(end - first - 2);
    before = end;
  }
}

/**
 * Decodes what {@link encodeChangedBlocks} gave. What it needs is in proportion to the bytes.
 * @throws TidemarkError TM-REPO-003 if the bytes are not that, TM-REPO-008 for a version that is not known
 */
export function decodeChangedBlocks(buffer: Buffer): ChangedBlocks {
  const reader = new ByteReader(buffer, 'changed blocks');
  const version = reader.byte();
  if (version !== VERSION) {
    throw new TidemarkError('TM-REPO-008', `changed blocks have version ${version}, this program knows ${VERSION}`);
  }
  const databases: ChangedDatabase[] = [];
  for (let left = reader.count(); left > 0; left--) databases.push(decodeDatabase(reader, databases.at(-1)));
  const whole = new Set(databases.map(databaseKey));
  const forks: ChangedFork[] = [];
  let group: ChangedDatabase | undefined;
  for (let groups = reader.count(); groups > 0; groups--) {
    group = decodeDatabase(reader, group);
    if (whole.has(databaseKey(group))) throw reader.damaged('files of a database that is new as a whole');
    let relation = 0;
    let fork = -1;
    for (let left = reader.count(); left > 0; left--) {
      const step = reader.unsignedUpTo(UINT32_MAX - relation);
      const decoded = decodeFork(reader, group, relation + step);
      if (step === 0 && decoded.fork <= fork) throw reader.damaged('files are not in order');
      relation = decoded.relationNumber;
      fork = decoded.fork;
      forks.push(decoded);
    }
  }
  reader.end();
  return { databases, forks };
}

/** What is changed in any of them; empty, which is to say not known, if one of them is. */
export function joinEncodedBlocks(parts: readonly Buffer[]): Buffer {
  if (parts.some((part) => part.length === 0)) return Buffer.alloc(0);
  return encodeChangedBlocks(parts.map(decodeChangedBlocks).reduce(joinChangedBlocks, NO_CHANGED_BLOCKS));
}

function decodeDatabase(reader: ByteReader, before: ChangedDatabase | undefined): ChangedDatabase {
  const database = { tablespaceOid: reader.unsignedUpTo(UINT32_MAX), databaseOid: reader.unsignedUpTo(UINT32_MAX) };
  if (before !== undefined && compareDatabases(before, database) >= 0) throw reader.damaged('databases out of order');
  return database;
}

function decodeFork(reader: ByteReader, database: ChangedDatabase, relationNumber: number): ChangedFork {
  const head = reader.byte();
  const fork = head & FORK_BITS;
  if ((head & ~(FORK_BITS | HAS_LIMIT)) !== 0 || fork === FORK.freeSpaceMap) throw reader.damaged('an unknown file');
  const limitBlock = (head & HAS_LIMIT) === 0 ? NO_LIMIT : reader.unsignedUpTo(UINT32_MAX - 1);
  const ranges = new Uint32Array(2 * reader.count());
  let before = -1;
  for (let at = 0; at < ranges.length; at += 2) {
    const code = reader.unsigned();
    const first = before + 1 + Math.floor(code / 2);
    const end = first + (code % 2 === 0 ? 1 : reader.unsignedUpTo(UINT32_MAX) + 2);
    if (end > limitBlock) throw reader.damaged(`a block behind the last one, ${limitBlock}`);
    ranges[at] = first;
    ranges[at + 1] = end;
    before = end;
  }
  return { ...database, relationNumber, fork, limitBlock, ranges };
}
