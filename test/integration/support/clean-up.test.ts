import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { processesBelow } from '../../support/processes-below.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = `
  import { PostgresServer } from '${new URL('../../support/postgres-server.js', import.meta.url).href}';
  const server = await PostgresServer.create();
  console.log(server.dataDirectory);
  setInterval(() => undefined, 1000);
`;

describe('The reaper', () => {
  for (const signal of ['SIGKILL', 'SIGINT'] as const) {
    it(`ends servers and removes directories after ${signal} to the test run`, async () => {
      const run = spawn(process.execPath, ['--input-type=module', '--eval', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      run.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const dataDirectory = await waitFor('the server runs', () => /^\/.*(?=\n)/.exec(output)?.[0]);
      assert.notEqual(processesBelow(dataDirectory).length, 0);
      run.kill(signal);
      await once(run, 'exit');
      await waitFor('nothing runs any more', () => processesBelow(dataDirectory).length === 0);
      await waitFor('the directory is gone', () => !existsSync(dataDirectory));
    });
  }
});
