import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { findLost } from '../support/bank/bank-check.ts';
import { BankLoad } from '../support/bank/bank-load.ts';
import { createBank, type BankLayout, type GidForm } from '../support/bank/bank-schema.ts';
import { SeededRandom, seedFromEnvironment } from '../support/bank/seeded-random.ts';
import { TidemarkCluster } from '../support/cluster.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import type { PostgresMajor } from '../support/postgres-binaries.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { RestoredCluster, orderBoundMs, type RestoreTo, type SnapshotJson } from '../support/restored-cluster.ts';
import { waitFor } from '../support/wait-for.ts';

interface Scenario {
  readonly major: PostgresMajor;
  readonly gids: GidForm;
  /** Of each node's clock. */
  readonly aheadMs: readonly number[];
}

/** Three and four nodes, every major, both forms of GIDs, clocks a little and far apart. */
const SCENARIOS: readonly Scenario[] = [
  { major: 18, gids: 'same', aheadMs: [0, 40, -40] },
  { major: 17, gids: 'xa', aheadMs: [5000, 0, -5000, 40] },
  { major: 16, gids: 'xa', aheadMs: [-40, 40, 0] },
  { major: 15, gids: 'same', aheadMs: [-5000, 5000, 0, -40] },
];

/** Of all scenarios together; with fewer than there are scenarios, some are left out. */
const RESTORES = Number(process.env['TIDEMARK_TIME_RESTORES'] ?? 3);
const ACCOUNTS = 300;
const LOAD_MS = 12_000;
const MARGIN_MS = 1_000;
/** A quarter are of snapshots, a quarter from a bare repository, the others to a time by the coordinators. */
const KINDS = ['time', 'bare', 'time', 'snapshot'] as const;

describe('A restore of nodes whose clocks are apart', () => {
  const seed = seedFromEnvironment();
  const scenarios = RESTORES >= SCENARIOS.length ? SCENARIOS : [SCENARIOS[seed % SCENARIOS.length] as Scenario];
  const restoresEach = Math.ceil(RESTORES / scenarios.length);

  for (const { major, gids, aheadMs } of scenarios) {
    const clocks = aheadMs.map((ms) => `${ms < 0 ? '' : '+'}${ms}`).join(', ');
    it(`gives one state (PostgreSQL ${major}, GIDs ${gids}, ${clocks} ms, ${restoresEach} restores, seed ${seed})`, async function () {
      this.timeout(120_000 + restoresEach * 60_000);
      await using stack = new DisposalStack();
      const servers: PostgresServer[] = [];
      for (const [number, clockAheadMs] of aheadMs.entries()) {
        const options = { major, name: `shard-${number}`, walSegmentSizeMb: 1, clockAheadMs } as const;
        servers.push(stack.use(await PostgresServer.create(options)));
      }
      const layout: BankLayout = {
        accounts: ACCOUNTS,
        gids,
        shards: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
      };
      await createBank(layout);
      const cluster = stack.use(await TidemarkCluster.create({ shards: servers, snapshotInterval: '2s' }));
      await cluster.cli.json(['backup', 'create'], 120_000);
      const load = stack.use(new BankLoad(layout, { seed, transfersPerSecond: 150, abandonProbability: 0.03 }));
      const beganAtMs = Date.now();
      await delay(LOAD_MS);
      const endedAtMs = Date.now();
      await load.stop();
      await cluster.waitUntilAcknowledged();
      await waitFor('a later snapshot', async () => await complete(cluster));

      const random = new SeededRandom(seed);
      const snapshots = (await cluster.cli.json<{ snapshots: SnapshotJson[] }>(['snapshot', 'list'])).snapshots.filter(
        ({ restorable, time }) => restorable && Date.parse(time) > beganAtMs && Date.parse(time) < endedAtMs,
      );
      for (let number = 0; number < restoresEach; number++) {
        const kind = KINDS[number % KINDS.length] ?? 'time';
        const atMs = beganAtMs + MARGIN_MS + random.below(endedAtMs - beganAtMs - MARGIN_MS);
        const to: RestoreTo = kind === 'snapshot' ? random.pick(snapshots).id : { time: new Date(atMs).toISOString() };
        const { repositoryPath } = random.pick(cluster.coordinators);
        await using restored =
          kind === 'bare'
            ? await RestoredCluster.fromRepository(servers, repositoryPath, to)
            : await RestoredCluster.fromCoordinators(cluster, to);
        await check(restored, load, kind === 'snapshot' ? null : atMs);
      }
    });
  }
});

async function complete(cluster: TidemarkCluster): Promise<boolean> {
  return (await cluster.cli.json<SnapshotJson>(['snapshot', 'create'])).complete;
}

/** @param atMs the time that was asked for, by the leader's clock; null: a snapshot's own */
async function check(restored: RestoredCluster, load: BankLoad, atMs: number | null): Promise<void> {
  const { snapshot } = restored.report;
  const bank = await restored.inspectBank(ACCOUNTS);
  assert.equal(restored.resolvedBranches, snapshot.in_doubt.length);
  const boundMs = orderBoundMs(snapshot);
  const toMs = atMs ?? Date.parse(snapshot.time);
  console.log(
    `      ${atMs === null ? `snapshot ${snapshot.id}` : new Date(atMs).toISOString()}: ${bank.transfers} transfers, ` +
      `${snapshot.in_doubt.length} in doubt, ${snapshot.class.kind}${boundMs === 0 ? '' : ` ${boundMs.toFixed(1)} ms`}`,
  );
  if (atMs !== null) {
    // the machine's clock is the leader's
    const later = load.attempts.filter(
      ({ transferId, atMs: begunAtMs }) => begunAtMs > toMs + boundMs && bank.transferIds.has(transferId),
    );
    assert.deepEqual(later, [], 'nothing is later than what was asked for');
  }
  // Snapshots' times are cut to milliseconds.
  const lost = findLost(bank, load.acknowledged).filter((acknowledged) => acknowledged.atMs < toMs - boundMs - 1);
  assert.deepEqual(lost, [], 'nothing acknowledged before it is missing');
}
