// Writes the README's tables of error codes and metrics from the code. With --check it compares instead and fails on a difference.
// Reads dist/, so build first.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = path.join(root, 'README.md');

/** @param {string} file */
const load = (file) => import(pathToFileURL(path.join(root, 'dist', file)).href);
const { ERROR_CODES } = await load('shared/errors/codes.js');
const { METRICS } = await load('shared/observability/metric-table.js');

/** @param {string[][]} rows */
const table = ([head = [], ...rows]) =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** @type {Record<string, string>} */
const tables = {
  errors: table([
    ['code', 'exit', 'what it means', 'what to do'],
    ...Object.entries(ERROR_CODES).map(([code, { exitCode, meaning, remedy }]) => [
      `\`${code}\``,
      String(exitCode),
      meaning,
      remedy,
    ]),
  ]),
  metrics: table([
    ['metric', 'type', 'labels', 'meaning'],
    ...Object.entries(METRICS).map(([name, { type, labels, help }]) => [
      `\`${name}\``,
      type,
      labels.map((/** @type {string} */ label) => `\`${label}\``).join(', '),
      help,
    ]),
  ]),
};

const before = readFileSync(readme, 'utf8');
let after = before;
for (const [name, text] of Object.entries(tables)) {
  const section = new RegExp(`(<!-- ${name} -->)[^]*?(<!-- /${name} -->)`);
  if (!section.test(after)) throw new Error(`README.md has no <!-- ${name} --> … <!-- /${name} -->`);
  after = after.replace(section, (_, start, end) => `${start}\n\n${text}\n\n${end}`);
}
after = await format(after, { ...(await resolveConfig(readme)), parser: 'markdown' });

if (after !== before) {
  if (process.argv.includes('--check')) {
    console.error("README.md's tables differ from the code. Hint: npm run reference");
    process.exitCode = 1;
  } else {
    writeFileSync(readme, after);
  }
}
