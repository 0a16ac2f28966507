#!/usr/bin/env node
import { systemClock } from '../../shared/lifecycle/clock.ts';
import { expectManyListeners } from '../../shared/lifecycle/expect-many-listeners.ts';
import { runCli } from './run-cli.ts';

expectManyListeners();
const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupt.abort(new DOMException(`received ${signal}`, 'AbortError'));
  });
}
// A reader that has seen enough (`| head`) is not an error.
process.stdout.on('error', () => {
  process.exit(0);
});
process.exitCode = await runCli({
  args: process.argv.slice(2),
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  signal: interrupt.signal,
});
