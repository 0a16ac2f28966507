// Fails for a metric or an error code that stands in its table, and so in the README, and that no code gives.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** @param {string} file */
const load = (file) => import(pathToFileURL(path.join(root, 'dist', file)).href);

const tables = [
  {
    file: 'shared/observability/metric-table.ts',
    names: Object.keys((await load('shared/observability/metric-table.js')).METRICS),
  },
  { file: 'shared/errors/codes.ts', names: Object.keys((await load('shared/errors/codes.js')).ERROR_CODES) },
];
const files = ['agent', 'coordinator', 'shared']
  .flatMap((part) =>
    readdirSync(path.join(root, part), { recursive: true, encoding: 'utf8' }).map((name) => path.join(part, name)),
  )
  .filter((name) => name.endsWith('.ts'));
for (const { file, names } of tables) {
  const sources = files
    .filter((name) => name !== file)
    .map((name) => readFileSync(path.join(root, name), 'utf8'))
    .join('\n');
  for (const name of names) {
    if (sources.includes(`'${name}'`)) continue;
    console.error(`${file}: nothing gives ${name}`);
    process.exitCode = 1;
  }
}
