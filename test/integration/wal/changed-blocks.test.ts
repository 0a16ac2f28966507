import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { formatLsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { ChangedBlockCollector } from '../../../shared/wal/changed-block-collector.ts';
import { FORK, NO_LIMIT, type ChangedBlocks, type ChangedFork } from '../../../shared/wal/changed-blocks.ts';
import { WalParser } from '../../../shared/wal/wal-parser.ts';
import { changedBlocksBetween } from '../../../shared/wal-index/changed-blocks-between.ts';
import { decodeChangedBlocks, encodeChangedBlocks } from '../../../shared/wal-index/changed-blocks-codec.ts';
import type { PostgresMajor } from '../../support/postgres-binaries.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { differentBlocks } from '../../support/relation-files.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { readWalFiles } from '../../support/wal-files.ts';
import {
  databases,
  definitions,
  makeRoundTables,
  pageImages,
  preparedTransactions,
  subtransactions,
  transfers,
  truncations,
} from '../../support/wal-rounds.ts';

const SEGMENT_BYTES = 1024 * 1024;

/** A row of pg_wal_summary_contents. Relation 0 stands for all of a database. */
interface SummaryRow {
  readonly relation: number;
  readonly tablespace: number;
  readonly database: number;
  readonly fork: number;
  readonly block: string;
  readonly is_limit: boolean;
}

interface SummaryRange {
  readonly start_lsn: string;
  readonly end_lsn: string;
}

describe('changed blocks', () => {
  for (const major of [15, 17, 18] as const satisfies readonly PostgresMajor[]) {
    const summaries = major >= 17;
    it(`name every block that PostgreSQL ${major} changed${summaries ? ', and every one that its summaries name' : ''}`, async () => {
      await using directory = TemporaryDirectory.create('blocks');
      await using server = await PostgresServer.create({
        major,
        walSegmentSizeMb: 1,
        settings: {
          wal_keep_size: '4GB',
          max_wal_size: '4GB',
          checkpoint_timeout: '1h',
          ...(summaries ? { summarize_wal: 'on' } : {}),
        },
      });
      await makeRoundTables(server);
      await workload(server, directory.subdirectory('first'), 0);
      await server.restart();
      await server.query('VACUUM (FREEZE)');
      const fromLsn = await flushLsn(server);
      await server.stop();
      for (const part of ['base', 'global'])
        cpSync(path.join(server.dataDirectory, part), path.join(directory.path, 'before', part), { recursive: true });
      await server.start();
      await workload(server, directory.subdirectory('second'), 1);
      await server.query('CHECKPOINT');
      const systemIdentifier = await server.systemIdentifier();
      if (summaries) await compareSummaries(server, systemIdentifier, fromLsn);
      const endLsn = await flushLsn(server);
      await server.stop();

      const wal = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, fromLsn, endLsn);
      const changedBlocks = encodeChangedBlocks(gather(major, systemIdentifier, wal.startLsn, wal.bytes));
      const runs = [{ startLsn: wal.startLsn, endLsn, changedBlocks }];
      const changed = await changedBlocksBetween(runs, fromLsn, endLsn);
      const different = [...differentBlocks(path.join(directory.path, 'before'), server.dataDirectory)];
      const missing = different.filter(({ block, ...file }) => !isNamed(changed, file, block));
      assert.deepEqual(missing.slice(0, 10), [], `${missing.length} of ${different.length}`);
      assert.ok(different.length > 500, `${different.length} blocks differ`);
      // Without this, the next line would test nothing: PostgreSQL clears bits of maps without naming their block.
      const named = decodeChangedBlocks(changedBlocks);
      const unnamed = different.filter(({ block, ...file }) => !isNamed(named, file, block));
      assert.ok(
        unnamed.length > 0 && unnamed.every(({ fork }) => fork === FORK.visibilityMap),
        JSON.stringify(unnamed),
      );
      console.log(
        `PostgreSQL ${major}: ${different.length} blocks differ, none missing; ${wal.bytes.length} bytes of WAL, ${changedBlocks.length} of names`,
      );
    });
  }
});

async function workload(server: PostgresServer, tablespaceDirectory: string, round: number): Promise<void> {
  await transfers(server, 2, 200);
  await subtransactions(server);
  await preparedTransactions(server, round);
  await definitions(server);
  await pageImages(server);
  await truncations(server, round);
  await databases(server, tablespaceDirectory);
}

async function flushLsn(server: PostgresServer): Promise<Lsn> {
  return parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text'));
}

/** What WAL that begins with a record or a page changes. */
function gather(majorVersion: number, systemIdentifier: string, startLsn: Lsn, bytes: Buffer): ChangedBlocks {
  const changedBlocks = new ChangedBlockCollector();
  const parser = new WalParser({
    timeline: 1,
    segmentBytes: SEGMENT_BYTES,
    systemIdentifier,
    startLsn,
    atRecord: true,
    majorVersion,
    changedBlocks,
  });
  parser.push(bytes);
  return changedBlocks.take();
}

