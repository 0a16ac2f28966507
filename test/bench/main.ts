// npm run bench -- [wal|backup] [--json] [--megabytes N]: Tidemark beside the tools that people know, on the same bytes in the same run.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { installMissingPrograms } from '../support/debian-packages.ts';
import { removeEverything } from '../support/temporary-directory.ts';
import { runBackupBench } from './backup-bench.ts';
import { formatRows, type BenchRow } from './bench-row.ts';
import { runWalBench } from './wal-bench.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, megabytes: { type: 'string', default: '2200' } },
});
const bytes = Number(values.megabytes) * 1e6;
const wanted = positionals.length === 0 ? ['wal', 'backup'] : positionals;
const unknown = wanted.filter((name) => name !== 'wal' && name !== 'backup');
if (unknown.length > 0 || !(bytes > 0)) {
  console.error('usage: npm run bench -- [wal] [backup] [--json] [--megabytes N]');
  process.exit(2);
}
const say = (line: string) => console.error(line);

const missing = installMissingPrograms(['etcd', 'pg_receivewal', 'pg_basebackup', 'pgbackrest'], say);
if (missing.length > 0) process.exit(1);

const rows: BenchRow[] = [];
try {
  if (wanted.includes('wal')) rows.push(...(await runWalBench(bytes, say)));
  if (wanted.includes('backup')) rows.push(...(await runBackupBench(bytes, say)));
} finally {
  await removeEverything();
}
console.log(formatRows(rows));
if (values.json) console.log(JSON.stringify(rows));
