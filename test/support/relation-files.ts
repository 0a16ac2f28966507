import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { FORK } from '../../shared/wal/changed-blocks.ts';

const BLOCK_BYTES = 8192;
const SEGMENT_BLOCKS = 131_072;
const DEFAULT_TABLESPACE = 1663;
const GLOBAL_TABLESPACE = 1664;
const FORKS: Readonly<Record<string, number>> = {
  '': FORK.main,
  _fsm: FORK.freeSpaceMap,
  _vm: FORK.visibilityMap,
  _init: FORK.init,
};
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** A block of a relation's file. */
export interface FileBlock {
  readonly tablespaceOid: number;
  readonly databaseOid: number;
  readonly relationNumber: number;
  readonly fork: number;
  readonly block: number;
}

/**
 * The blocks of permanent relations that a data directory has otherwise than an earlier copy of it. Free space maps are left out, and
 * what was added to a file in zeros, which is not logged. Only the default tablespaces are looked at.
 */
export function* differentBlocks(before: string, after: string): Generator<FileBlock> {
  const directories = [
    { directory: 'global', tablespaceOid: GLOBAL_TABLESPACE, databaseOid: 0 },
    ...readdirSync(path.join(after, 'base'))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({
        directory: `base/${name}`,
        tablespaceOid: DEFAULT_TABLESPACE,
        databaseOid: Number(name),
      })),
  ];
  for (const { directory, ...database } of directories) {
    const files = readdirSync(path.join(after, directory));
    const unlogged = new Set(files.flatMap((name) => /^(\d+)_init$/.exec(name)?.[1] ?? []));
    for (const name of files) {
      const [, relation, forkName, segment] = /^(\d+)(_fsm|_vm|_init)?(?:\.(\d+))?$/.exec(name) ?? [];
      const fork = FORKS[forkName ?? ''];
      if (relation === undefined || fork === undefined || fork === FORK.freeSpaceMap) continue;
      if (unlogged.has(relation) && fork !== FORK.init) continue;
      const file = path.join(directory, name);
      for (const block of differences(path.join(before, file), path.join(after, file))) {
        const number = block + SEGMENT_BLOCKS * Number(segment ?? 0);
        yield { ...database, relationNumber: Number(relation), fork, block: number };
      }
    }
  }
}

function* differences(before: string, after: string): Generator<number> {
  const old = existsSync(before) ? readBlocks(before) : [][Symbol.iterator]();
  let number = 0;
  for (const block of readBlocks(after)) {
    const known = old.next();
    if (!block.equals(known.done === true ? ZEROS : known.value)) yield number;
    number++;
  }
}

function* readBlocks(file: string): Generator<Buffer, undefined> {
  const handle = openSync(file, 'r');
  try {
    for (let left = Math.floor(statSync(file).size / BLOCK_BYTES); left > 0; left--) {
      const block = Buffer.alloc(BLOCK_BYTES);
      readSync(handle, block);
      yield block;
    }
  } finally {
    closeSync(handle);
  }
}
