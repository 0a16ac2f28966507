import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { SeededRandom } from '../support/bank/seeded-random.ts';
import { TemporaryDirectory } from '../support/temporary-directory.ts';
import type { Benchmark, BenchReport, BenchSettings } from './benchmark.ts';
import { HOUR_US, START_US, writeHour, writeSnapshots } from './cut-files.ts';
import { formatTable } from './table.ts';

const NODES = 16;
const EVENTS = 50_000_000;
const TIMES = 15;
const MS_MAX = 500;
const RSS_BYTES_MAX = 256 * 2 ** 20;

interface Probe {
  readonly runs: readonly { readonly ms: number; readonly cpuMs: number; readonly class: string }[];
  readonly peakRssBytes: number;
}

/** The cut at a random time of an hour in which 16 nodes ended 50 million transactions. */
export const cutBenchmark: Benchmark = {
  name: 'cut',
  summary: 'the cut at a random time, over 16 nodes and 50 million transaction events on disk',
  programs: [],
  run,
};

async function run({ seed, say }: BenchSettings): Promise<BenchReport> {
  await using directory = TemporaryDirectory.create('cut');
  const repository = path.join(directory.path, 'copy');
  const hour = { nodes: NODES, eventsPerNode: Number(process.env['TIDEMARK_BENCH_EVENTS'] ?? EVENTS) / NODES };
  say(`writing the indexes of ${(hour.eventsPerNode * NODES) / 1e6} million events`);
  const bytes = writeHour(repository, hour);
  const random = new SeededRandom(seed);
  const moments = Array.from({ length: TIMES }, () =>
    Math.round(START_US + (0.05 + 0.9 * random.next()) * HOUR_US).toString(),
  );
  const every10s = Array.from({ length: 359 }, (_, number) => START_US + (number + 1) * 10_000_000);
  const rows: object[] = [];
  const failures: string[] = [];
  const lines = [['cut', 'index MB', 'ms, median', 'ms, most', 'CPU ms, median', 'peak RSS MiB']];
  const cases = [
    { name: 'a snapshot every 10 s', timesUs: every10s },
    { name: 'no snapshot in the hour', timesUs: [START_US] },
  ];
  for (const { name, timesUs } of cases) {
    rmSync(path.join(repository, 'snapshots'), { recursive: true, force: true });
    writeSnapshots(repository, hour, timesUs);
    const probe = await measure(repository, moments);
    const ms = probe.runs.map((one) => one.ms).sort((a, b) => a - b);
    const cpuMs = probe.runs.map((one) => one.cpuMs).sort((a, b) => a - b);
    const row = {
      benchmark: 'cut',
      tool: name,
      nodes: NODES,
      events: hour.eventsPerNode * NODES,
      indexMegabytes: bytes / 1e6,
      msMedian: median(ms),
      msMost: ms.at(-1) ?? 0,
      cpuMsMedian: median(cpuMs),
      peakRssBytes: probe.peakRssBytes,
      causal: probe.runs.filter((one) => one.class === 'causal').length,
    };
    rows.push(row);
    lines.push([
      name,
      row.indexMegabytes.toFixed(0),
      row.msMedian.toFixed(0),
      row.msMost.toFixed(0),
      row.cpuMsMedian.toFixed(0),
      (row.peakRssBytes / 2 ** 20).toFixed(0),
    ]);
    if (row.msMedian > MS_MAX) failures.push(`${name}: ${row.msMedian.toFixed(0)} ms`);
    if (row.peakRssBytes > RSS_BYTES_MAX) failures.push(`${name}: ${(row.peakRssBytes / 2 ** 20).toFixed(0)} MiB`);
  }
  return { text: formatTable(lines), rows, failures };
}

async function measure(repository: string, moments: readonly string[]): Promise<Probe> {
  const probe = path.join(import.meta.dirname, 'cut-probe.js');
  const { stdout } = await promisify(execFile)(process.execPath, [probe, repository, ...moments]);
  return JSON.parse(stdout) as Probe;
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
