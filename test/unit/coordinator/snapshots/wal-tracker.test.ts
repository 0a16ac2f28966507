import assert from 'node:assert/strict';
import type { WalPosition, WalSource } from '../../../../coordinator/journal/wal-positions.ts';
import { Wakeup } from '../../../../coordinator/journal/wakeup.ts';
import { WalTracker } from '../../../../coordinator/snapshots/wal-tracker.ts';
import type { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { TimelineAncestor } from '../../../../shared/postgres/timeline-history.ts';
import type { Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import { joinLsnRanges, type LsnRange } from '../../../../shared/wal/lsn-range.ts';
import type { ChangeSet, WalStreamKey } from '../../../../shared/wal/change-set.ts';
import type { TransactionEvent, TransactionEventKind } from '../../../../shared/wal/transaction-event.ts';
import { waitFor } from '../../../support/wait-for.ts';

/** Segments of 1000 bytes with records of 100. */
const SEGMENT_BYTES = 1000n;
const RECORD_BYTES = 100n;

type Records = Readonly<Record<number, readonly [TransactionEventKind, number]>>;

/** WAL of one node, each timeline from a segment's start on; what a record is, is said by its start. */
class MadeWal implements WalSource {
  readonly #timelines = new Map<number, ChangeSet[]>();
  readonly #grown = new Wakeup();
  current = 1;
  readonly ancestors: TimelineAncestor[] = [];
  gaps: readonly LsnRange[] = [];

  stream(timeline = this.current): WalStreamKey {
    return { node: 'a', systemIdentifier: '7', timeline };
  }

  /** One change set. @param seeds where the reading began: the xids of what pg_prepared_xacts showed */
  add(
    timeline: number,
    fromLsn: number,
    endLsn: number,
    records: Records = {},
    seeds: readonly number[] | null = null,
  ): void {
    const at = lsn(BigInt(fromLsn));
    const place = { lsn: at, endLsn: at, previousLsn: at, databaseOid: 5, timeUs: 1n, subxids: [], seeded: true };
    const seeded: TransactionEvent[] =
      seeds === null
        ? []
        : [
            { ...place, kind: 'beginning', xid: 0 },
            ...seeds.map((xid): TransactionEvent => ({ ...place, kind: 'prepare', xid, gid: `g${xid}` })),
          ];
    const events = Object.entries(records).map(([at, [kind, xid]]): TransactionEvent => ({
      kind,
      lsn: lsn(BigInt(at)),
      endLsn: lsn(BigInt(at) + RECORD_BYTES),
      previousLsn: lsn(BigInt(at) - RECORD_BYTES),
      xid,
      databaseOid: 5,
      ...(kind === 'prepare' ? { gid: `g${xid}` } : {}),
      timeUs: BigInt(at),
      subxids: [],
    }));
    const held = this.#timelines.get(timeline) ?? [];
    this.#timelines.set(timeline, held);
    held.push({
      timeline,
      startLsn: lsn(BigInt(fromLsn)),
      endLsn: lsn(BigInt(endLsn)),
      nextRecordLsn: lsn(BigInt(endLsn)),
      lastRecordLsn: lsn(BigInt(endLsn) - RECORD_BYTES),
      frame: Buffer.alloc(0),
      frameCrc32: 0,
      contentSha256: Buffer.alloc(32),
      events: [...seeded, ...events],
      changedBlocks: Buffer.alloc(0),
      clocks: [],
    });
    this.#grown.wake();
  }

  /** The node goes on on another timeline. */
  leave(switchLsn: number, next: number): void {
    this.ancestors.push({ timeline: this.current, switchLsn: lsn(BigInt(switchLsn)) });
    this.current = next;
  }

  positions(): readonly WalPosition[] {
    return [...this.#timelines.keys()].flatMap((timeline) => this.position(this.stream(timeline)) ?? []);
  }

  position(stream: WalStreamKey): WalPosition | null {
    const held = this.#timelines.get(stream.timeline);
    const first = held?.[0];
    const last = held?.at(-1);
    if (first === undefined || last === undefined) return null;
    const { endLsn: durableLsn, nextRecordLsn, lastRecordLsn } = last;
    const segmentBytes = Number(SEGMENT_BYTES);
    const runs = joinLsnRanges(held ?? []);
    return { stream, segmentBytes, firstLsn: first.startLsn, runs, durableLsn, nextRecordLsn, lastRecordLsn };
  }

  async *read(stream: WalStreamKey, fromLsn: Lsn, signal: AbortSignal): AsyncGenerator<ChangeSet, void> {
    const held = this.#timelines.get(stream.timeline) ?? [];
    for (let index = 0; ; index++) {
      while (held.length <= index) {
        if (signal.aborted) return;
        await this.#grown.wait(signal);
      }
      const changeSet = held[index];
      if (changeSet !== undefined && changeSet.endLsn > fromLsn) yield changeSet;
    }
  }

  onAppended(): () => void {
    return () => {};
  }
}

async function tracking(
  wal: MadeWal,
  work: (tracker: WalTracker, problems: string[]) => Promise<void>,
  startFrom: Snapshot | null = null,
): Promise<void> {
  const problems: string[] = [];
  const tracker = new WalTracker({
    wal,
    clock: { ...systemClock, sleep: (_, signal) => systemClock.sleep(1, signal) },
    streams: () => [wal.stream()],
    history: async ({ timeline }) => ({
      timeline,
      ancestors: wal.ancestors.filter((ancestor) => ancestor.timeline < timeline),
    }),
    gaps: async () => wal.gaps,
    startFrom,
    onProblem: (_, error) => problems.push((error as TidemarkError).code),
  });
  const stop = new AbortController();
  const running = tracker.run(stop.signal);
  try {
    await work(tracker, problems);
  } finally {
    stop.abort();
    await running;
  }
}

async function untilRead(tracker: WalTracker, timeline: number, position: number): Promise<void> {
  await waitFor(`timeline ${timeline} is read to ${position}`, () => {
    const node = tracker.node('a');
    return node?.stream.timeline === timeline && node.readLsn >= BigInt(position);
  });
}

function branches(tracker: WalTracker): string[] {
  return [...(tracker.node('a')?.history.branches() ?? [])].map(
    ({ gid, end, lost }) => `${gid} ${lost ? 'lost' : (end?.kind ?? 'open')}`,
  );
}

describe('the WAL tracker', () => {
  it('goes over to the next timeline although nothing more comes on the old one', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500, { 1100: ['prepare', 1], 1200: ['prepare', 2], 1300: ['commit-prepared', 1] });
    await tracking(wal, async (tracker) => {
      await untilRead(tracker, 1, 1500);
      wal.leave(1500, 2);
      // The segment's beginning is the same on both.
      wal.add(2, 1000, 1900, {
        1100: ['prepare', 1],
        1200: ['prepare', 2],
        1300: ['commit-prepared', 1],
        1600: ['commit-prepared', 2],
      });
      await untilRead(tracker, 2, 1900);
      assert.deepEqual(branches(tracker), ['g1 commit', 'g2 commit']);
      assert.deepEqual(tracker.node('a')?.history.orphans(), []);
    });
  });

  it('takes back what lay behind the fork, and names no position of it', async () => {
    const wal = new MadeWal();
    const both: Records = { 1100: ['prepare', 1], 1200: ['prepare', 5], 1300: ['commit-prepared', 5] };
    wal.add(1, 1000, 1900, { ...both, 1600: ['commit-prepared', 1], 1700: ['prepare', 3] });
    await tracking(wal, async (tracker) => {
      await untilRead(tracker, 1, 1900);
      wal.leave(1500, 2);
      wal.add(2, 1000, 1700, both);
      await untilRead(tracker, 2, 1700);
      tracker.beginCollect();
      assert.deepEqual(branches(tracker).sort(), ['g1 open', 'g3 lost', 'g5 commit']);
      assert.equal(tracker.node('a')?.positionAt(lsn(1700n))?.targetLsn, 1600n);
    });
  });

  it('goes over all timelines between, each up to where the next one left it', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1900, { 1100: ['prepare', 1], 1600: ['commit-prepared', 1] });
    await tracking(wal, async (tracker) => {
      await untilRead(tracker, 1, 1900);
      wal.leave(1500, 2);
      wal.add(2, 1000, 2500, { 1100: ['prepare', 1], 1700: ['prepare', 2] });
      wal.leave(2300, 3);
      wal.add(3, 2000, 2800, { 2400: ['rollback-prepared', 1] });
      await untilRead(tracker, 3, 2800);
      assert.deepEqual(branches(tracker).sort(), ['g1 rollback', 'g2 open']);
    });
  });

  it('begins with the oldest timeline from which on nothing is missing', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500, { 1100: ['prepare', 1] });
    wal.leave(1500, 2);
    wal.add(2, 3000, 3900, { 3300: ['prepare', 2] });
    wal.leave(3900, 3);
    wal.add(3, 3000, 3950, { 3300: ['prepare', 2] });
    await tracking(wal, async (tracker) => {
      await untilRead(tracker, 3, 3950);
      assert.deepEqual(branches(tracker), ['g2 open']);
    });
    wal.ancestors.splice(0, wal.ancestors.length, { timeline: 1, switchLsn: lsn(1500n) });
    wal.add(4, 1000, 1800, { 1100: ['prepare', 1], 1600: ['commit-prepared', 1] });
    wal.current = 4;
    await tracking(wal, async (tracker) => {
      await untilRead(tracker, 4, 1800);
      assert.deepEqual(branches(tracker), ['g1 commit']);
    });
  });

  it('does not go over before what lies between is here', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500);
    await tracking(wal, async (tracker, problems) => {
      await untilRead(tracker, 1, 1500);
      wal.leave(2500, 2);
      wal.add(2, 2000, 2800);
      await waitFor('it says so', () => problems.includes('TM-WAL-003'));
      assert.equal(tracker.node('a')?.stream.timeline, 1);
      wal.add(1, 1500, 2500, { 1600: ['prepare', 1] });
      await untilRead(tracker, 2, 2800);
      assert.deepEqual(branches(tracker), ['g1 open']);
    });
  });

  it('goes over a hole: what is open behind it is seeded, what is not has ended there, nobody knows how', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500, { 1100: ['prepare', 1], 1200: ['prepare', 2], 1300: ['prepare', 3] });
    await tracking(wal, async (tracker, problems) => {
      await untilRead(tracker, 1, 1500);
      const node = tracker.node('a');
      tracker.beginCollect();
      tracker.markBarrier(new Map([['a', { beforeLsn: lsn(1100n), afterLsn: lsn(1400n) }]]));
      wal.add(1, 5000, 5500, { 5100: ['commit-prepared', 3], 5200: ['commit-prepared', 9] }, [1, 4]);
      await untilRead(tracker, 1, 5500);
      assert.deepEqual(branches(tracker).sort(), ['g1 open', 'g3 commit', 'g4 open']);
      assert.deepEqual(node?.history.orphans(), [], 'the PREPARE of 9 may lie in the hole');
      assert.deepEqual(problems, ['TM-WAL-003']);
      assert.equal(node?.heldFromLsn, 5000n);
      assert.equal(node.beforeCollectLsn, null);
      assert.equal(node.positionAt(lsn(5200n))?.targetLsn, 5100n);
      assert.equal(node.eventsIn(lsn(1000n), lsn(5000n)).any, false);
      assert.equal(node.history.gapBeforeBarrier, Infinity);
      tracker.markBarrier(new Map([['a', { beforeLsn: lsn(5300n), afterLsn: lsn(5400n) }]]));
      assert.equal(node.history.gapBeforeBarrier, 3);
      assert.ok(node.forgetsAfter(lsn(4000n)), 'a failover to a place before it cannot be followed');
    });
  });

  it('goes over a gap that was filled like over one that was not: nobody read the record that crosses its end', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500, { 1100: ['prepare', 1], 1200: ['prepare', 2] }, []);
    wal.add(1, 1500, 5000, { 1600: ['prepare', 3] });
    wal.add(1, 5000, 5500, {}, [1]);
    await tracking(wal, async (tracker, problems) => {
      await untilRead(tracker, 1, 5500);
      assert.deepEqual(branches(tracker), ['g1 open'], 'one of the others ended in the record at 4950');
      assert.equal(tracker.node('a')?.heldFromLsn, 5000n);
      assert.equal(tracker.node('a')?.history.gapBeforeBarrier, Infinity);
      assert.deepEqual(problems, []);
    });
  });

  it('keeps what a snapshot decided over a branch that is open on both sides of a hole', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500);
    wal.add(1, 5000, 5500, {}, [1]);
    const cut = { node: 'a', systemIdentifier: '7', timeline: 1, targetLsn: lsn(1300n), walEndLsn: lsn(1400n) };
    const doubt = { node: 'a', gid: 'g1', xid: 1, databaseOid: 5, prepareLsn: lsn(900n), preparedAtUs: 1n };
    const start = {
      nodes: [{ ...cut, walSegmentBytes: 1000, sampledLsn: lsn(1400n), sampled: true }],
      inDoubt: [{ ...doubt, decision: 'commit' }],
    } as unknown as Snapshot;
    await tracking(
      wal,
      async (tracker) => {
        await untilRead(tracker, 1, 5500);
        const [branch] = tracker.node('a')?.history.branches() ?? [];
        assert.equal(branch?.decidedCommit, true);
        assert.equal(branch.prepareLsn, 900n);
      },
      start,
    );
  });

  it('goes over to a timeline whose beginning is missing once that was declared', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1500, { 1100: ['prepare', 1] });
    await tracking(wal, async (tracker, problems) => {
      await untilRead(tracker, 1, 1500);
      wal.leave(2500, 2);
      wal.add(2, 4000, 4800, {}, [1]);
      await waitFor('it waits', () => problems.includes('TM-WAL-003'));
      assert.equal(tracker.node('a')?.stream.timeline, 1);
      wal.gaps = [{ startLsn: lsn(1500n), endLsn: lsn(4000n) }];
      await untilRead(tracker, 2, 4800);
      assert.deepEqual(branches(tracker), ['g1 open']);
    });
  });

  it('says when a timeline takes back what was settled', async () => {
    const wal = new MadeWal();
    wal.add(1, 1000, 1900, { 1100: ['prepare', 1], 1600: ['commit-prepared', 1] });
    await tracking(wal, async (tracker) => {
      await untilRead(tracker, 1, 1900);
      tracker.settle(new Set(tracker.node('a')?.history.branches()));
      wal.leave(1500, 2);
      wal.add(2, 1000, 1700, { 1100: ['prepare', 1] });
      await waitFor('it is outdated', () => tracker.outdated);
    });
  });
});
