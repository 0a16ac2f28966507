import assert from 'node:assert/strict';
import { parseLsn, formatLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { segmentStart } from '../../../shared/postgres/wal-segment.ts';
import type { BlockReference } from '../../../shared/wal/record-fragments.ts';
import type { TransactionEvent } from '../../../shared/wal/transaction-event.ts';
import { WalParser } from '../../../shared/wal/wal-parser.ts';
import { applyEvents, listOpen, NOTHING_OPEN } from '../../../shared/wal-index/open-transactions.ts';
import { POSTGRES_MAJORS } from '../../support/postgres-binaries.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { readWalFiles } from '../../support/wal-files.ts';
import { LEFT_PREPARED, makeVariedWal } from '../../support/wal-workload.ts';

const SEGMENT_BYTES = 1024 * 1024;

/** A row of pg_get_wal_records_info. */
interface InspectedRecord {
  readonly start_lsn: string;
  readonly prev_lsn: string;
  readonly xid: number;
  readonly rmid: number;
  readonly record_type: string;
  readonly record_length: number;
  readonly main_data_length: number;
  readonly fpi_length: number;
  readonly description: string | null;
  readonly block_ref: string | null;
}

interface ParsedRecord {
  readonly lsn: Lsn;
  readonly previousLsn: Lsn;
  readonly xid: number;
  readonly manager: number;
  readonly totalLength: number;
  readonly mainDataBytes: number;
  readonly blocks: readonly BlockReference[];
}

const KINDS: Readonly<Record<string, TransactionEvent['kind']>> = {
  COMMIT: 'commit',
  ABORT: 'abort',
  PREPARE: 'prepare',
  COMMIT_PREPARED: 'commit-prepared',
  ABORT_PREPARED: 'rollback-prepared',
};

describe('WalParser agrees with pg_walinspect', () => {
  for (const major of POSTGRES_MAJORS) {
    const settings = {
      wal_keep_size: '1GB',
      max_wal_size: '2GB',
      wal_level: major % 2 === 0 ? 'logical' : 'replica',
      wal_compression: major % 2 === 0 ? 'pglz' : 'off',
    };

    it(`on every record of PostgreSQL ${major} (wal_level=${settings.wal_level})`, async () => {
      await using server = await PostgresServer.create({ major, walSegmentSizeMb: 1, settings });
      await server.query('CREATE EXTENSION pg_walinspect');
      const fromLsn = segmentStart(
        parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text')),
        SEGMENT_BYTES,
      );
      await makeVariedWal(server);
      const endLsn = parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text'));
      const inspected = await server.query<InspectedRecord>(
        `SELECT r.start_lsn::text, r.prev_lsn::text, r.xid::text::bigint::int AS xid, m.rm_id AS rmid, r.record_type,
                r.record_length, r.main_data_length, r.fpi_length, r.description, r.block_ref
           FROM pg_get_wal_records_info($1, $2) r
           JOIN pg_get_wal_resource_managers() m ON m.rm_name = r.resource_manager
          ORDER BY r.start_lsn`,
        [formatLsn(fromLsn), formatLsn(endLsn)],
      );
      const wal = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, fromLsn, endLsn);
      const records: ParsedRecord[] = [];
      const parser = new WalParser({
        timeline: 1,
        segmentBytes: SEGMENT_BYTES,
        systemIdentifier: await server.systemIdentifier(),
        startLsn: wal.startLsn,
        atRecord: false,
        onRecord: (record) => {
          const { mainDataBytes, blocks } = record.fragments();
          const { lsn, previousLsn, xid, resourceManager, totalLength } = record;
          records.push({ lsn, previousLsn, xid, manager: resourceManager, totalLength, mainDataBytes, blocks });
        },
      });
      const events: TransactionEvent[] = [];
      for (let at = 0; at < wal.bytes.length; at += 50_001)
        events.push(...parser.push(wal.bytes.subarray(at, at + 50_001)));

      assert.ok(inspected.length > 5000, `${inspected.length} records`);
      assert.equal(parser.majorVersion, major);
      compareRecords(records, inspected);
      compareEvents(events, inspected);
      const prepared = await server.query(
        'SELECT gid, transaction::text::int AS xid FROM pg_prepared_xacts ORDER BY 2',
      );
      const open = listOpen(applyEvents(NOTHING_OPEN, events));
      assert.deepEqual(
        open.map(({ gid, xid }) => ({ gid, xid })),
        prepared,
      );
      assert.deepEqual(
        open.map(({ gid }) => gid),
        [LEFT_PREPARED],
      );
    });
  }
});

function compareRecords(records: readonly ParsedRecord[], inspected: readonly InspectedRecord[]): void {
  for (const [index, expected] of inspected.entries()) {
    const found = records[index];
    assert.ok(found !== undefined, `the record at ${expected.start_lsn} is missing`);
    assert.deepEqual(
      {
        lsn: formatLsn(found.lsn),
        previousLsn: formatLsn(found.previousLsn),
        xid: found.xid,
        manager: found.manager,
        totalLength: found.totalLength,
        mainDataBytes: found.mainDataBytes,
        imageBytes: found.blocks.reduce((sum, block) => sum + block.imageBytes, 0),
        blocks: found.blocks.map(blockText),
      },
      {
        lsn: expected.start_lsn,
        previousLsn: expected.prev_lsn,
        xid: expected.xid,
        manager: expected.rmid,
        totalLength: expected.record_length,
        mainDataBytes: expected.main_data_length,
        imageBytes: expected.fpi_length,
        blocks: blockTexts(expected.block_ref ?? ''),
      },
    );
  }
  assert.equal(records.length, inspected.length);
}

function blockText(block: BlockReference): string {
  const fork = ['main', 'fsm', 'vm', 'init'][block.fork];
  return `${block.tablespaceOid}/${block.databaseOid}/${block.relationNumber} ${fork} ${block.block}`;
}

function blockTexts(text: string): string[] {
  return [...text.matchAll(/rel (\d+\/\d+\/\d+)(?: fork (\w+))? blk (\d+)/g)].map(
    ([, relation, fork, block]) => `${relation} ${fork ?? 'main'} ${block}`,
  );
}

function compareEvents(all: readonly TransactionEvent[], inspected: readonly InspectedRecord[]): void {
  // Others are not of the transaction resource manager's records.
  const events = all.filter(({ kind }) => kind !== 'decision-row' && kind !== 'restart');
  const expected = inspected.filter(({ rmid, record_type }) => rmid === 1 && record_type in KINDS);
  assert.deepEqual(
    events.map(({ kind, lsn, previousLsn }) => [kind, formatLsn(lsn), formatLsn(previousLsn)]),
    expected.map((record) => [KINDS[record.record_type], record.start_lsn, record.prev_lsn]),
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
