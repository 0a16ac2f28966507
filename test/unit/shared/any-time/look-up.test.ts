import assert from 'node:assert/strict';
import { snapshotAt } from '../../../../shared/any-time/snapshot-at.ts';
import type { MatcherChoice } from '../../../../shared/cuts/choose-matchers.ts';
import { formatLsn, lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { segmentStart } from '../../../../shared/postgres/wal-segment.ts';
import { historyPath, snapshotPath } from '../../../../shared/repository/layout.ts';
import { SnapshotCatalogue } from '../../../../shared/repository/snapshot-catalogue.ts';
import { encodeSnapshot, type Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import { formatTimestamp, hybridTimestamp } from '../../../../shared/timestamp/hybrid-timestamp.ts';
import type { TransactionEvent, TransactionEventKind } from '../../../../shared/wal/transaction-event.ts';
import { MadeCopy } from '../verification/made-copy.ts';
import { RECORD_BYTES, SEGMENT_BYTES, systemOf, writeStream, type MadeStream } from './made-files.ts';

const BEGIN = 0x100_0000;
const BEGIN_US = Date.UTC(2026, 10, 22, 12) * 1000;
const SEGMENTS = 60;
const STEP_BYTES = SEGMENT_BYTES / 4;
/** Between two records of a node. */
const STEP_US = 10_000_000;
const STEPS = SEGMENTS * 4 + 2;

type Record = readonly [TransactionEventKind, number, string?];

/** A record every ten seconds, ordinary commits but for some, with a reading of the clock beside each. */
function streamOf(node: string, records: Readonly<{ [step: number]: Record }>): MadeStream {
  const events = Array.from({ length: STEPS }, (_, step): TransactionEvent => {
    const at = BEGIN + 1024 + step * STEP_BYTES;
    const [kind, xid, gid] = records[step] ?? (['commit', 7] as const);
    return {
      kind,
      xid,
      ...(gid === undefined ? {} : { gid }),
      lsn: lsn(BigInt(at)),
      endLsn: lsn(BigInt(at) + RECORD_BYTES),
      previousLsn: lsn(BigInt(at - STEP_BYTES / 2)),
      databaseOid: 5,
      timeUs: BigInt(BEGIN_US + step * STEP_US),
      subxids: [],
    };
  });
  return {
    node,
    timeline: 1,
    startLsn: lsn(BigInt(BEGIN)),
    endLsn: lsn(BigInt(BEGIN + STEPS * STEP_BYTES)),
    events,
    records: events.flatMap((event) => [event.lsn, lsn(event.lsn + BigInt(STEP_BYTES / 2))]),
    readings: events.map((event) => ({
      atLsn: lsn(event.lsn + 500n),
      nodeTimeUs: event.timeUs + 1000n,
      offsetUs: 0n,
      uncertaintyUs: 100n,
      coordinatorId: 'east',
      term: 1n,
    })),
  };
}

async function at(
  copy: MadeCopy,
  step: number,
  match: readonly MatcherChoice[],
  lookBackUs?: number,
): Promise<Snapshot> {
  const catalogue = new SnapshotCatalogue(copy);
  const momentUs = BEGIN_US + step * STEP_US + 5_000_000;
  return await snapshotAt(
    { repository: copy, catalogue, match, ...(lookBackUs === undefined ? {} : { lookBackUs }) },
    momentUs,
  );
}

/** As a collect would have declared it. */
async function snapshotOf(copy: MadeCopy, step: number, match: readonly MatcherChoice[]): Promise<Snapshot> {
  const found = await at(copy, step, match);
  const nodes = found.nodes.map((node) => ({
    ...node,
    sampledLsn: node.walEndLsn,
    clock: { nodeTimeUs: found.timeUs, offsetUs: 0n, uncertaintyUs: 100n },
  }));
  return { ...found, id: formatTimestamp(hybridTimestamp(Number(found.timeUs / 1000n))), nodes, match };
}

async function inDoubt(...asked: Parameters<typeof at>): Promise<string[]> {
  const found = await at(...asked);
  return found.inDoubt.map(({ node, gid, decision }) => `${node} ${gid} ${decision}`);
}

describe('a branch that is in doubt for long before a time', () => {
  const before = STEPS - 6;

  it('ends as its transaction ended, wherever that is told', async () => {
    const copy = new MadeCopy();
    writeStream(copy.objects, streamOf('n0', { 2: ['prepare', 10, 'done'], 4: ['commit-prepared', 10] }));
    writeStream(
      copy.objects,
      streamOf('n1', { 1: ['prepare', 20, 'done'], 3: ['prepare', 21, 'alone'], 200: ['prepare', 22, 'later'] }),
    );
    assert.deepEqual(await inDoubt(copy, before, ['same']), [
      'n1 done commit',
      'n1 alone rollback',
      'n1 later rollback',
    ]);
  });

  it('ends as rows decided', async () => {
    const copy = new MadeCopy();
    const gid = (transaction: number) => `citus_0_9_${transaction}_1`;
    writeStream(
      copy.objects,
      streamOf('n0', {
        2: ['decision-row', 10, gid(1)],
        3: ['decision-row', 11, gid(2)],
        100: ['commit', 10],
        101: ['abort', 11],
      }),
    );
    writeStream(copy.objects, streamOf('n1', { 4: ['prepare', 20, gid(1)], 5: ['prepare', 21, gid(2)] }));
    assert.deepEqual(await inDoubt(copy, before, ['citus']), [`n1 ${gid(1)} commit`, `n1 ${gid(2)} rollback`]);
  });

  it('ends as the snapshot before says, where the WAL that says so is not held', async () => {
    const copy = new MadeCopy();
    writeStream(copy.objects, streamOf('n0', { 2: ['prepare', 10, 'done'], 4: ['commit-prepared', 10] }));
    writeStream(copy.objects, streamOf('n1', { 1: ['prepare', 20, 'done'] }));
    const from = 10;
    const base = await snapshotOf(copy, from * 4 + 1, ['same']);
    assert.deepEqual(await inDoubt(copy, from * 4 + 9, ['same'], 100_000_000), ['n1 done commit']);
    copy.objects.set(snapshotPath(base.id), encodeSnapshot(base));
    assert.deepEqual(await inDoubt(copy, before, ['same']), ['n1 done commit']);
    for (const path of copy.objects.keys()) {
      const segment = /\/0000000100000000([0-9A-F]{8})\./.exec(path)?.[1];
      if (segment !== undefined && Number.parseInt(segment, 16) * SEGMENT_BYTES < BEGIN + from * SEGMENT_BYTES)
        copy.objects.delete(path);
    }
    for (const step of [from * 4 + 9, before]) {
      assert.deepEqual(await inDoubt(copy, step, ['same'], 100_000_000), ['n1 done commit'], `${step}`);
    }
  });

  it('is known where reading begins in the segment in which a timeline ended', async () => {
    const copy = new MadeCopy();
    const stream = streamOf('n0', { 1: ['prepare', 10, 'open'] });
    // The old timeline ends in the segment at which reading of the moment begins, and has no index of it.
    const begins = SEGMENTS - 1;
    const forkLsn = lsn(BigInt(BEGIN + begins * SEGMENT_BYTES + 4096));
    const isOld = (at: Lsn) => at < forkLsn;
    writeStream(copy.objects, {
      ...stream,
      endLsn: forkLsn,
      events: stream.events.filter((event) => isOld(event.lsn)),
      records: stream.records.filter(isOld),
      readings: stream.readings.filter(({ atLsn }) => isOld(atLsn)),
    });
    const second = new MadeCopy();
    writeStream(second.objects, { ...stream, timeline: 2 });
    const from = begins * SEGMENT_BYTES + BEGIN;
    for (const [path, content] of second.objects) {
      const segment = /\/0000000200000000([0-9A-F]{8})\./.exec(path)?.[1];
      if (segment !== undefined && Number.parseInt(segment, 16) * SEGMENT_BYTES >= from)
        copy.objects.set(path, content);
    }
    const history = `1\t${formatLsn(forkLsn)}\tno recovery target specified\n`;
    copy.objects.set(historyPath('n0', systemOf('n0'), 2), Buffer.from(history));
    for (let step = begins * 4; step < STEPS - 1; step++) {
      assert.deepEqual(await inDoubt(copy, step, ['same']), ['n0 open rollback'], `${step}`);
    }
  });
});

describe('what a failover took back', () => {
  it('is not gone on from, though a snapshot was taken of it', async () => {
    const fork = 100;
    const tail = 105;
    const lateUs = 30_000_000n;
    const stream = streamOf('n0', { [fork]: ['prepare', 10, 'x'], [fork + 2]: ['commit-prepared', 10] });
    const forkLsn = lsn(BigInt(BEGIN + (fork + 1) * STEP_BYTES));
    const late = (at: Lsn) => (at > forkLsn ? lateUs : 0n);
    const old = streamOf('n0', { [fork]: ['prepare', 10, 'x'] });
    const endLsn = lsn(BigInt(BEGIN + tail * STEP_BYTES));
    const copy = new MadeCopy();
    writeStream(copy.objects, {
      ...old,
      endLsn,
      events: old.events.filter((event) => event.lsn < endLsn),
      records: old.records.filter((at) => at < endLsn),
      readings: old.readings.filter(({ atLsn }) => atLsn < endLsn),
    });
    writeStream(copy.objects, streamOf('n1', { [fork]: ['prepare', 20, 'x'] }));
    const base = await snapshotOf(copy, tail - 2, ['same']);
    assert.deepEqual(
      base.inDoubt.map(({ node, decision }) => `${node} ${decision}`),
      ['n0 rollback', 'n1 rollback'],
    );
    copy.objects.set(snapshotPath(base.id), encodeSnapshot(base));
    writeStream(copy.objects, {
      ...stream,
      timeline: 2,
      startLsn: segmentStart(forkLsn, SEGMENT_BYTES),
      events: stream.events.map((event) => ({ ...event, timeUs: event.timeUs + late(event.lsn) })),
      readings: stream.readings.map((reading) => ({
        ...reading,
        nodeTimeUs: reading.nodeTimeUs + late(reading.atLsn),
      })),
    });
    const history = `1\t${formatLsn(forkLsn)}\tno recovery target specified\n`;
    copy.objects.set(historyPath('n0', systemOf('n0'), 2), Buffer.from(history));
    assert.deepEqual(await inDoubt(copy, tail - 1, ['same']), ['n0 x rollback', 'n1 x rollback']);
    for (const step of [tail + 1, tail + 3, tail + 30]) {
      assert.deepEqual(await inDoubt(copy, step, ['same']), ['n1 x commit'], `${step}`);
    }
  });
});
