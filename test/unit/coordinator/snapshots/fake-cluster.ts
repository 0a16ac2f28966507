import type { LeaderDuty } from '../../../../coordinator/election/leader-duty.ts';
import type { Leadership } from '../../../../coordinator/coordination/coordination.ts';
import type { WalPosition, WalSource } from '../../../../coordinator/journal/wal-positions.ts';
import { SnapshotService, type SnapshotServiceOptions } from '../../../../coordinator/snapshots/snapshot-service.ts';
import type { PastEvents } from '../../../../shared/any-time/past-events.ts';
import type { ScannedEvent } from '../../../../shared/cuts/time-scan.ts';
import { sameGidMatcher } from '../../../../shared/cuts/branch-matcher.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { lsn, NO_LSN, type Lsn } from '../../../../shared/postgres/lsn.ts';
import type { Repository } from '../../../../shared/repository/repository.ts';
import type { Snapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import { hybridTimestamp } from '../../../../shared/timestamp/hybrid-timestamp.ts';
import type { ChangeSet, WalStreamKey } from '../../../../shared/wal/change-set.ts';
import type { TransactionEvent, TransactionEventKind } from '../../../../shared/wal/transaction-event.ts';

/** Of one record; there are no others, so a record's start names its place. */
const RECORD_BYTES = 100n;
const START = lsn(1n << 24n);

interface FakeNode {
  readonly stream: WalStreamKey;
  readonly changeSets: ChangeSet[];
  insertLsn: Lsn;
  acknowledgedLsn: Lsn;
  silent: boolean;
  synchronous: boolean;
  /** Records that are inserted but not sent yet. */
  readonly unsent: { readonly lsn: Lsn; readonly event: TransactionEvent | null }[];
  /** Whether WAL waits until a sample asks for a flush. */
  lazy: boolean;
}

/** A cluster whose nodes write what a test says, and everything that a snapshot service meets, in memory. */
export class FakeCluster implements WalSource {
  readonly nodes = new Map<string, FakeNode>();
  readonly objects = new Map<string, Buffer>();
  readonly observed: string[] = [];
  /** Called before each sample is taken: the history goes on while a collect is under way. */
  beforeSample: (node: string) => void = () => {};
  putFails = false;
  synchronousUntilSilence = false;
  samples = 0;
  pastReadings = 0;
  /** Between two records. */
  stepMs = 1;
  #wakeups = new Set<() => void>();
  #ms = Date.UTC(2026, 10, 22);

  constructor(...names: string[]) {
    for (const node of names) {
      this.nodes.set(node, {
        stream: { node, systemIdentifier: `7${names.indexOf(node)}`, timeline: 1 },
        changeSets: [],
        insertLsn: START,
        acknowledgedLsn: NO_LSN,
        silent: false,
        synchronous: false,
        unsent: [],
        lazy: false,
      });
      this.write(node, 'other');
    }
  }

  node(name: string): FakeNode {
    const node = this.nodes.get(name);
    if (node === undefined) {
      throw new Error(`no node ${name}`);
    }
    return node;
  }

  /** Writes one record, and sends it unless the node is lazy. Returns its start. */
  write(name: string, kind: TransactionEventKind | 'other', xid = 0, gid = ''): Lsn {
    const node = this.node(name);
    const at = node.insertLsn;
    node.insertLsn = lsn(at + RECORD_BYTES);
    const event: TransactionEvent | null =
      kind === 'other'
        ? null
        : {
            kind,
            lsn: at,
            endLsn: node.insertLsn,
            previousLsn: lsn(at - RECORD_BYTES),
            xid,
            databaseOid: 5,
            ...(gid === '' ? {} : { gid }),
            timeUs: BigInt((this.#ms += this.stepMs)) * 1000n,
            subxids: [],
          };
    node.unsent.push({ lsn: at, event });
    if (!node.lazy) {
      this.send(name);
    }
    return at;
  }

  /** Delivers what was not sent yet as one change set. */
  send(name: string): void {
    const node = this.node(name);
    const [first] = node.unsent;
    const last = node.unsent.at(-1);
    if (first === undefined || last === undefined) {
      return;
    }
    node.changeSets.push({
      timeline: 1,
      startLsn: first.lsn,
      endLsn: node.insertLsn,
      nextRecordLsn: node.insertLsn,
      lastRecordLsn: last.lsn,
      frame: Buffer.alloc(0),
      frameCrc32: 0,
      contentSha256: Buffer.alloc(32),
      events: node.unsent.flatMap(({ event }) => (event === null ? [] : [event])),
      changedBlocks: Buffer.alloc(0),
      clocks: [],
    });
    node.unsent.length = 0;
    node.acknowledgedLsn = node.insertLsn;
    this.wake();
  }

  wake(): void {
    for (const wakeup of this.#wakeups) {
      wakeup();
    }
  }

  positions(): readonly WalPosition[] {
    return [...this.nodes.values()].map(({ stream, insertLsn }) => ({
      stream,
      segmentBytes: 1 << 20,
      firstLsn: START,
      runs: [{ startLsn: START, endLsn: insertLsn }],
      durableLsn: insertLsn,
      nextRecordLsn: insertLsn,
      lastRecordLsn: lsn(insertLsn - RECORD_BYTES),
    }));
  }

  position(stream: WalStreamKey): WalPosition | null {
    return this.positions().find((position) => position.stream.node === stream.node) ?? null;
  }

  async *read(stream: WalStreamKey, fromLsn: Lsn, signal: AbortSignal): AsyncIterable<ChangeSet> {
    const { changeSets } = this.node(stream.node);
    for (let index = 0; ; index += 1) {
      await this.#until(() => changeSets.length > index, signal);
      const changeSet = changeSets[index];
      if (changeSet !== undefined && changeSet.endLsn > fromLsn) {
        yield changeSet;
      }
    }
  }

  /** As the index would give it, change set by change set. */
  async *readPast(name: string, afterLsn: Lsn | null): AsyncGenerator<PastEvents, void> {
    this.pastReadings += 1;
    await Promise.resolve();
    for (const { endLsn, events } of this.node(name).changeSets) {
      if (endLsn <= (afterLsn ?? NO_LSN)) continue;
      yield { endLsn, events: events.filter((event) => event.lsn > (afterLsn ?? NO_LSN)).map(scanned) };
    }
  }

  onAppended(): () => void {
    return () => {};
  }

  leadership(term = 1n, signal = new AbortController().signal): Leadership {
    return {
      term,
      signal,
      holdsNames: () => true,
      put: async (key, value) => {
        if (this.putFails) {
          throw new TidemarkError('TM-LEAD-002', 'another leads');
        }
        this.observed.push(`put ${key} ${value}`);
        await Promise.resolve();
      },
      notifyHigherTerm: () => {},
      resign: async () => {},
    };
  }

  options(more: Partial<SnapshotServiceOptions> = {}): SnapshotServiceOptions {
    let timestamp = Date.UTC(2026, 10, 22);
    return {
      cluster: 'test',
      coordinatorId: 'east',
      clock: systemClock,
      gaps: async () => [],
      streams: () => [...this.nodes.values()].map((node) => node.stream),
      sampler: () => ({
        sample: async (name, { flush }) => {
          await Promise.resolve();
          const node = this.node(name);
          if (node.silent) {
            throw new TidemarkError('TM-RPC-001', `${name} cannot be reached`);
          }
          if (flush) {
            this.send(name);
          } else {
            this.samples += 1;
            this.beforeSample(name);
          }
          return {
            insertLsn: node.insertLsn,
            timeline: 1,
            systemIdentifier: node.stream.systemIdentifier,
            nodeTimeUs: 0n,
            around: { beforeUs: 0, afterUs: 0 },
            agentClock: null,
            synchronous: node.synchronous,
          };
        },
      }),
      wal: this,
      history: async ({ timeline }) => await Promise.resolve({ timeline, ancestors: [] }),
      readPast: (stream, afterLsn) => this.readPast(stream.node, afterLsn),
      acknowledgements: {
        acknowledged: (stream) => this.node(stream.node).acknowledgedLsn,
        waitForAcknowledged: (stream, position, signal) =>
          this.#until(() => this.node(stream.node).acknowledgedLsn >= position, signal),
        waitForObject: async (path, signal) => {
          await this.#until(() => this.objects.has(path), signal);
          return ['east'];
        },
      },
      timestamps: {
        next: async () => {
          await Promise.resolve();
          timestamp = Math.max(timestamp + 1, Date.UTC(2026, 10, 22) + 10 * this.objects.size);
          return hybridTimestamp(timestamp);
        },
      },
      synchronous: { untilSilence: () => this.synchronousUntilSilence },
      repository: this.repository(),
      observer: {
        taken: (snapshot) => this.observed.push(`taken ${snapshot.id}`),
        current: (snapshot) => this.observed.push(`current ${snapshot.id}`),
        failed: (error) => this.observed.push(`failed ${(error as { code?: string }).code}`),
        broken: ({ kind, gid }) => this.observed.push(`broken ${kind} ${gid}`),
        longPrepared: ({ node, gid }) => this.observed.push(`long prepared ${node} ${gid}`),
        prepared: () => {},
        problem: (what) => this.observed.push(`problem ${what}`),
      },
      matchers: [sameGidMatcher],
      preparedWarningMs: 300_000,
      intervalMs: 3_600_000,
      sampleTimeoutMs: 1000,
      durableTimeoutMs: 1000,
      flushAfterMs: 10,
      ...more,
    };
  }

  repository(): Pick<Repository, 'name' | 'list' | 'stat' | 'read' | 'create'> {
    const { objects } = this;
    return {
      name: 'memory',
      async *list(prefix) {
        await Promise.resolve();
        for (const path of [...objects.keys()].filter((known) => known.startsWith(prefix)).sort()) {
          yield { path, sizeBytes: objects.get(path)?.length ?? 0 };
        }
      },
      stat: async (path) => {
        await Promise.resolve();
        return objects.has(path) ? { path, sizeBytes: 1 } : null;
      },
      async *read(path) {
        await Promise.resolve();
        yield objects.get(path) ?? Buffer.alloc(0);
      },
      create: async (path, content) => {
        await Promise.resolve();
        objects.set(path, Buffer.from(content as Uint8Array));
        this.wake();
        return 'created';
      },
    };
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition()) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const settle = () => {
          this.#wakeups.delete(wakeup);
          signal.removeEventListener('abort', onAbort);
        };
        const wakeup = () => {
          settle();
          resolve();
        };
        const onAbort = () => {
          settle();
          reject(signal.reason as Error);
        };
        this.#wakeups.add(wakeup);
        signal.addEventListener('abort', onAbort);
      });
    }
  }
}

