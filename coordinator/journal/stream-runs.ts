import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn, maxLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { describe } from './change-set-entry.ts';
import type { RecoveredStream } from './journal-recovery.ts';
import type { WalPosition } from './wal-positions.ts';
import type { StreamContext } from './wal-store.ts';
import { WalStream } from './wal-stream.ts';

/**
 * What is held of one stream: runs, in order, with a hole between each two and none inside. New WAL is appended to the last run; a
 * hole is filled by appending to the run before it, and when it is full the two runs are one. Only {@link allow} opens a hole. Every
 * run begins at a segment's start, so two runs never share a file.
 */
export class StreamRuns {
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  readonly #context: StreamContext;
  #runs: WalStream[];
  readonly #allowed = new Set<Lsn>();

  constructor(context: StreamContext, stream: WalStreamKey, segmentBytes: number, recovered: readonly WalStream[]) {
    this.#context = context;
    this.stream = stream;
    this.segmentBytes = segmentBytes;
    this.#runs = [...recovered];
    this.#settleRuns();
  }

  static recovered(context: StreamContext, runs: readonly RecoveredStream[]): StreamRuns | null {
    const [first] = runs;
    if (first === undefined) return null;
    const streams = runs.map((run) => new WalStream(context, run));
    return new StreamRuns(context, first.stream, first.segmentBytes, streams);
  }

  /** Runs of which nothing is durable yet are left out, unless nothing of the stream is. */
  get position(): WalPosition | null {
    const positions = this.#runs.map((run) => run.position);
    const held = positions.filter(({ firstLsn, durableLsn }) => durableLsn > firstLsn);
    const [first] = held.length > 0 ? held : positions;
    const last = held.at(-1) ?? first;
    if (first === undefined || last === undefined) return null;
    return { ...last, firstLsn: first.firstLsn, runs: held.flatMap(({ runs }) => runs) };
  }

  get runs(): readonly WalStream[] {
    return this.#runs;
  }

  /** The run that ends at the end of what was taken in. */
  get last(): WalStream | null {
    return this.#runs.at(-1) ?? null;
  }

  get problem(): TidemarkError | null {
    return this.#runs.map((run) => run.problem).find((problem) => problem !== null) ?? null;
  }

  /** From now on a change set that begins at `startLsn` may begin a run, whatever is missing before it. Forgotten with this process. */
  allow(startLsn: Lsn): void {
    this.#allowed.add(startLsn);
  }

  /** See WalStore.append. */
  async append(changeSet: ChangeSet): Promise<void> {
    const run = this.#runFor(changeSet);
    await run.append(changeSet);
    this.#settleRuns();
  }

  /** See WalSource.read. */
  async *read(fromLsn: Lsn, signal: AbortSignal): AsyncGenerator<ChangeSet, void> {
    let position = fromLsn;
    for (;;) {
      const run = this.#runs.find(({ takenLsn }) => takenLsn > position) ?? this.#runs.at(-1);
      if (run === undefined) return;
      for await (const changeSet of run.read(maxLsn(position, run.firstLsn), signal)) {
        position = changeSet.endLsn;
        yield changeSet;
      }
      // A run ends only where a later one has begun.
      if (signal.aborted) return;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#runs.map((run) => run.close()));
  }

  /** The run that a change set belongs to: the last that begins at or before it, or one that it begins. */
  #runFor(changeSet: ChangeSet): WalStream {
    const { startLsn } = changeSet;
    const known = this.#runs.findLast((run) => run.firstLsn <= startLsn);
    const joins = known !== undefined && startLsn <= known.takenLsn;
    if (joins || !(this.#runs.length === 0 || this.#allowed.has(startLsn))) {
      if (known !== undefined) return known;
      throw new TidemarkError(
        'TM-WAL-006',
        `${describe(this.stream, changeSet)} lies before what is held, from ${formatLsn(this.position?.firstLsn ?? startLsn)} on`,
      );
    }
    if (segmentStart(startLsn, this.segmentBytes) !== startLsn) {
      throw new TidemarkError(
        'TM-WAL-006',
        `${describe(this.stream, changeSet)} cannot begin a run inside of a segment`,
      );
    }
    this.#allowed.delete(startLsn);
    const run = new WalStream(this.#context, {
      stream: this.stream,
      segmentBytes: this.segmentBytes,
      firstLsn: startLsn,
    });
    this.#runs = [...this.#runs, run].sort((a, b) => (a.firstLsn < b.firstLsn ? -1 : 1));
    this.#settleRuns();
    return run;
  }

  /** Joins runs that have met, and ends the reading of every run but the last at its end. */
  #settleRuns(): void {
    if (this.#runs.length < 2) return;
    const kept: WalStream[] = [];
    for (const [index, run] of this.#runs.entries()) {
      const next = this.#runs[index + 1];
      const { firstLsn, durableLsn } = run.position;
      if (next !== undefined) run.endReading();
      if (next !== undefined && durableLsn > firstLsn && durableLsn === next.firstLsn) {
        next.extendBack(firstLsn);
        void run.close();
      } else kept.push(run);
    }
    this.#runs = kept;
  }
}
