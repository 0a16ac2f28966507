// npm run demo [-- --json] [--keep] [--seconds N]: a stranger's first look. Exit code 0 only if every check held.
import { once } from 'node:events';
import { totalmem } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { seedFromEnvironment } from '../support/bank/seeded-random.ts';
import { hasProgram, installMissingPrograms } from '../support/debian-packages.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import { removeEverything } from '../support/temporary-directory.ts';
import { Demo, formatCommands } from './demo.ts';
import { Story } from './story.ts';

const ETCD_MEMBERS_MEMORY_BYTES = 2 * 2 ** 30;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '24' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const loadSeconds = Number(values.seconds);
if (values.help || !(loadSeconds >= 3 && loadSeconds <= 3600)) {
  process.stdout.write(
    'Usage: npm run demo [-- --json] [--keep] [--seconds N]\n\n' +
      '  --seconds N  how long the bank works, 3 to 3600; 24 if left out\n' +
      '  --json       print the result as JSON on the last line\n' +
      '  --keep       leave everything running afterwards, until Ctrl-C\n',
  );
  process.exit(values.help ? 0 : 2);
}

const story = new Story(process.stdout);
let interrupted = false;
const stop = new Promise<'interrupted'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      interrupted = true;
      resolve('interrupted');
    });
});

let kept = false;

async function tell(): Promise<boolean> {
  story.show('Tidemark backs up a sharded PostgreSQL as one database. This is what that is good for.');
  installMissingPrograms(['etcd'], (line) => story.say(line));
  const coordination = hasProgram('etcd') ? 'etcd' : 'embedded';
  if (coordination === 'embedded') {
    story.say('There is no etcd here, so there is one coordinator only, and no data centre can be lost.');
  }
  await using stack = new DisposalStack();
  const demo = new Demo(
    {
      story,
      seed: seedFromEnvironment(),
      loadSeconds,
      coordination,
      etcdMembers: totalmem() < ETCD_MEMBERS_MEMORY_BYTES ? 1 : 3,
    },
    stack,
  );
  const { result, cluster, layout } = await demo.run();
  if (values.keep) {
    story.chapter('Everything is left running. Ctrl-C ends and removes it.');
    story.show(formatCommands(cluster, layout));
    // the temporary servers hold no handle of this process that keeps it alive
    const alive = setInterval(() => undefined, 60_000);
    kept = true;
    await stop;
    clearInterval(alive);
  }
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return result.ok;
}

const told = tell().catch((error: unknown) => {
  if (!interrupted) story.show(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  return false;
});
const outcome = await Promise.race<boolean | 'interrupted'>([
  told,
  stop.then<boolean | 'interrupted'>((interrupted) => (kept ? told : interrupted)),
]);
if (outcome === 'interrupted') story.say('Interrupted: ending and removing everything.');
await removeEverything();
if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
process.exit(outcome === true ? 0 : outcome === 'interrupted' ? 130 : 1);
