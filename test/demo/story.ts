import type { Writable } from 'node:stream';

/** Tells what happens in plain words, with the time since the beginning. */
export class Story {
  readonly #out: Writable;
  readonly #startedAt = performance.now();

  constructor(out: Writable) {
    this.#out = out;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  chapter(title: string): void {
    this.#out.write(`\n${title}\n`);
  }

  say(text: string): void {
    const seconds = (this.elapsedMs / 1000).toFixed(1).padStart(6);
    this.#out.write(`${seconds} s  ${text}\n`);
  }

  /** Without a time, for tables and commands. */
  show(text: string): void {
    this.#out.write(`${text}\n`);
  }
}

/** Rows in columns; the first column to the left, the others too. */
export function formatTable(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) for (const [n, cell] of row.entries()) widths[n] = Math.max(widths[n] ?? 0, cell.length);
  return rows
    .map((row) => (indent + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).trimEnd())
    .join('\n');
}
