import { wholeMilliseconds, type WallTime } from '../../shared/cuts/clock-measurement.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';

/** Where the monotonic clock is not slewed together with the wall clock, as Linux does it, they drift apart by at most this. */
const DRIFT_PER_MS = 500e-6;
/** Waiting for the wall clock to go on by a millisecond is given up after so long, or so many looks. */
const SEEK_MS_MAX = 5;
const LOOKS_MAX = 100_000;
/** The moment is known well enough. */
const FINE_MS = 0.02;

/** How far the wall clock is ahead of the monotonic one. */
interface Lead extends WallTime {
  readonly atMonotonicMs: number;
}

/** The wall clock was looked at between two moments of the monotonic one. */
interface Look {
  readonly shown: WallTime;
  readonly fromMs: number;
  readonly untilMs: number;
}

/**
 * The wall clock, finer than the whole milliseconds that it shows: where it stands between two of them follows from the monotonic clock
 * since a moment at which it was seen to go on. What it shows is compared each time, so one that was set is not misread.
 */
export class FineWallClock {
  readonly #clock: Clock;
  #lead: Lead | null = null;
  #settings = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Looks until the wall clock has gone on. That keeps the thread for about a millisecond at most, so not often. */
  adjust(): void {
    let lead = leadOf(this.#look());
    const startedMs = lead.atMonotonicMs;
    for (let looks = 0; looks < LOOKS_MAX && lead.atMonotonicMs - startedMs < SEEK_MS_MAX; looks++) {
      if (lead.latestMs - lead.earliestMs <= FINE_MS) break;
      lead = narrow(lead, leadOf(this.#look()));
    }
    this.#lead = lead;
  }

  /** The time now, and how often the clock was seen to be set. */
  read(): WallTime & { readonly settings: number } {
    const look = this.#look();
    if (this.#lead !== null) {
      const driftMs = Math.abs(look.untilMs - this.#lead.atMonotonicMs) * DRIFT_PER_MS;
      const earliestMs = Math.max(look.shown.earliestMs, this.#lead.earliestMs - driftMs + look.fromMs);
      const latestMs = this.#lead.latestMs + driftMs + look.untilMs;
      const shownUntilMs = look.shown.latestMs + (look.untilMs - look.fromMs);
      if (earliestMs <= Math.min(latestMs, shownUntilMs)) {
        return { earliestMs, latestMs: Math.min(latestMs, shownUntilMs), settings: this.#settings };
      }
      this.#settings++;
    }
    this.#lead = leadOf(look);
    return {
      earliestMs: look.shown.earliestMs,
      latestMs: look.shown.latestMs + (look.untilMs - look.fromMs),
      settings: this.#settings,
    };
  }

  #look(): Look {
    const fromMs = this.#clock.monotonicMs();
    const shown = wholeMilliseconds(this.#clock.nowMs());
    return { shown, fromMs, untilMs: this.#clock.monotonicMs() };
  }
}

function leadOf({ shown, fromMs, untilMs }: Look): Lead {
  return { earliestMs: shown.earliestMs - untilMs, latestMs: shown.latestMs - fromMs, atMonotonicMs: untilMs };
}

/** What both say, a moment apart; the second where they contradict each other. */
function narrow(a: Lead, b: Lead): Lead {
  const driftMs = (b.atMonotonicMs - a.atMonotonicMs) * DRIFT_PER_MS;
  const earliestMs = Math.max(a.earliestMs - driftMs, b.earliestMs);
  const latestMs = Math.min(a.latestMs + driftMs, b.latestMs);
  return earliestMs <= latestMs ? { earliestMs, latestMs, atMonotonicMs: b.atMonotonicMs } : b;
}
