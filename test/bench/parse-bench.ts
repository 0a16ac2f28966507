import { createHash } from 'node:crypto';
import process from 'node:process';
import { formatLsn, parseLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { ChangedBlockCollector } from '../../shared/wal/changed-block-collector.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import { WalParser } from '../../shared/wal/wal-parser.ts';
import { encodeChangedBlocks, joinEncodedBlocks } from '../../shared/wal-index/changed-blocks-codec.ts';
import { encodeSegmentIndex, type SegmentFrame } from '../../shared/wal-index/segment-index.ts';
import { encodeEvents } from '../../shared/wal-index/transaction-event-codec.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { readWalFiles } from '../support/wal-files.ts';
import { flushedLsn } from '../support/wal-oracle/walinspect.ts';
import { makeRoundTables, transfers } from '../support/wal-rounds.ts';
import { makeWal } from './bench-data.ts';
import type { Benchmark } from './benchmark.ts';
import { formatTable } from './table.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const RUN_BYTES = 1024 * 1024;
/** What is read again and again stays in memory. */
const WAL_BYTES_MAX = 256e6;
/** So small are the records that this is more than a million of them. */
const TINY_BYTES_MAX = 64e6;
const PASSES = 5;

interface ParseRow {
  readonly benchmark: 'parse';
  readonly wal: string;
  readonly megabytes: number;
  readonly records: number;
  /** Of one thread's processor time. */
  readonly megabytesPerSecond: number;
  readonly recordsPerSecond: number;
  readonly withBlocksMegabytesPerSecond: number;
  readonly indexBytes: number;
  readonly eventBytes: number;
  readonly changedBlockBytes: number;
  readonly indexShare: number;
}

interface Wal {
  readonly systemIdentifier: string;
  readonly startLsn: Lsn;
  readonly bytes: Buffer;
}

export const parseBenchmark: Benchmark = {
  name: 'parse',
  summary: 'how fast one thread parses WAL, with and without its changed blocks, and how large its index is',
  programs: [],
  run: async ({ bytes, say }) => {
    await using server = await PostgresServer.create({
      major: 18,
      settings: { max_wal_size: '16GB', wal_keep_size: '16GB', shared_buffers: '512MB', autovacuum: 'off' },
    });
    const wanted = Math.min(bytes, WAL_BYTES_MAX);
    const kinds: readonly (readonly [string, (sinceLsn: string) => Promise<void>])[] = [
      ['transfers (as pgbench)', (sinceLsn) => makeTransfers(server, wanted, sinceLsn)],
      ['tiny transactions', (sinceLsn) => makeTinyTransactions(server, Math.min(wanted, TINY_BYTES_MAX), sinceLsn)],
      ['orders (rows, images)', (sinceLsn) => makeWal(server, wanted, sinceLsn)],
    ];
    await makeRoundTables(server);
    const rows: ParseRow[] = [];
    for (const [name, make] of kinds) {
      say(`making ${Math.round(wanted / 1e6)} MB of WAL: ${name}`);
      await server.query('CHECKPOINT');
      const fromLsn = await flushedLsn(server);
      await make(formatLsn(fromLsn));
      const endLsn = parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text'));
      const wal = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, fromLsn, endLsn);
      rows.push(measure(name, { systemIdentifier: await server.systemIdentifier(), ...wal }));
    }
    return { text: formatRows(rows), rows };
  },
};

async function makeTransfers(server: PostgresServer, walBytes: number, sinceLsn: string): Promise<void> {
  for (;;) {
    await transfers(server, 2, 10_000);
    if (Number(await server.value('SELECT pg_current_wal_insert_lsn() - $1::pg_lsn', [sinceLsn])) >= walBytes) return;
  }
}

/** Of two records each: a row of one column, and the commit. */
async function makeTinyTransactions(server: PostgresServer, walBytes: number, sinceLsn: string): Promise<void> {
  await server.query('CREATE TABLE tiny (a int)');
  for (;;) {
    await server.query(`DO $$ BEGIN
      FOR n IN 1..50000 LOOP INSERT INTO tiny VALUES (n); COMMIT; END LOOP;
    END $$`);
    if (Number(await server.value('SELECT pg_current_wal_insert_lsn() - $1::pg_lsn', [sinceLsn])) >= walBytes) return;
  }
}

