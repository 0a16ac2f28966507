import assert from 'node:assert/strict';
import path from 'node:path';
import process from 'node:process';
import { advanceLsn, formatLsn, NO_LSN } from '../../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import {
  applyEvents,
  listOpen,
  NOTHING_OPEN,
  type OpenTransactions,
} from '../../../shared/wal-index/open-transactions.ts';
import { POSTGRES_MAJORS, type PostgresMajor } from '../../support/postgres-binaries.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { KindNames, lsnText, type DescribedRecord } from '../../support/wal-oracle/described-record.ts';
import { parseWalFiles } from '../../support/wal-oracle/parse-wal-files.ts';
import { flushedLsn, WalinspectOracle } from '../../support/wal-oracle/walinspect.ts';
import {
  databases,
  definitions,
  makeRoundTables,
  pageImages,
  preparedTransactions,
  subtransactions,
  transfers,
} from '../../support/wal-rounds.ts';
import { LEFT_PREPARED, makeVariedWal } from '../../support/wal-workload.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';

/** How many records of each major are compared at least; some hundred thousand take a minute. */
const RECORDS_WANTED = Number(process.env['TIDEMARK_WAL_RECORDS'] ?? 0);
const RECORDS_AT_ONCE = 40_000;
const TRANSFERS_A_ROUND = RECORDS_WANTED === 0 ? 200 : 20_000;

/** A row of pg_get_wal_records_info. */
interface InspectedRecord {
  readonly start_lsn: string;
  readonly prev_lsn: string;
  readonly xid: number;
  readonly record_type: string;
  readonly description: string | null;
}

const KINDS: Readonly<Record<string, TransactionEvent['kind']>> = {
  COMMIT: 'commit',
  ABORT: 'abort',
  PREPARE: 'prepare',
  COMMIT_PREPARED: 'commit-prepared',
  ABORT_PREPARED: 'rollback-prepared',
};

/** With segments of 1 MB, and of 64 MB; a short run has one of the two. */
const SEGMENT_SIZES_MB: Readonly<Record<PostgresMajor, readonly number[]>> = {
  15: [1, 64],
  16: [64, 1],
  17: [1, 64],
  18: [64, 1],
};

describe('WalParser agrees with pg_walinspect', function () {
  if (RECORDS_WANTED > 0) this.timeout(3_600_000);

  for (const major of POSTGRES_MAJORS) {
    const sizes = RECORDS_WANTED === 0 ? SEGMENT_SIZES_MB[major].slice(0, 1) : SEGMENT_SIZES_MB[major];
    for (const sizeMb of sizes) {
      it(`on every record of PostgreSQL ${major}, in segments of ${sizeMb} MB`, async () => {
        await compareServer(major, sizeMb, RECORDS_WANTED / sizes.length);
      });
    }
  }
});

async function compareServer(major: PostgresMajor, sizeMb: number, recordsWanted: number): Promise<void> {
  const startedAt = performance.now();
  await using tablespace = TemporaryDirectory.create('tablespace');
  await using server = await PostgresServer.create({
    major,
    walSegmentSizeMb: sizeMb,
    settings: {
      wal_keep_size: '64GB',
      max_wal_size: '4GB',
      wal_level: major % 2 === 0 ? 'logical' : 'replica',
      checkpoint_timeout: '1h',
    },
  });
  const segmentBytes = sizeMb * 1024 * 1024;
  await server.query('CREATE EXTENSION pg_walinspect');
  const start = await flushedLsn(server);
  let fromLsn = advanceLsn(start, -Number(start % BigInt(segmentBytes)));
  const files = {
    directory: path.join(server.dataDirectory, 'pg_wal'),
    systemIdentifier: await server.systemIdentifier(),
    segmentBytes,
  };
  const kinds = new KindNames();
  let open: OpenTransactions = NOTHING_OPEN;
  let counts = { records: 0, blocks: 0, images: 0 };
  const compare = async (withEvents: boolean): Promise<void> => {
    const endLsn = await flushedLsn(server);
    const oracle = new WalinspectOracle(server, kinds);
    for await (const batch of parseWalFiles({ ...files, fromLsn, endLsn }, RECORDS_AT_ONCE)) {
      await oracle.compare(batch.records);
      assert.equal(batch.parser.majorVersion, major);
      open = applyEvents(open, batch.events);
      if (withEvents) compareEvents(batch.events, await inspectEnds(server, batch.records));
    }
    counts = {
      records: counts.records + oracle.records,
      blocks: counts.blocks + oracle.blocks,
      images: counts.images + oracle.images,
    };
    fromLsn = endLsn;
  };

  await makeVariedWal(server);
  await compare(true);
  await makeRoundTables(server);
  await databases(server, tablespace.path);
  for (let round = 0; round === 0 || counts.records < recordsWanted; round++) {
    await transfers(server, 3, TRANSFERS_A_ROUND);
    await subtransactions(server);
    await preparedTransactions(server, round);
    await definitions(server);
    await pageImages(server);
    await compare(false);
    if (recordsWanted > 0) {
      server.configure({ wal_level: round % 2 === 0 ? 'replica' : 'logical' });
      await server.restart(round % 3 === 0 ? 'immediate' : 'fast');
    }
  }
  const prepared = await server.query('SELECT gid, transaction::text::int AS xid FROM pg_prepared_xacts ORDER BY 2');
  assert.deepEqual(
    listOpen(open).map(({ gid, xid }) => ({ gid, xid })),
    prepared,
  );
  assert.deepEqual(
    prepared.map(({ gid }) => gid),
    [LEFT_PREPARED],
  );
  assert.ok(counts.records > 15_000 && counts.images > 300, JSON.stringify(counts));
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `PostgreSQL ${major}, ${sizeMb} MB: ${counts.records} records of ${kinds.names.length} kinds, ${counts.blocks} blocks, ` +
      `${counts.images} images, no difference, ${seconds.toFixed(0)} s`,
  );
}

