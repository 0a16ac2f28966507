// npm run bench -- [NAME…] [--json] [--megabytes N]: Tidemark beside the tools that people know, on the same bytes in the same run.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { seedFromEnvironment } from '../support/bank/seeded-random.ts';
import { installMissingPrograms } from '../support/debian-packages.ts';
import { removeEverything } from '../support/temporary-directory.ts';
import { backupBenchmark } from './backup-bench.ts';
import type { Benchmark } from './benchmark.ts';
import { consistencyBenchmark } from './consistency-bench.ts';
import { cutBenchmark } from './cut-bench.ts';
import { parseBenchmark } from './parse-bench.ts';
import { snapshotBenchmark } from './snapshot-bench.ts';
import { synchronousBenchmark } from './synchronous-bench.ts';
import { walBenchmark } from './wal-bench.ts';

const BENCHMARKS: readonly Benchmark[] = [
  walBenchmark,
  backupBenchmark,
  consistencyBenchmark,
  snapshotBenchmark,
  synchronousBenchmark,
  cutBenchmark,
  parseBenchmark,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    megabytes: { type: 'string', default: '2200' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const bytes = Number(values.megabytes) * 1e6;
const isKnown = (name: string) => BENCHMARKS.some((benchmark) => benchmark.name === name);
if (values.help || !positionals.every(isKnown) || !(bytes > 0)) {
  console.error('usage: npm run bench -- [NAME…] [--json] [--megabytes N]; without a name, all:');
  for (const { name, summary } of BENCHMARKS) console.error(`  ${name.padEnd(12)} ${summary}`);
  process.exit(values.help ? 0 : 2);
}
const say = (line: string) => console.error(line);
const seed = seedFromEnvironment();

const failures: string[] = [];
const rows: object[] = [];
try {
  for (const benchmark of BENCHMARKS) {
    if (positionals.length > 0 && !positionals.includes(benchmark.name)) continue;
    if (installMissingPrograms(benchmark.programs, say).length > 0) {
      failures.push(`${benchmark.name}: a program is missing`);
      continue;
    }
    say(`${benchmark.name}: ${benchmark.summary} (seed ${seed})`);
    const report = await benchmark.run({ bytes, seed, say });
    console.log(`${report.text}\n`);
    rows.push(...report.rows);
    failures.push(...(report.failures ?? []).map((failure) => `${benchmark.name}: ${failure}`));
  }
} finally {
  await removeEverything();
}
if (values.json) console.log(JSON.stringify(rows));
for (const failure of failures) console.error(`not kept: ${failure}`);
process.exit(failures.length === 0 ? 0 : 1);
