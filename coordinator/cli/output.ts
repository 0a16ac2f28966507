import type { Progress } from '../../shared/admin/progress.ts';
import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { toJson } from './json.ts';
import { ProgressMeter } from './progress-meter.ts';

/** What the commands need of a standard stream. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const REDRAW_MS = 100;
/** Where the terminal does not say, or says 0. */
const COLUMNS_UNKNOWN = 80;

/**
 * Results go to stdout: text for people, or with `--json` one document. Progress and errors go to stderr, progress only where
 * that is a terminal.
 */
export class Output {
  readonly json: boolean;
  readonly #stdout: TextStream;
  readonly #stderr: TextStream;
  readonly #nowMs: () => number;
  #meter: ProgressMeter | null = null;
  #drawnAtMs = -Infinity;

  constructor(streams: { stdout: TextStream; stderr: TextStream; json: boolean; nowMs: () => number }) {
    this.json = streams.json;
    this.#stdout = streams.stdout;
    this.#stderr = streams.stderr;
    this.#nowMs = streams.nowMs;
  }

  /** Whether somebody watches the results. */
  get terminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** The command's result, in one of the two forms. */
  result(value: unknown, text: () => string): void {
    this.endProgress();
    this.#stdout.write(this.json ? `${JSON.stringify(toJson(value), null, 2)}\n` : text());
  }

  /** One of many results, each a line of JSON; for `--watch`. */
  resultLine(value: unknown, text: () => string): void {
    this.#stdout.write(this.json ? `${JSON.stringify(toJson(value))}\n` : text());
  }

  clearScreen(): void {
    if (this.terminal && !this.json) {
      this.#stdout.write('\u001b[H\u001b[2J');
    }
  }

  progress(progress: Progress): void {
    if (this.#stderr.isTTY !== true) {
      return;
    }
    this.#meter ??= new ProgressMeter();
    const nowMs = this.#nowMs();
    this.#meter.update(progress, nowMs);
    if (nowMs - this.#drawnAtMs >= REDRAW_MS) {
      this.#drawnAtMs = nowMs;
      this.#stderr.write(`\r\u001b[K${this.#meter.line((this.#stderr.columns || COLUMNS_UNKNOWN) - 1)}`);
    }
  }

  /** A remark for people, beside the result. */
  note(text: string): void {
    this.endProgress();
    if (!this.json) {
      this.#stderr.write(`${text}\n`);
    }
  }

  error(error: unknown): void {
    this.endProgress();
    const { code, message, hint, retryable, stack, cause } = asTidemarkError(error);
    if (this.json) {
      this.#stderr.write(`${JSON.stringify({ error: { code, message, hint, retryable } })}\n`);
      return;
    }
    this.#stderr.write(`tidemark: ${message} (${code})\nhint: ${hint}\n`);
    if (code === 'TM-INTERNAL-001') {
      this.#stderr.write(`${cause instanceof Error ? cause.stack : stack}\n`);
    }
  }

  endProgress(): void {
    if (this.#meter !== null) {
      this.#stderr.write('\r\u001b[K');
      this.#meter = null;
      this.#drawnAtMs = -Infinity;
    }
  }
}
