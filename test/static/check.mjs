// Every static check, in order of cost. Prints one line for each and fails if one fails.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = (/** @type {string} */ name) => path.join(root, 'node_modules/.bin', name);

const checks = [
  { name: 'format', command: [bin('prettier'), '--check', '--log-level=warn', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc'), '-p', 'tsconfig.json'] },
  { name: 'protobuf types', command: [process.execPath, 'test/static/generate-proto-types.mjs', '--check'] },
  { name: "the README's tables", command: [process.execPath, 'test/static/generate-reference.mjs', '--check'] },
  { name: 'metrics and error codes', command: [process.execPath, 'test/static/check-tables.mjs'] },
  { name: 'unused code and dependencies', command: [bin('knip')] },
];

let failed = 0;
for (const { name, command } of checks) {
  const started = performance.now();
  const [file = '', ...args] = command;
  const { status } = spawnSync(file, args, { cwd: root, stdio: 'inherit' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok' : 'FAILED'}  ${name} (${seconds} s)`);
  failed += status === 0 ? 0 : 1;
}
process.exitCode = failed === 0 ? 0 : 1;
