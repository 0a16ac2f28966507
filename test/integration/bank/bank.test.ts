import assert from 'node:assert/strict';
import path from 'node:path';
import { bankProblems, findLost, inspectBank } from '../../support/bank/bank-check.ts';
import { BankLoad } from '../../support/bank/bank-load.ts';
import { BankRecovery } from '../../support/bank/bank-recovery.ts';
import { createBank, type BankLayout, type GidForm } from '../../support/bank/bank-schema.ts';
import { seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { runToEnd } from '../../support/child-process.ts';
import { DisposalStack } from '../../support/disposal-stack.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';

const ACCOUNTS = 300;

function layoutOf(servers: readonly PostgresServer[], gids: GidForm = 'same'): BankLayout {
  return { accounts: ACCOUNTS, gids, shards: servers.map(({ port }) => ({ host: '127.0.0.1', port })) };
}

/** Until nothing is in doubt any more. */
async function settle(layout: BankLayout): Promise<void> {
  const recovery = new BankRecovery(layout, new Set(), 0);
  await waitFor('nothing is left to finish', async () => (await recovery.run()) === 0);
  await recovery.close();
}

async function startShards(stack: DisposalStack): Promise<PostgresServer[]> {
  const servers = await Promise.all([0, 1, 2].map((number) => PostgresServer.create({ name: `shard-${number}` })));
  for (const server of servers) stack.use(server);
  return servers;
}

describe('The bank', () => {
  const seed = seedFromEnvironment();

  for (const gids of ['same', 'xa'] as const) {
    it(`is whole after clients and servers died, with GIDs of the form ${gids} (seed ${seed})`, async () => {
      await using stack = new DisposalStack();
      const servers = await startShards(stack);
      const layout = layoutOf(servers, gids);
      await createBank(layout);
      await using load = new BankLoad(layout, { seed, abandonProbability: 0.05, leftoverAgeMs: 300 });
      await waitFor('some work', () => load.acknowledged.length > 300 && load.abandoned > 10);
      for (const server of servers) {
        await server.kill();
        await server.start();
        const before = load.acknowledged.length;
        await waitFor('work goes on', () => load.acknowledged.length > before + 50);
      }
      await load.stop();
      await settle(layout);
      const report = await inspectBank(layout);
      assert.deepEqual(bankProblems(report), []);
      assert.deepEqual(findLost(report, load.acknowledged), []);
      assert(report.transfers >= load.acknowledged.length);
      assert(load.orderAcknowledged.every((n) => n > 1));
    });
  }

  it(`is seen to be torn when its shards are copied at different moments (seed ${seed})`, async () => {
    await using stack = new DisposalStack();
    const servers = await startShards(stack);
    const layout = layoutOf(servers);
    await createBank(layout);
    await using copies = TemporaryDirectory.create('copies');
    await using load = new BankLoad(layout, { seed, leftoverAgeMs: 300 });
    const restored: PostgresServer[] = [];
    for (const server of servers) {
      const before = load.acknowledged.length;
      await waitFor('some work', () => load.acknowledged.length > before + 100);
      await server.stop();
      const copy = path.join(copies.path, server.name);
      await runToEnd({
        name: 'cp',
        command: 'cp',
        args: ['-a', server.dataDirectory, copy],
        directory: copies.path,
      });
      await server.start();
      restored.push(stack.use(await PostgresServer.adopt(copy, { name: `${server.name}-copy` })));
    }
    await load.stop();
    await Promise.all(restored.map((server) => server.start()));
    const restoredLayout = layoutOf(restored);
    await settle(restoredLayout);
    const report = await inspectBank(restoredLayout);
    assert.notEqual(report.torn.length, 0);
    assert.notEqual(report.orderViolations.length, 0);
    assert.notEqual(report.balance, report.balanceExpected);
    assert.notEqual(findLost(report, load.acknowledged).length, 0);
  });
});
