import type { Usage } from './process-meter.ts';
import { formatTable } from './table.ts';

/** One measured way of doing the same work. */
export interface BenchRow {
  readonly benchmark: 'wal' | 'backup';
  readonly tool: string;
  /** Of PostgreSQL's bytes, before compression. */
  readonly megabytes: number;
  readonly seconds: number;
  readonly megabytesPerSecond: number;
  /** Where it lies, all copies together. */
  readonly storedMegabytes: number;
  readonly processes: readonly ({ readonly name: string } & Usage)[];
}

const MEGABYTE = 1e6;

export function benchRow(
  row: Pick<BenchRow, 'benchmark' | 'tool' | 'processes'> & { bytes: number; durationMs: number; storedBytes: number },
): BenchRow {
  return {
    benchmark: row.benchmark,
    tool: row.tool,
    megabytes: row.bytes / MEGABYTE,
    seconds: row.durationMs / 1000,
    megabytesPerSecond: row.bytes / MEGABYTE / (row.durationMs / 1000),
    storedMegabytes: row.storedBytes / MEGABYTE,
    processes: row.processes,
  };
}

/** For people: one line a row, and one for each process of a tool that has several. */
export function formatRows(rows: readonly BenchRow[]): string {
  const lines = [['tool', 'MB', 's', 'MB/s', 'stored MB', 'CPU s', 'peak RSS MiB']];
  for (const row of rows) {
    const cpu = row.processes.reduce((sum, usage) => sum + usage.cpuSeconds, 0);
    const peak = Math.max(...row.processes.map((usage) => usage.peakRssBytes));
    lines.push([
      row.tool,
      row.megabytes.toFixed(0),
      row.seconds.toFixed(2),
      row.megabytesPerSecond.toFixed(1),
      row.storedMegabytes.toFixed(0),
      cpu.toFixed(2),
      mebibytes(peak),
    ]);
    if (row.processes.length > 1) {
      for (const usage of row.processes) {
        lines.push([`  ${usage.name}`, '', '', '', '', usage.cpuSeconds.toFixed(2), mebibytes(usage.peakRssBytes)]);
      }
    }
  }
  return formatTable(lines);
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
