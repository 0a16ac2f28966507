import type { Progress } from '../../shared/admin/progress.ts';
import { formatBytes, formatDuration } from './format.ts';
import { printable } from './table.ts';

interface Work {
  phase: string;
  bytesDone: bigint;
  bytesTotal: bigint;
  message: string;
}

/** The rate is that of the last this many milliseconds. */
const RATE_WINDOW_MS = 10_000;

/** Adds up what the nodes report, and says it in one line: how much, how fast, how long still. */
export class ProgressMeter {
  readonly #nodes = new Map<string, Work>();
  #samples: { readonly atMs: number; readonly bytes: bigint }[] = [];
  /** Of phases that are over, so that the rate does not jump. */
  #bytesBefore = 0n;

  update(progress: Progress, nowMs: number): void {
    const known = this.#nodes.get(progress.node);
    if (known !== undefined && (known.phase !== progress.phase || progress.bytesDone < known.bytesDone)) {
      this.#bytesBefore += known.bytesDone;
    }
    const { phase, bytesDone, bytesTotal, message } = progress;
    this.#nodes.set(progress.node, { phase, bytesDone, bytesTotal, message });
    const bytes = [...this.#nodes.values()].reduce((sum, work) => sum + work.bytesDone, this.#bytesBefore);
    this.#samples = this.#samples.filter(({ atMs }) => nowMs - atMs <= RATE_WINDOW_MS);
    this.#samples.push({ atMs: nowMs, bytes });
  }

  /** Bytes a second over the last seconds; null while that is not known. */
  bytesPerSecond(): number | null {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === undefined || last === undefined || last.atMs - first.atMs < 500) {
      return null;
    }
    return (Number(last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
  }

  /** At most `columns` letters. */
  line(columns: number): string {
    const works = [...this.#nodes.entries()];
    const done = works.reduce((sum, [, work]) => sum + work.bytesDone, 0n);
    const total = works.every(([, work]) => work.bytesTotal > 0n)
      ? works.reduce((sum, [, work]) => sum + work.bytesTotal, 0n)
      : 0n;
    const phases = [...new Set(works.map(([, work]) => work.phase))].join(', ');
    const parts = [phases];
    if (total > 0n) {
      const percent = Math.min(100, Math.floor((Number(done) * 100) / Number(total)));
      parts.push(`${percent} %`, `${formatBytes(done)} of ${formatBytes(total)}`);
    } else if (done > 0n) {
      parts.push(formatBytes(done));
    }
    const rate = this.bytesPerSecond();
    if (rate !== null && rate > 0) {
      parts.push(`${formatBytes(rate)}/s`);
      if (total > done) {
        parts.push(`${formatDuration((Number(total - done) * 1000) / rate)} left`);
      }
    }
    const nodes = works
      .filter(([node]) => node !== '')
      .map(([node, work]) =>
        work.bytesTotal > 0n
          ? `${node} ${Math.floor((Number(work.bytesDone) * 100) / Number(work.bytesTotal))} %`
          : node,
      );
    if (nodes.length > 1) {
      parts.push(nodes.join(', '));
    }
    const message = works.map(([, work]) => work.message).findLast((text) => text !== '');
    if (message !== undefined) {
      parts.push(message);
    }
    const text = printable(parts.join('  '));
    return text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}…` : text;
  }
}
