import type { Clock } from '../../shared/lifecycle/clock.ts';

/**
 * So long after a node was last seen in synchronous mode it is taken to be in it: the readings come each second, and a reading may take
 * as long again and more on a busy machine. Nobody switches the mode off by hand in this time.
 */
const UNSEEN_MAX_MS = 5_000;

/**
 * When each node was last heard, in which mode, and when WAL of any was last acknowledged. By this a leader to whom no node answers any more
 * knows whether commits waited for it until it heard no more of them.
 */
export class SynchronousRecord {
  readonly #clock: Clock;
  /** When the node last said that it is in synchronous mode; null if it said otherwise since. */
  readonly #confirmedAtMs = new Map<string, number | null>();
  #acknowledgedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A node was heard. @param synchronous its settings let no commit return that was not acknowledged */
  heard(node: string, synchronous: boolean): void {
    this.#confirmedAtMs.set(node, synchronous ? this.#clock.monotonicMs() : null);
  }

  /** WAL of some node was acknowledged. */
  acknowledged(): void {
    this.#acknowledgedAtMs = this.#clock.monotonicMs();
  }

  /** Whether all of them were in synchronous mode until they fell silent: nothing was acknowledged long after any was last seen in it. */
  untilSilence(nodes: readonly string[]): boolean {
    return nodes.every((node) => {
      const confirmedAtMs = this.#confirmedAtMs.get(node) ?? null;
      return confirmedAtMs !== null && this.#acknowledgedAtMs - confirmedAtMs <= UNSEEN_MAX_MS;
    });
  }
}