/** Each summary from `fromLsn` on against what is found in exactly its WAL. */
async function compareSummaries(server: PostgresServer, systemIdentifier: string, fromLsn: Lsn): Promise<void> {
  const redoLsn = await server.value('SELECT redo_lsn::text FROM pg_control_checkpoint()');
  await waitFor(
    'the WAL is summarized',
    async () =>
      await server.value<boolean>('SELECT coalesce(max(end_lsn) >= $1, false) FROM pg_available_wal_summaries()', [
        redoLsn,
      ]),
    { timeoutMs: 60_000 },
  );
  const ranges = await server.query<SummaryRange>(
    'SELECT start_lsn::text, end_lsn::text FROM pg_available_wal_summaries() WHERE start_lsn >= $1 ORDER BY 1',
    [formatLsn(fromLsn)],
  );
  let named = 0;
  let extra = 0;
  for (const { start_lsn, end_lsn } of ranges) {
    const [startLsn, endLsn] = [parseLsn(start_lsn), parseLsn(end_lsn)];
    const { startLsn: first, bytes } = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, startLsn, endLsn);
    const changed = gather(server.major, systemIdentifier, startLsn, bytes.subarray(Number(startLsn - first)));
    const rows = await server.query<SummaryRow>(
      `SELECT relfilenode::bigint::float8 AS relation, reltablespace::bigint::float8 AS tablespace,
              reldatabase::bigint::float8 AS database, relforknumber AS fork, relblocknumber::text AS block,
              is_limit_block AS is_limit
         FROM pg_wal_summary_contents(1, $1, $2)`,
      [start_lsn, end_lsn],
    );
    const missing = rows.filter((row) => !coversRow(changed, row));
    assert.deepEqual(missing.slice(0, 10), [], `${start_lsn} to ${end_lsn}: ${missing.length} of ${rows.length}`);
    const more = changed.forks.flatMap((fork) => notInSummary(fork, rows));
    // PostgreSQL writes the relation's block for the limit of its visibility map, which is no block of the map.
    assert.deepEqual(
      more.filter((line) => !line.startsWith('vm limit')),
      [],
      `${start_lsn} to ${end_lsn}: more than PostgreSQL names`,
    );
    named += rows.length;
    extra += more.length;
  }
  assert.ok(named > 2000, `${ranges.length} summaries name ${named}`);
  console.log(
    `PostgreSQL ${server.major}: ${ranges.length} summaries, ${named} rows, none missing; ${extra} limits of visibility maps are lower`,
  );
}

function coversRow(changed: ChangedBlocks, row: SummaryRow): boolean {
  const file = {
    tablespaceOid: row.tablespace,
    databaseOid: row.database,
    relationNumber: row.relation,
    fork: row.fork,
  };
  if (row.relation === 0) return isNamed({ ...changed, forks: [] }, file, 0);
  if (!row.is_limit) return isNamed(changed, file, Number(row.block));
  const { databases: whole, forks } = changed;
  const limits = forks
    .filter(({ limitBlock }) => limitBlock !== NO_LIMIT)
    .map((fork) => ({ ...fork, ranges: NO_RANGES }));
  return isNamed({ databases: whole, forks: limits }, file, Number(row.block));
}

const NO_RANGES = new Uint32Array(0);

/** What of a file PostgreSQL does not name, in words. */
function notInSummary(fork: ChangedFork, rows: readonly SummaryRow[]): string[] {
  const own = rows.filter(
    (row) =>
      row.relation === fork.relationNumber &&
      row.fork === fork.fork &&
      row.database === fork.databaseOid &&
      row.tablespace === fork.tablespaceOid,
  );
  const name = ['main', 'fsm', 'vm', 'init'][fork.fork];
  const limit = Math.min(NO_LIMIT, ...own.filter((row) => row.is_limit).map((row) => Number(row.block)));
  const blocks = new Set(own.filter((row) => !row.is_limit).map((row) => Number(row.block)));
  const more = fork.limitBlock < limit ? [`${name} limit ${fork.limitBlock} of ${fork.relationNumber}`] : [];
  for (let at = 0; at < fork.ranges.length; at += 2) {
    for (let block = fork.ranges[at] ?? 0; block < (fork.ranges[at + 1] ?? 0); block++) {
      if (!blocks.has(block) && block < limit) more.push(`${name} block ${block} of ${fork.relationNumber}`);
    }
  }
  return more;
}

function isNamed(
  { databases: whole, forks }: ChangedBlocks,
  file: Pick<ChangedFork, 'tablespaceOid' | 'databaseOid' | 'relationNumber' | 'fork'>,
  block: number,
): boolean {
  const isDatabase = whole.some(
    ({ tablespaceOid, databaseOid }) => tablespaceOid === file.tablespaceOid && databaseOid === file.databaseOid,
  );
  if (isDatabase) return true;
  const fork = forks.find(
    (one) =>
      one.relationNumber === file.relationNumber &&
      one.fork === file.fork &&
      one.databaseOid === file.databaseOid &&
      one.tablespaceOid === file.tablespaceOid,
  );
  if (fork === undefined) return false;
  if (block >= fork.limitBlock) return true;
  return fork.ranges.some((first, at) => at % 2 === 0 && first <= block && block < (fork.ranges[at + 1] ?? 0));
}