async function inspectEnds(server: PostgresServer, records: readonly DescribedRecord[]): Promise<InspectedRecord[]> {
  return await server.query<InspectedRecord>(
    `SELECT start_lsn::text, prev_lsn::text, xid::text::bigint::int AS xid, record_type, description
       FROM pg_get_wal_records_info($1, $2)
      WHERE resource_manager = 'Transaction' ORDER BY pg_get_wal_records_info.start_lsn`,
    [formatLsn(records[0]?.lsn ?? NO_LSN), records.at(-1)?.end ?? ''],
  );
}

function compareEvents(all: readonly TransactionEvent[], inspected: readonly InspectedRecord[]): void {
  // Others are not of the transaction resource manager's records.
  const events = all.filter(({ kind }) => kind !== 'decision-row' && kind !== 'restart');
  const expected = inspected.filter(({ record_type }) => record_type in KINDS);
  assert.deepEqual(
    events.map(({ kind, lsn, previousLsn }) => [kind, formatLsn(lsn), formatLsn(previousLsn)]),
    expected.map(({ record_type, start_lsn, prev_lsn }) => [KINDS[record_type], lsnText(start_lsn), lsnText(prev_lsn)]),
  );
  const seen = new Set<string>();
  for (const [index, event] of events.entries()) {
    const { description, xid } = expected[index] ?? { description: null, xid: 0 };
    assert.ok(description !== null);
    // "gid G: TIME…" for PREPARE, "XID: TIME…" for the ends of prepared transactions, else "TIME…".
    const [, lead, time] =
      /^(?:(.*?): )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00| UTC)/s.exec(description) ?? [];
    assert.ok(time !== undefined, description);
    assert.equal(timeText(event.timeUs), time, description);
    if (event.kind === 'prepare') assert.equal(lead, `gid ${event.gid}`);
    assert.equal(event.xid, event.kind.endsWith('-prepared') ? Number(lead) : xid, description);
    const subxacts = /subxacts:((?: \d+)+)/.exec(description)?.[1]?.trim().split(' ').map(Number) ?? [];
    assert.deepEqual(event.subxids, subxacts, description);
    for (const part of ['rels', 'subxacts', 'dropped stats', 'inval msgs']) {
      if (description.includes(part)) seen.add(`${event.kind}: ${part}`);
    }
    seen.add(`${event.kind}: gid ${event.gid === undefined ? 'absent' : 'there'}`);
  }
  for (const part of [
    'commit-prepared: rels',
    'commit-prepared: inval msgs',
    'commit-prepared: dropped stats',
    'prepare: subxacts',
  ]) {
    assert.ok(seen.has(part), `${part} was not exercised: ${[...seen].join(', ')}`);
  }
}

/** As PostgreSQL prints a timestamp: without zeros at the end of the fraction. */
function timeText(timeUs: bigint): string {
  const seconds = new Date(Number(timeUs / 1000n)).toISOString().slice(0, 19).replace('T', ' ');
  const micros = (timeUs % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  return micros === '' ? seconds : `${seconds}.${micros}`;
}
