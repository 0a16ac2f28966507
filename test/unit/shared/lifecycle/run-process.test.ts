import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PROGRAM = `
import { runProcess } from '${new URL('../../../../shared/lifecycle/run-process.js', import.meta.url).href}';
const logger = { info() {}, warn() {}, error() {}, fatal() {} };
await runProcess({
  logger,
  start: async () => {
    const { signal } = new AbortController();
    for (let node = 0; node < 100; node++) signal.addEventListener('abort', () => {});
    await new Promise(setImmediate);
    return [];
  },
});`;

describe('a process', () => {
  it('lets one signal end the work on many nodes, without a warning', async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM]);
    assert.equal(stdout + stderr, '');
  });
});
