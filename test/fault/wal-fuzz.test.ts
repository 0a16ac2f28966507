import assert from 'node:assert/strict';
import process from 'node:process';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { advanceLsn, formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import { ChangedBlockCollector } from '../../shared/wal/changed-block-collector.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';
import { WalParser } from '../../shared/wal/wal-parser.ts';
import { SeededRandom } from '../support/bank/seeded-random.ts';
import { POSTGRES_MAJORS, type PostgresMajor } from '../support/postgres-binaries.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { WAL_DAMAGES, type DamagedWal } from '../support/wal-damage.ts';
import { readWalFiles } from '../support/wal-files.ts';
import { flushedLsn } from '../support/wal-oracle/walinspect.ts';
import { definitions, makeRoundTables, pageImages, preparedTransactions, transfers } from '../support/wal-rounds.ts';

/** For how long damage is made; a long run makes new WAL every few minutes. */
const MINUTES = Number(process.env['TIDEMARK_FUZZ_MINUTES'] ?? 1);
const SEED = Number(process.env['TIDEMARK_FUZZ_SEED'] ?? Date.now() % 1_000_000_007);
const WAL_LASTS_MINUTES = 5;
const SEGMENT_BYTES = 1024 * 1024;
const PAGE_BYTES = 8192;
const WINDOWS = 48;
/** The last of them crosses a segment's boundary. */
const WINDOW_PAGES = [2, 3, 5, 20, 140];
/** Far more than parsing takes. */
const PARSE_MS_MAX = 5_000;

interface Cluster {
  readonly major: PostgresMajor;
  readonly systemIdentifier: string;
  readonly startLsn: Lsn;
  readonly bytes: Buffer;
}

/** What a parser made of some bytes. */
interface Reading {
  readonly records: readonly string[];
  readonly events: readonly TransactionEvent[];
  readonly error: unknown;
  /** The end of each record. */
  readonly ends: readonly Lsn[];
}

interface Window {
  readonly startLsn: Lsn;
  readonly bytes: Buffer;
  readonly other: Buffer;
  readonly sound: Reading;
}

describe('damaged WAL', function () {
  this.timeout(MINUTES * 60_000 + 120_000);

  it('is refused with an error that says so, and nothing is made up', async () => {
    console.log(`seed ${SEED}: set TIDEMARK_FUZZ_SEED to repeat, TIDEMARK_FUZZ_MINUTES to go on for longer`);
    const random = new SeededRandom(SEED);
    const counts = new Map<string, { tried: number; refused: number }>();
    const endMs = performance.now() + MINUTES * 60_000;
    while (performance.now() < endMs) {
      const major = random.pick(POSTGRES_MAJORS);
      const [cluster, other] = [await makeCluster(major, 100), await makeCluster(major, 1_100_000)];
      const windows = Array.from({ length: WINDOWS }, () => windowOf(random, cluster, other));
      const nextMs = Math.min(endMs, performance.now() + WAL_LASTS_MINUTES * 60_000);
      while (performance.now() < nextMs) {
        // Each try has a seed of its own, so that it can be repeated without those before it, on the same WAL.
        const trySeed = random.below(2 ** 32);
        const window = random.pick(windows);
        tryOnce(new SeededRandom(trySeed), window, cluster, counts, `seed ${SEED}, try ${trySeed}`);
      }
    }
    const tried = [...counts.values()].reduce((sum, count) => sum + count.tried, 0);
    const lines = [...counts].map(([kind, count]) => `${kind} ${count.refused} of ${count.tried}`);
    console.log(`${tried} times damaged; refused: ${lines.sort().join(', ')}`);
    assert.equal(counts.size, Object.keys(WAL_DAMAGES).length);
    assert.ok(tried > 200, `only ${tried} tries`);
  });
});

function tryOnce(
  random: SeededRandom,
  window: Window,
  cluster: Cluster,
  counts: Map<string, { tried: number; refused: number }>,
  seed: string,
): void {
  const kind = random.pick(Object.keys(WAL_DAMAGES));
  const damage = WAL_DAMAGES[kind] ?? assert.fail();
  const damaged = damage(random, window.bytes, window.other);
  const zerosMayFollow = random.below(4) === 0;
  // of the processors' time: how busy the machine is says nothing about the parser
  const before = process.cpuUsage();
  const reading = read(cluster, window.startLsn, damaged.bytes, random, zerosMayFollow);
  const used = process.cpuUsage(before);
  const tookMs = (used.user + used.system) / 1000;
  const what = `${seed}: PostgreSQL ${cluster.major}, ${formatLsn(window.startLsn)}, ${damaged.what}`;
  assert.ok(tookMs < PARSE_MS_MAX, `${what}: took ${tookMs} ms`);
  checkError(reading.error, what);
  assert.deepEqual(reading.records, window.sound.records.slice(0, reading.records.length), what);
  assert.deepEqual(reading.events, window.sound.events.slice(0, reading.events.length), what);
  if (reading.error === null && !zerosMayFollow) checkNothingMissing(reading, window, damaged, what);
  const count = counts.get(kind) ?? { tried: 0, refused: 0 };
  counts.set(kind, { tried: count.tried + 1, refused: count.refused + (reading.error === null ? 0 : 1) });
}

function checkError(error: unknown, what: string): void {
  if (error === null) return;
  if (!(error instanceof TidemarkError)) throw new Error(what, { cause: error });
  assert.ok(error.code === 'TM-WAL-002' || error.code === 'TM-WAL-005', `${what}: ${error.code} ${error.message}`);
  assert.match(error.message, /[0-9A-F]+\/[0-9A-F]+/, what);
}

/** Without an error, a record may be missing only if its end lies in the last page or behind it: any later page would have told. */
function checkNothingMissing(reading: Reading, window: Window, damaged: DamagedWal, what: string): void {
  const missing = window.sound.ends[reading.records.length];
  if (missing === undefined) return;
  const end = Math.min(damaged.bytes.length, window.bytes.length);
  const at = Number(missing - window.startLsn);
  assert.ok(at >= end - PAGE_BYTES, `${what}: the record that ends at ${at} of ${end} is missing`);
}

function read(
  { major, systemIdentifier }: Cluster,
  startLsn: Lsn,
  bytes: Buffer,
  random: SeededRandom | null,
  zerosMayFollow: boolean,
): Reading {
  const records: string[] = [];
  const ends: Lsn[] = [];
  const events: TransactionEvent[] = [];
  const parser = new WalParser({
    timeline: 1,
    segmentBytes: SEGMENT_BYTES,
    systemIdentifier,
    startLsn,
    atRecord: false,
    majorVersion: major,
    zerosMayFollow,
    changedBlocks: new ChangedBlockCollector(),
    onRecord: (record) => {
      const { lsn, endLsn, xid, resourceManager, info } = record;
      ends.push(endLsn);
      records.push([lsn, endLsn, xid, resourceManager, info, JSON.stringify(record.fragments().blocks)].join(' '));
    },
  });
  try {
    for (let at = 0; at < bytes.length;) {
      const length = random === null ? bytes.length : random.pick([1, 7, 100, 8192, 50_000, bytes.length]);
      events.push(...parser.push(bytes.subarray(at, at + length)));
      at += length;
    }
  } catch (error) {
    return { records, ends, events, error };
  }
  return { records, ends, events, error: null };
}

/** WAL from a segment's start on, as an agent reads it: there stands which system it is of. */
function windowOf(random: SeededRandom, cluster: Cluster, other: Cluster): Window {
  const start = SEGMENT_BYTES * random.below(cluster.bytes.length / SEGMENT_BYTES - 1);
  const bytes = cluster.bytes.subarray(start, start + random.pick(WINDOW_PAGES) * PAGE_BYTES);
  const startLsn = advanceLsn(cluster.startLsn, start);
  const sound = read(cluster, startLsn, bytes, null, false);
  assert.equal(sound.error, null);
  return { startLsn, bytes, other: other.bytes.subarray(start), sound };
}

async function makeCluster(major: PostgresMajor, apart: number): Promise<Cluster> {
  await using server = await PostgresServer.create({
    major,
    walSegmentSizeMb: 1,
    settings: { wal_keep_size: '1GB', max_wal_size: '2GB', wal_level: major % 2 === 0 ? 'logical' : 'replica' },
  });
  // So that records do not lie at the same places in two clusters.
  await server.query(`SELECT pg_logical_emit_message(false, 'apart', repeat('x', ${apart}))`);
  const fromLsn = await flushedLsn(server);
  await makeRoundTables(server);
  await transfers(server, 2, 300);
  await preparedTransactions(server, 1);
  await definitions(server);
  await pageImages(server);
  const endLsn = await flushedLsn(server);
  const wal = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, fromLsn, segmentStart(endLsn, SEGMENT_BYTES));
  return { major, systemIdentifier: await server.systemIdentifier(), ...wal };
}
