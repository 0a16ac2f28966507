import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { snapshotAt } from '../../../../shared/any-time/snapshot-at.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { INSTANT_WITHIN_US } from '../../../../shared/cuts/latest-instant.ts';
import { formatLsn, lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import { segmentStart } from '../../../../shared/postgres/wal-segment.ts';
import { historyPath, snapshotPath } from '../../../../shared/repository/layout.ts';
import { SnapshotCatalogue } from '../../../../shared/repository/snapshot-catalogue.ts';
import { encodeSnapshot, type Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import type { ClockReading } from '../../../../shared/wal/clock-reading.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { formatTimestamp, hybridTimestamp } from '../../../../shared/timestamp/hybrid-timestamp.ts';
import { assertTrueCut } from '../cuts/assert-true-cut.ts';
import { computeAtTime, momentOf } from '../cuts/compute-at-time.ts';
import { START_US, timedHistoryArbitrary, type TimedEvent, type TimedHistory } from '../cuts/simulated-clocks.ts';
import { MadeCopy } from '../verification/made-copy.ts';
import { RECORD_BYTES, SEGMENT_BYTES, systemOf, writeStream, type MadeStream } from './made-files.ts';

/** Bytes of WAL for one byte of the simulated history: nearly every event has a segment of its own. */
const SCALE = 9_000n;
const BEGIN = 0x100_0000n;

/** Stretches a history's positions over segments. Records stay as short as they are. */
function stretch(position: Lsn): Lsn {
  return lsn(BEGIN + (position - 1_000n) * SCALE);
}

function stretched(history: TimedHistory): TimedHistory {
  return {
    ...history,
    events: history.events.map((event) => ({
      ...event,
      lsn: stretch(event.lsn),
      previousLsn: stretch(event.previousLsn),
    })),
    readings: new Map(
      [...history.readings].map(([node, readings]) => [
        node,
        readings.map((reading) => ({ ...reading, atLsn: stretch(reading.atLsn) })),
      ]),
    ),
  };
}

/** @param fork the first node fails over after so many of its events; what its old server wrote then never happened */
function copyOf(history: TimedHistory, fork: number | null = null): MadeCopy {
  const copy = new MadeCopy();
  for (const node of history.nodes) {
    const own = history.events.filter((event) => event.node === node);
    const last = own.at(-1)?.lsn ?? lsn(BEGIN);
    const stream: MadeStream = {
      node,
      timeline: 1,
      startLsn: lsn(BEGIN),
      endLsn: lsn(last + 80n * SCALE),
      records: [
        stretch(lsn(1_010n)),
        stretch(lsn(1_020n)),
        ...own.flatMap(({ lsn: at }) => [at, lsn(at + 50n * SCALE)]),
      ],
      events: [firstEvent(history, node), ...own.map(wholeEvent)],
      readings: history.readings.get(node) ?? [],
    };
    const before = node === history.nodes[0] && fork !== null ? own[fork % Math.max(1, own.length)] : undefined;
    if (before === undefined) writeStream(copy.objects, stream);
    else failOver(copy, stream, lsn(before.lsn + 90n * SCALE), own);
  }
  return copy;
}

function wholeEvent(event: TimedEvent): TransactionEvent {
  return {
    kind: event.kind,
    lsn: event.lsn,
    endLsn: lsn(event.lsn + RECORD_BYTES),
    previousLsn: event.previousLsn,
    xid: event.xid,
    databaseOid: 5,
    timeUs: BigInt(event.nodeTimeUs),
    subxids: [],
    ...(event.kind === 'prepare' ? { gid: `t${event.transaction}` } : {}),
  };
}

/** The old timeline goes on for a while with commits that are lost; the new one begins with a copy of the segment that holds the fork. */
function failOver(copy: MadeCopy, stream: MadeStream, forkLsn: Lsn, own: readonly TimedEvent[]): void {
  const held = stream.events.filter(({ lsn: at }) => at < forkLsn);
  const from = held.at(-1);
  assert(from !== undefined);
  const open = own.filter(
    (event) =>
      event.kind === 'prepare' &&
      event.lsn < forkLsn &&
      !held.some(({ xid, kind }) => xid === event.xid && kind !== 'prepare'),
  );
  const lost = [from, ...open].map(({ xid }, index): TransactionEvent => {
    const at = lsn(forkLsn + 1_000n + BigInt(index) * 100n);
    return { ...from, kind: index === 0 ? 'commit' : 'commit-prepared', lsn: at, endLsn: lsn(at + RECORD_BYTES), xid };
  });
  const isOld = (at: Lsn) => at < forkLsn;
  const end = lsn(forkLsn + 10_000n);
  writeStream(copy.objects, {
    ...stream,
    endLsn: end,
    events: [...held, ...lost],
    records: [...stream.records.filter(isOld), ...lost.map((event) => event.lsn)],
    readings: stream.readings.filter(({ atLsn }) => isOld(atLsn)),
  });
  writeStream(copy.objects, {
    ...stream,
    timeline: 2,
    startLsn: segmentStart(forkLsn, SEGMENT_BYTES),
    endLsn: stream.endLsn > forkLsn ? stream.endLsn : end,
  });
  const history = `1\t${formatLsn(forkLsn)}\tno recovery target specified\n`;
  copy.objects.set(historyPath(stream.node, systemOf(stream.node), 2), Buffer.from(history));
}

/** One node, which first prepares a branch that nobody ends and then commits once a millisecond. */
function oneOpenBranch(count: number): TimedHistory {
  const events = Array.from({ length: count }, (_, index): TimedEvent => {
    const us = START_US + index * 1_000;
    const position = 1_100n + BigInt(index) * 100n;
    return {
      node: 'n0',
      kind: index === 0 ? 'prepare' : 'commit',
      lsn: lsn(position),
      previousLsn: lsn(position - 50n),
      xid: 700 + index,
      transaction: index === 0 ? 0 : -1,
      nodeTimeUs: us,
      recordedUs: us,
      insertedUs: us,
    };
  });
  const readings = events.map(({ lsn: atLsn, nodeTimeUs }): ClockReading => ({
    atLsn,
    nodeTimeUs: BigInt(nodeTimeUs),
    offsetUs: 0n,
    uncertaintyUs: 50n,
    coordinatorId: 'east',
    term: 1n,
  }));
  return { nodes: ['n0'], events, readings: new Map([['n0', readings]]), endUs: START_US + count * 1_000 };
}

/** From before everything, so that the WAL is held from there on. */
function firstEvent(history: TimedHistory, node: string): TransactionEvent {
  const [reading] = history.readings.get(node) ?? [];
  const timeUs = (reading?.nodeTimeUs ?? 0n) - 10_000n;
  const position = stretch(lsn(1_020n));
  return {
    kind: 'commit',
    lsn: position,
    endLsn: lsn(position + RECORD_BYTES),
    previousLsn: stretch(lsn(1_010n)),
    xid: 3,
    databaseOid: 5,
    timeUs,
    subxids: [],
  };
}

async function at(copy: MadeCopy, momentUs: number, options: { lookBackUs?: number } = {}): Promise<Snapshot> {
  return await snapshotAt(
    { repository: copy, catalogue: new SnapshotCatalogue(copy), match: ['same'], ...options },
    momentUs,
  );
}

/** The snapshot that a collect would have declared: computed, with the clocks that were read after it. */
function declare(copy: MadeCopy, history: TimedHistory, computed: Snapshot): boolean {
  const id = formatTimestamp(hybridTimestamp(Number(computed.timeUs / 1000n)));
  const nodes = computed.nodes.flatMap((node) => {
    const clock = history.readings
      .get(node.node)
      ?.find((reading) => reading.nodeTimeUs + reading.offsetUs - reading.uncertaintyUs > computed.timeUs);
    if (clock === undefined) return [];
    const { nodeTimeUs, offsetUs, uncertaintyUs, atLsn } = clock;
    return [{ ...node, sampledLsn: atLsn, clock: { nodeTimeUs, offsetUs, uncertaintyUs } }];
  });
  if (nodes.length < computed.nodes.length) return false;
  copy.objects.set(snapshotPath(id), encodeSnapshot({ ...computed, id, nodes }));
  return true;
}

function assertSound(history: TimedHistory, momentUs: number, found: Snapshot): void {
  assert.equal(Number(found.timeUs), momentUs);
  assertTrueCut(history, momentUs, found, found.class);
  for (const node of found.nodes) {
    assert.equal(node.systemIdentifier, systemOf(node.node));
    assert.equal(node.walSegmentBytes, SEGMENT_BYTES);
    assert(node.walEndLsn > node.targetLsn);
  }
}

/** The moment before it that a snapshot says is causal is so. */
async function assertCausalBefore(
  copy: MadeCopy,
  history: TimedHistory,
  found: Snapshot,
  lookBackUs: number,
): Promise<boolean> {
  if (found.causalBeforeUs === undefined) return false;
  const beforeUs = Number(found.causalBeforeUs);
  assert.equal(found.class.kind, 'bounded');
  assert(beforeUs < Number(found.timeUs) && beforeUs >= Number(found.timeUs) - INSTANT_WITHIN_US);
  const before = await at(copy, beforeUs, { lookBackUs });
  assert.equal(before.class.kind, 'causal');
  assertSound(history, beforeUs, before);
  return true;
}

/** Short, so that most histories are begun in the middle; a fifth of it is more than records are out of order by. */
const lookBacks = fc.constantFrom(4_500, 12_000);
const parts = fc.double({ min: 0, max: 1, noNaN: true });

describe('a snapshot at a time', () => {
  it('is computed from indexes and journals', async () => {
    let computed = 0;
    let causalBefore = 0;
    await fc.assert(
      fc.asyncProperty(timedHistoryArbitrary({ steps: true }), parts, lookBacks, async (small, part, lookBackUs) => {
        const history = stretched(small);
        const momentUs = momentOf(history, part);
        const expected = computeAtTime(small, momentUs, null);
        const copy = copyOf(history);
        // Fewer readings are kept than there were.
        // Short enough to begin in the middle of most histories.
        const found = await at(copy, momentUs, { lookBackUs }).catch((error: unknown) => error as TidemarkError);
        if (found instanceof TidemarkError) {
          assert.equal(found.code, 'TM-SNAP-004');
          assert(part > 0.8 || expected === null || found.message.includes('is held from'), found.message);
          return;
        }
        computed++;
        assertSound(history, momentUs, found);
        if (await assertCausalBefore(copy, history, found, lookBackUs)) causalBefore++;
      }),
      { numRuns: 60 },
    );
    assert(computed > 5, `only ${computed} were computed`);
    assert(causalBefore > 0, 'none named a moment before it');
  });

  it('follows a node over a failover, and takes nothing of what it lost', async () => {
    let computed = 0;
    await fc.assert(
      fc.asyncProperty(timedHistoryArbitrary(), parts, fc.nat(30), lookBacks, async (small, part, fork, lookBackUs) => {
        const history = stretched(small);
        const copy = copyOf(history, fork);
        const momentUs = momentOf(history, part);
        const found = await at(copy, momentUs, { lookBackUs }).catch((error: unknown) => error as TidemarkError);
        if (found instanceof TidemarkError) {
          assert.equal(found.code, 'TM-SNAP-004', found.message);
          return;
        }
        computed++;
        assertSound(history, momentUs, found);
      }),
      { numRuns: 60 },
    );
    assert(computed > 5, `only ${computed} were computed`);
  });

  it('knows what is open where it begins, also in the segment of a failover', async () => {
    const history = stretched(oneOpenBranch(40));
    for (let fork = 4; fork < 12; fork++) {
      const copy = copyOf(history, fork);
      for (let after = 12; after < 17; after++) {
        const { inDoubt } = await at(copy, START_US + (fork + after) * 1_000, { lookBackUs: 12_000 });
        assert.deepEqual(
          inDoubt.map(({ xid }) => xid),
          [700],
          `fork ${fork}, ${after} ms after it`,
        );
      }
    }
  });

  it('goes on from a snapshot', async () => {
    let computed = 0;
    await fc.assert(
      fc.asyncProperty(timedHistoryArbitrary(), parts, parts, async (small, early, late) => {
        const history = stretched(small);
        const copy = copyOf(history);
        const baseUs = momentOf(history, Math.min(early, late));
        const momentUs = momentOf(history, Math.max(early, late));
        let found: Snapshot;
        try {
          const base = await at(copy, Math.floor(baseUs / 1000) * 1000);
          fc.pre(declare(copy, history, base));
          // What lies before the snapshot is not needed any more.
          found = await at(copy, momentUs);
        } catch (error) {
          fc.pre((error as { code?: string }).code !== 'TM-SNAP-004');
          throw error;
        }
        computed++;
        assertSound(history, momentUs, found);
        assert.equal((await at(copy, momentUs)).id, found.id);
      }),
      { numRuns: 50 },
    );
    assert(computed > 3, `only ${computed} were computed`);
  });
});
