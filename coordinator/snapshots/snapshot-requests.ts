import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';

const LABEL_LENGTH_MAX = 256;

interface Request {
  readonly label: string;
  readonly resolve: (snapshot: Snapshot) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests that are served together, by one snapshot. */
export class SharedRequests {
  readonly #requests: readonly Request[];

  constructor(requests: readonly Request[]) {
    this.#requests = requests;
  }

  get any(): boolean {
    return this.#requests.length > 0;
  }

  /** All their labels. */
  get label(): string {
    const labels = new Set(this.#requests.map(({ label }) => label).filter((label) => label !== ''));
    return [...labels].join(', ').slice(0, LABEL_LENGTH_MAX);
  }

  resolve(snapshot: Snapshot): void {
    for (const request of this.#requests) {
      request.resolve(snapshot);
    }
  }

  reject(error: unknown): void {
    for (const request of this.#requests) {
      request.reject(error);
    }
  }
}

/** Who waits for the next snapshot. */
export class SnapshotRequests {
  readonly #clock: Clock;
  #waiting: Request[] = [];
  #wake: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async add(label: string): Promise<Snapshot> {
    return await new Promise<Snapshot>((resolve, reject) => {
      this.#waiting.push({ label, resolve, reject });
      this.#wake();
    });
  }

  /** Those that wait now; they wait no longer. */
  take(): SharedRequests {
    const waiting = this.#waiting;
    this.#waiting = [];
    return new SharedRequests(waiting);
  }

  /** Until somebody waits, or the time is over, or the signal is aborted. */
  async wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length > 0 || waitMs <= 0) {
      return;
    }
    const woken = new AbortController();
    const wake = () => woken.abort();
    this.#wake = wake;
    // Not AbortSignal.any: the signal lives as long as the leadership, and must forget this wait.
    signal.addEventListener('abort', wake, { once: true });
    if (signal.aborted) wake();
    try {
      await this.#clock.sleep(waitMs, woken.signal);
    } catch {
      // Woken by a request or by the end; the caller looks.
    } finally {
      this.#wake = () => {};
      signal.removeEventListener('abort', wake);
    }
  }
}