function scanned(event: TransactionEvent): ScannedEvent {
  const { kind, xid, lsn: at, endLsn, previousLsn, timeUs, seeded = false } = event;
  const numbers = { lsn: Number(at), endLsn: Number(endLsn), previousLsn: Number(previousLsn), timeUs: Number(timeUs) };
  return { kind, xid, seeded, ...numbers, whole: () => event };
}

/** Runs a service as the leader's duty while `work` goes on, and stops it. */
export async function leading<T>(
  cluster: FakeCluster,
  work: (service: SnapshotService) => Promise<T>,
  options: Partial<SnapshotServiceOptions> = {},
): Promise<T> {
  const service = new SnapshotService(cluster.options(options));
  const stop = new AbortController();
  const duty: LeaderDuty = service;
  const running = duty.run(cluster.leadership(1n, stop.signal), stop.signal);
  try {
    await untilLeading(service);
    return await work(service);
  } finally {
    stop.abort();
    await running;
  }
}

async function untilLeading(service: SnapshotService): Promise<void> {
  while (!service.leading) {
    await systemClock.sleep(1);
  }
}

/** What the snapshot holds of a node: whether the record that starts at `at` is restored. */
export function holds(snapshot: Snapshot, node: string, at: Lsn): boolean {
  return (snapshot.nodes.find((position) => position.node === node)?.targetLsn ?? NO_LSN) >= at;
}
