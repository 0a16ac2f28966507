import * as fc from 'fast-check';
import type { ChangedBlockCollector } from '../../shared/wal/changed-block-collector.ts';
import { FORK, NO_LIMIT, type ChangedBlocks } from '../../shared/wal/changed-blocks.ts';

/** What WAL can say of blocks, in few names so that it meets itself. */
export type BlockStep =
  | { readonly does: 'change'; readonly file: FileName; readonly block: number }
  | { readonly does: 'limit'; readonly file: FileName; readonly block: number }
  | { readonly does: 'drop'; readonly relation: readonly [number, number, number] }
  | { readonly does: 'database'; readonly database: readonly [number, number] };

/** Tablespace, database, relation, fork. */
type FileName = readonly [number, number, number, number];

const tablespace = fc.constantFrom(1663, 1664, 0xffff_ffff);
const database = fc.constantFrom(0, 1, 2);
const relation = fc.constantFrom(1, 2, 300, 0xffff_ffff);
const block = fc.oneof(fc.nat(12), fc.integer({ min: 0xffff_fff0, max: NO_LIMIT - 1 }), fc.nat(100_000));
const file = fc.tuple(tablespace, database, relation, fc.constantFrom(0, 1, 2, 3));

export const blockSteps: fc.Arbitrary<readonly BlockStep[]> = fc.array(
  fc.oneof(
    { weight: 30, arbitrary: fc.record({ does: fc.constant('change' as const), file, block }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('limit' as const), file, block }) },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant('drop' as const), relation: fc.tuple(tablespace, database, relation) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant('database' as const), database: fc.tuple(tablespace, database) }),
    },
  ),
  { maxLength: 80 },
);

export function gather(collector: ChangedBlockCollector, steps: readonly BlockStep[]): ChangedBlocks {
  for (const step of steps) {
    if (step.does === 'change') collector.block(...step.file, step.block);
    else if (step.does === 'limit') collector.limit(...step.file, step.block);
    else if (step.does === 'drop') collector.relation(...step.relation);
    else collector.database(...step.database);
  }
  return collector.take();
}

/** The slow and obvious way: whether a block must count as changed. */
export function isChanged(
  steps: readonly BlockStep[],
  [tablespaceOid, databaseOid, relationNumber, fork]: FileName,
  wanted: number,
): boolean {
  return steps.some((step) => {
    if (step.does === 'database') return step.database[0] === tablespaceOid && step.database[1] === databaseOid;
    if (fork === FORK.freeSpaceMap) return false;
    const [first, second, third] = step.does === 'drop' ? step.relation : step.file;
    if (first !== tablespaceOid || second !== databaseOid || third !== relationNumber) return false;
    if (step.does === 'drop') return true;
    return step.file[3] === fork && (step.does === 'change' ? step.block === wanted : step.block <= wanted);
  });
}

/** The same, asked of the result. */
export function names(
  { databases, forks }: ChangedBlocks,
  [tablespaceOid, databaseOid, relationNumber, fork]: FileName,
  wanted: number,
): boolean {
  if (databases.some((one) => one.tablespaceOid === tablespaceOid && one.databaseOid === databaseOid)) return true;
  return forks.some(
    (one) =>
      one.tablespaceOid === tablespaceOid &&
      one.databaseOid === databaseOid &&
      one.relationNumber === relationNumber &&
      one.fork === fork &&
      (wanted >= one.limitBlock ||
        one.ranges.some((first, at) => at % 2 === 0 && first <= wanted && wanted < (one.ranges[at + 1] ?? 0))),
  );
}

/** Every file and block that steps speak of, and the blocks beside them. */
export function* mentioned(steps: readonly BlockStep[]): Iterable<readonly [file: FileName, block: number]> {
  for (const step of steps) {
    if (step.does === 'change' || step.does === 'limit') {
      for (const near of [step.block - 1, step.block, step.block + 1]) {
        if (near >= 0 && near < NO_LIMIT) yield [step.file, near];
      }
    } else if (step.does === 'drop') {
      for (const fork of [0, 2, 3]) yield [[...step.relation, fork], 5];
    } else {
      yield [[...step.database, 77, 0], 5];
    }
  }
}