function measure(name: string, wal: Wal): ParseRow {
  const records = countRecords(wal);
  const plain: number[] = [];
  const withBlocks: number[] = [];
  // By turns, so that whatever else the machine does meets both.
  for (let pass = 0; pass < PASSES; pass++) {
    plain.push(cpuSeconds(() => parse(wal, null)));
    withBlocks.push(cpuSeconds(() => parse(wal, new ChangedBlockCollector())));
  }
  const megabytes = wal.bytes.length / 1e6;
  const seconds = Math.min(...plain);
  const sizes = indexSizes(wal);
  return {
    benchmark: 'parse',
    wal: name,
    megabytes,
    records,
    megabytesPerSecond: megabytes / seconds,
    recordsPerSecond: records / seconds,
    withBlocksMegabytesPerSecond: megabytes / Math.min(...withBlocks),
    ...sizes,
    indexShare: sizes.indexBytes / wal.bytes.length,
  };
}

function parserOf({ systemIdentifier, startLsn }: Wal, options: Partial<ConstructorParameters<typeof WalParser>[0]>) {
  const segments = { timeline: 1, segmentBytes: SEGMENT_BYTES, systemIdentifier };
  return new WalParser({ ...segments, startLsn, atRecord: false, majorVersion: 18, ...options });
}

function countRecords(wal: Wal): number {
  let records = 0;
  parserOf(wal, { onRecord: () => records++ }).push(wal.bytes);
  return records;
}

/** As an agent does it: in runs, of each of which the blocks are encoded. */
function* parse(
  wal: Wal,
  changedBlocks: ChangedBlockCollector | null,
): Generator<{
  readonly at: number;
  readonly events: readonly TransactionEvent[];
  readonly blocks: Buffer;
}> {
  const parser = parserOf(wal, changedBlocks === null ? {} : { changedBlocks });
  for (let at = 0; at < wal.bytes.length; at += RUN_BYTES) {
    const events = parser.push(wal.bytes.subarray(at, at + RUN_BYTES));
    yield { at, events, blocks: changedBlocks === null ? Buffer.alloc(0) : encodeChangedBlocks(changedBlocks.take()) };
  }
}

function cpuSeconds(work: () => Iterable<unknown>): number {
  const before = process.cpuUsage();
  for (const _ of work());
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** The indexes of the whole segments, as a coordinator writes them. */
function indexSizes(wal: Wal): Pick<ParseRow, 'indexBytes' | 'eventBytes' | 'changedBlockBytes'> {
  const sizes = { indexBytes: 0, eventBytes: 0, changedBlockBytes: 0 };
  const sha256 = createHash('sha256').digest();
  let events: TransactionEvent[] = [];
  let blocks: Buffer[] = [];
  for (const run of parse(wal, new ChangedBlockCollector())) {
    events.push(...run.events);
    blocks.push(run.blocks);
    const end = run.at + RUN_BYTES;
    if (end % SEGMENT_BYTES !== 0) continue;
    const startLsn = (wal.startLsn + BigInt(end - SEGMENT_BYTES)) as Lsn;
    const frames = Array.from({ length: SEGMENT_BYTES / RUN_BYTES }, (_, index): SegmentFrame => {
      const frame = { startLsn: (startLsn + BigInt(index * RUN_BYTES)) as Lsn, contentBytes: RUN_BYTES };
      return { ...frame, offsetBytes: index * RUN_BYTES, frameBytes: RUN_BYTES, contentSha256: sha256 };
    });
    const changedBlocks = joinEncodedBlocks(blocks);
    sizes.eventBytes += encodeEvents(events).length;
    sizes.changedBlockBytes += changedBlocks.length;
    sizes.indexBytes += encodeSegmentIndex({
      stream: { node: 'shard', systemIdentifier: wal.systemIdentifier, timeline: 1 },
      startLsn,
      segmentBytes: SEGMENT_BYTES,
      objectBytes: SEGMENT_BYTES,
      nextRecordLsn: startLsn,
      lastRecordLsn: startLsn,
      frames,
      events,
      openBranches: [],
      changedBlocks,
      clocks: [],
    }).length;
    events = [];
    blocks = [];
  }
  return sizes;
}

function formatRows(rows: readonly ParseRow[]): string {
  const percent = (bytes: number, row: ParseRow) => `${((100 * bytes) / (row.megabytes * 1e6)).toFixed(3)} %`;
  return formatTable([
    ['WAL', 'MB', 'records', 'MB/s', 'records/s', 'MB/s with blocks', 'index', 'events', 'blocks'],
    ...rows.map((row) => [
      row.wal,
      row.megabytes.toFixed(0),
      String(row.records),
      row.megabytesPerSecond.toFixed(0),
      row.recordsPerSecond.toFixed(0),
      row.withBlocksMegabytesPerSecond.toFixed(0),
      percent(row.indexBytes, row),
      percent(row.eventBytes, row),
      percent(row.changedBlockBytes, row),
    ]),
  ]);
}
