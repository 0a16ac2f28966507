import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { parseIsoTime } from '../../shared/any-time/iso-time.ts';
import { findLost } from '../support/bank/bank-check.ts';
import { BankLoad } from '../support/bank/bank-load.ts';
import { createBank, type BankLayout, type GidForm } from '../support/bank/bank-schema.ts';
import { OrderChain } from '../support/bank/order-chain.ts';
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
  /** Busy nodes commit all the time, so that a wrong order shows; on calm ones there are instants at which nothing is in doubt. */
  readonly pace: 'busy' | 'calm';
}

/** Three and four nodes, every major, both forms of GIDs, clocks a little and far apart. */
const SCENARIOS: readonly Scenario[] = [
  { major: 18, gids: 'same', aheadMs: [0, 40, -40], pace: 'calm' },
  { major: 17, gids: 'xa', aheadMs: [5000, 0, -5000, 40], pace: 'busy' },
  { major: 16, gids: 'xa', aheadMs: [-40, 40, 0], pace: 'busy' },
  { major: 15, gids: 'same', aheadMs: [-5000, 5000, 0, -40], pace: 'calm' },
];

/** Of all scenarios together; with fewer than there are scenarios, some are left out. */
const RESTORES = Number(process.env['TIDEMARK_TIME_RESTORES'] ?? 3);
const ACCOUNTS = 300;
const LOAD_MS = 12_000;
const MARGIN_MS = 1_000;
const CALM_PAUSE_MS = 120;
/** A fifth are of snapshots, the others to a time: by the coordinators or from a bare repository, as it is or where the order is whole. */
const KINDS = ['causal', 'bare', 'time', 'snapshot', 'bare-causal'] as const;

/** What a restore came to. */
interface Outcome {
  readonly isToTime: boolean;
  /** 0: the state at one instant. */
  readonly boundMs: number;
}

describe('A restore of nodes whose clocks are apart', () => {
  const seed = seedFromEnvironment();
  const scenarios = RESTORES >= SCENARIOS.length ? SCENARIOS : [SCENARIOS[seed % SCENARIOS.length] as Scenario];
  const restoresEach = Math.ceil(RESTORES / scenarios.length);
  const outcomes: Outcome[] = [];

  after(() => {
    for (const isToTime of [true, false]) {
      const some = outcomes.filter((outcome) => outcome.isToTime === isToTime);
      const bounds = some.map(({ boundMs }) => boundMs).filter((boundMs) => boundMs > 0);
      console.log(
        `      ${some.length} restores to ${isToTime ? 'times' : 'snapshots'}: ${some.length - bounds.length} causal` +
          `; bounds of the others: ${bounds.map((boundMs) => `${boundMs.toFixed(1)} ms`).join(', ') || 'none'}`,
      );
    }
  });

  for (const { major, gids, aheadMs, pace } of scenarios) {
    const clocks = aheadMs.map((ms) => `${ms < 0 ? '' : '+'}${ms}`).join(', ');
    it(`gives one state (PostgreSQL ${major}, GIDs ${gids}, ${clocks} ms, ${pace}, ${restoresEach} restores, seed ${seed})`, async function () {
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
      const load = stack.use(
        new BankLoad(layout, { seed, transfersPerSecond: pace === 'busy' ? 150 : 20, abandonProbability: 0.03 }),
      );
      const pauses = new SeededRandom(seed + 1);
      const chain = stack.use(
        await OrderChain.start(layout, () => (pace === 'busy' ? 0 : pauses.below(CALM_PAUSE_MS))),
      );
      const beganAtMs = Date.now();
      await delay(LOAD_MS);
      const endedAtMs = Date.now();
      await chain.stop();
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
        const wished = new Date(atMs).toISOString();
        const time = kind.includes('causal') ? await causalTime(cluster, wished) : wished;
        const to: RestoreTo = kind === 'snapshot' ? random.pick(snapshots).id : { time };
        const { repositoryPath } = random.pick(cluster.coordinators);
        await using restored = kind.startsWith('bare')
          ? await RestoredCluster.fromRepository(servers, repositoryPath, to)
          : await RestoredCluster.fromCoordinators(cluster, to);
        outcomes.push(await check(restored, load, chain, kind === 'snapshot' ? null : time));
      }
    });
  }
});

async function complete(cluster: TidemarkCluster): Promise<boolean> {
  return (await cluster.cli.json<SnapshotJson>(['snapshot', 'create'])).complete;
}

/** The last moment that is told to be causal before a time; the time itself if it is so, or none is near. */
async function causalTime(cluster: TidemarkCluster, wished: string): Promise<string> {
  return (await cluster.cli.json<SnapshotJson>(['snapshot', 'at', wished])).causal_before ?? wished;
}

/** @param time that was asked for, by the leader's clock; null: a snapshot's own */
async function check(
  restored: RestoredCluster,
  load: BankLoad,
  chain: OrderChain,
  time: string | null,
): Promise<Outcome> {
  const { snapshot } = restored.report;
  const bank = await restored.inspectBank(ACCOUNTS);
  assert.equal(restored.resolvedBranches, snapshot.in_doubt.length);
  const boundMs = orderBoundMs(snapshot);
  const { links, reorderedMs } = await chain.inspect(restored.shards);
  const stateMs = parseIsoTime(snapshot.time) / 1000;
  const bound = boundMs === 0 ? '' : ` ${boundMs.toFixed(1)} ms`;
  console.log(
    `      ${time ?? `snapshot ${snapshot.id}`}: ${bank.transfers} transfers, ${links} links, ` +
      `${snapshot.in_doubt.length} in doubt, ${snapshot.class.kind}${bound}`,
  );
  assert(reorderedMs <= boundMs, `a link is there that began ${reorderedMs} ms after one that is missing was done`);
  assert(links > 0, 'the chain is there');
  if (time !== null) {
    assert.equal(stateMs, parseIsoTime(time) / 1000);
    // the machine's clock is the leader's
    const later = load.attempts.filter(
      ({ transferId, atMs: begunAtMs }) => begunAtMs > stateMs && bank.transferIds.has(transferId),
    );
    assert.deepEqual(later, [], 'nothing is later than what was asked for');
  }
  // Acknowledgements' times are cut to milliseconds.
  const lost = findLost(bank, load.acknowledged).filter((acknowledged) => acknowledged.atMs < stateMs - boundMs - 1);
  assert.deepEqual(lost, [], 'nothing acknowledged before it is missing');
  return { isToTime: time !== null, boundMs };
}
