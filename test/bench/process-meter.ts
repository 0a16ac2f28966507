import { readFileSync } from 'node:fs';
import { processesBelow } from '../support/processes-below.ts';

const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux that Node runs on
const SAMPLE_INTERVAL_MS = 50;

/** What a group of processes used. */
export interface Usage {
  readonly cpuSeconds: number;
  /** The most that all of them together held at one sample. */
  readonly peakRssBytes: number;
}

/**
 * Samples CPU time and resident memory of one process, or of all processes that work below a directory, until stopped. What a process
 * used between the last sample and its end is not seen: at most one interval.
 */
export class ProcessMeter implements Disposable {
  readonly #pids: () => readonly number[];
  readonly #firstTicks = new Map<number, number>();
  readonly #lastTicks = new Map<number, number>();
  readonly #timer: NodeJS.Timeout;
  #peakRssBytes = 0;

  private constructor(pids: () => readonly number[], countFromNow: boolean) {
    this.#pids = pids;
    if (countFromNow) for (const pid of pids()) this.#firstTicks.set(pid, cpuTicks(pid) ?? 0);
    this.#timer = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
  }

  /** One process, from now on. */
  static ofProcess(pid: number): ProcessMeter {
    return new ProcessMeter(() => [pid], true);
  }

  /** Every process that is started in `directory`, from its own beginning. */
  static ofDirectory(directory: string): ProcessMeter {
    return new ProcessMeter(() => processesBelow(directory).map(({ pid }) => pid), false);
  }

  #sample(): void {
    let rssBytes = 0;
    for (const pid of this.#pids()) {
      const ticks = cpuTicks(pid);
      if (ticks !== null) this.#lastTicks.set(pid, ticks);
      rssBytes += residentBytes(pid);
    }
    this.#peakRssBytes = Math.max(this.#peakRssBytes, rssBytes);
  }

  usage(): Usage {
    this.#sample();
    let ticks = 0;
    for (const [pid, last] of this.#lastTicks) ticks += last - (this.#firstTicks.get(pid) ?? 0);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, peakRssBytes: this.#peakRssBytes };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function cpuTicks(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return null;
  }
}

function residentBytes(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
