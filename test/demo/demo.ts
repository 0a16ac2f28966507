import {
  findLost,
  forbiddenOrderViolations,
  inspectBank,
  lostTimeMs,
  type BankReport,
} from '../support/bank/bank-check.ts';
import { BankLoad } from '../support/bank/bank-load.ts';
import { createBank, type BankLayout } from '../support/bank/bank-schema.ts';
import { findDamage } from '../support/bank/index-check.ts';
import { TidemarkCluster } from '../support/cluster.ts';
import type { CoordinatorProcess } from '../support/coordinator-process.ts';
import { DisposalStack } from '../support/disposal-stack.ts';
import { RestoredCluster, orderBoundMs, type SnapshotJson } from '../support/restored-cluster.ts';
import { waitFor } from '../support/wait-for.ts';
import { formatChecks, formatResult, type DemoCheck, type DemoResult } from './demo-result.ts';
import { formatTable, type Story } from './story.ts';

export interface DemoOptions {
  readonly story: Story;
  readonly seed: number;
  /** How long the bank works before the disaster, all in all. */
  readonly loadSeconds: number;
  readonly coordination: 'etcd' | 'embedded';
  readonly etcdMembers: 1 | 3;
}

const ACCOUNTS = 900;
const DATABASE_SERVERS = 3;

/** The whole story: three shards backed up as one, lost, and restored as one. What it makes, `stack` takes away again. */
export class Demo {
  readonly #options: DemoOptions;
  readonly #story: Story;
  readonly #stack: DisposalStack;
  #leader: CoordinatorProcess | null = null;
  #leaderChanges = 0;

  constructor(options: DemoOptions, stack: DisposalStack) {
    this.#options = options;
    this.#story = options.story;
    this.#stack = stack;
  }

  async run(): Promise<{ result: DemoResult; cluster: TidemarkCluster; layout: BankLayout }> {
    const cluster = await this.#startCluster();
    const layout: BankLayout = {
      accounts: ACCOUNTS,
      shards: cluster.shards.map(({ port }) => ({ host: '127.0.0.1', port })),
    };
    const load = await this.#openBank(cluster, layout);
    const lossAtMs = await this.#loseLeaderUnderLoad(cluster, load);
    const disaster = await this.#loseEverything(cluster, load, lossAtMs);
    const restore = await this.#restore(cluster, disaster.atMs);
    const restoredLayout = { ...layout, shards: restore.restored.shards };
    const result = await this.#check(restoredLayout, load, disaster, restore);
    return { result, cluster, layout: restoredLayout };
  }

  async #startCluster(): Promise<TidemarkCluster> {
    const { coordination, etcdMembers } = this.#options;
    const dataCenters = coordination === 'etcd' ? ['east', 'west', 'north'] : ['east'];
    this.#story.chapter('A sharded database, and its backup');
    this.#story.say(
      `Starting ${DATABASE_SERVERS} PostgreSQL 18 servers (the shards), an agent beside each, ` +
        (coordination === 'etcd'
          ? `etcd with ${etcdMembers} member${etcdMembers === 1 ? '' : 's'}, and coordinators in ${dataCenters.join(', ')}.`
          : `and one coordinator with embedded coordination.`),
    );
    const cluster = this.#stack.use(
      await TidemarkCluster.create({
        shards: DATABASE_SERVERS,
        dataCenters,
        coordination,
        etcdMembers,
        snapshotInterval: '2s',
      }),
    );
    const leader = await cluster.leader();
    this.#leader = leader;
    await waitFor('every shard streams', async () => {
      const { nodes } = await cluster.status();
      return nodes.length === DATABASE_SERVERS && nodes.every(({ state }) => state === 'streaming');
    });
    this.#story.say(
      `All run. ${leader.dataCenter} leads; every byte of WAL is acknowledged when ${Math.min(2, dataCenters.length)} data ` +
        `centre${dataCenters.length === 1 ? ' has' : 's have'} it on disk.`,
    );
    return cluster;
  }

  /** Counts a change that happened by itself: a slow machine can cost a leader its lease. */
  async #currentLeader(cluster: TidemarkCluster): Promise<CoordinatorProcess> {
    const leader = await cluster.leader();
    if (leader !== this.#leader) this.#leaderChanges += 1;
    this.#leader = leader;
    return leader;
  }

  /** After the leader was killed. */
  async #nextLeader(cluster: TidemarkCluster): Promise<CoordinatorProcess> {
    this.#leader = await cluster.leader();
    this.#leaderChanges += 1;
    return this.#leader;
  }

  async #openBank(cluster: TidemarkCluster, layout: BankLayout): Promise<BankLoad> {
    await createBank(layout);
    const load = this.#stack.use(
      new BankLoad(layout, {
        seed: this.#options.seed,
        abandonProbability: 0.03,
        leftoverAgeMs: 3000,
        transfersPerSecond: 150,
        noteLength: 400,
      }),
    );
    this.#story.chapter('A bank at work');
    this.#story.say(
      `${ACCOUNTS} accounts lie spread over the shards. Clients move money: within a shard, and across two shards with ` +
        `two-phase commit. Some clients die in the middle and leave transactions in doubt.`,
    );
    await waitFor('the first transfers', () => load.acknowledged.length > 20);
    const startedAt = performance.now();
    const { backups } = await cluster.cli.json<{ backups: readonly unknown[] }>(['backup', 'create'], 120_000);
    this.#story.say(
      `tidemark backup create: ${backups.length} base backups in ${seconds(performance.now() - startedAt)}, while the bank went on ` +
        `(${load.acknowledged.length} transfers so far).`,
    );
    const snapshot = await cluster.cli.json<SnapshotJson>(['snapshot', 'create', '--label', 'demo']);
    this.#story.say(
      `tidemark snapshot create: ${snapshot.id}, ${describeClass(snapshot)}, ${snapshot.in_doubt.length} branches in doubt ` +
        `with their decisions. From now on one is taken every 2 s.`,
    );
    await this.#workFor(load, this.#options.loadSeconds / 3);
    return load;
  }

  async #workFor(load: BankLoad, durationSeconds: number): Promise<void> {
    const until = performance.now() + durationSeconds * 1000;
    await waitFor('the bank works', () => performance.now() >= until, { timeoutMs: durationSeconds * 1000 + 5000 });
    if (load.acknowledged.length === 0) throw new Error('the bank did no work');
  }

  async #loseLeaderUnderLoad(cluster: TidemarkCluster, load: BankLoad): Promise<number> {
    this.#story.chapter('The backup leader dies');
    const leader = await this.#currentLeader(cluster);
    const before = await cluster.slotPositions();
    await leader.kill();
    const startedAt = performance.now();
    this.#story.say(`kill -9 of the leader, ${leader.dataCenter}. The bank does not notice.`);
    if (cluster.coordinators.length === 1) await leader.start();
    const next = await this.#nextLeader(cluster);
    await waitFor('acknowledgements go on', async () => {
      const positions = await cluster.slotPositions();
      return positions.every((position, number) => position > (before[number] ?? 0n));
    });
    this.#story.say(
      `${next === leader ? 'It is back' : `${next.dataCenter} has taken over`} and acknowledges new WAL of every shard ` +
        `${seconds(performance.now() - startedAt)} after the kill.`,
    );
    if (next !== leader) {
      await leader.start();
      this.#story.say(`${leader.dataCenter} is started again and catches up as a follower.`);
    }
    const lossAtMs = Date.now();
    await this.#workFor(load, this.#options.loadSeconds / 3);
    return lossAtMs;
  }

  async #loseEverything(
    cluster: TidemarkCluster,
    load: BankLoad,
    leaderLostAtMs: number,
  ): Promise<{ atMs: number; snapshot: SnapshotJson }> {
    await waitFor(
      'a snapshot after the change of leader that all data centres hold',
      async () => {
        const latest = await cluster.cli.json<SnapshotJson>(['snapshot', 'show', 'latest']);
        return Date.parse(latest.time) > leaderLostAtMs && latest.data_centers.length === cluster.coordinators.length;
      },
      { intervalMs: 500 },
    );
    await this.#workFor(load, this.#options.loadSeconds / 3);
    this.#story.chapter('The disaster');
    const atMs = Date.now();
    await Promise.all([...cluster.shards.map((shard) => shard.kill()), ...cluster.agents.map((agent) => agent.kill())]);
    await Promise.all(cluster.shards.map((shard) => shard.destroyData()));
    this.#story.say(
      `kill -9 of all ${DATABASE_SERVERS} PostgreSQL servers and their agents under load; their data directories are deleted.`,
    );
    if (cluster.coordinators.length > 1) {
      const lost = await this.#currentLeader(cluster);
      await lost.kill();
      await lost.destroyRepository();
      this.#story.say(
        `Data centre ${lost.dataCenter}, which led, burns down with them: its repository is deleted too.`,
      );
      const next = await this.#nextLeader(cluster);
      this.#story.say(`${next.dataCenter} leads now.`);
    }
    await load.stop();
    this.#story.say(
      `Clients had been told of ${load.acknowledged.length} transfers; ${load.abandoned} clients had died in the middle of one.`,
    );
    const snapshot = await cluster.cli.json<SnapshotJson>(['snapshot', 'show', 'latest']);
    return { atMs, snapshot };
  }

  async #restore(
    cluster: TidemarkCluster,
    disasterAtMs: number,
  ): Promise<{ restored: RestoredCluster; rtoMs: number }> {
    this.#story.chapter('The restore');
    this.#story.say(
      'On three new hosts an agent is started. tidemark restore --snapshot latest --target shard-0=… (and two more)',
    );
    const restored = this.#stack.use(await RestoredCluster.fromCoordinators(cluster));
    const rtoMs = Date.now() - disasterAtMs;
    this.#story.say(
      `Restored ${restored.report.snapshot.id}, ${describeClass(restored.report.snapshot)}, in ` +
        `${seconds(restored.report.duration_ms)}: all shards stood at the cut before any was promoted; ` +
        `${restored.resolvedBranches} in-doubt branches were finished.`,
    );
    return { restored, rtoMs };
  }

  async #check(
    layout: BankLayout,
    load: BankLoad,
    disaster: { atMs: number; snapshot: SnapshotJson },
    { restored, rtoMs }: { restored: RestoredCluster; rtoMs: number },
  ): Promise<DemoResult> {
    this.#story.chapter('Is it one database again?');
    const { report: restore, resolvedBranches } = restored;
    const bank = await inspectBank(layout);
    const damage = (await Promise.all(layout.shards.map((shard) => findDamage(shard)))).flat();
    const lost = findLost(bank, load.acknowledged);
    const snapshotAtMs = Date.parse(restore.snapshot.time);
    const lostBefore = lost.filter(({ atMs }) => atMs < snapshotAtMs - 1000);
    const checks: DemoCheck[] = [
      ...bankChecks(bank, orderBoundMs(restore.snapshot)),
      {
        name: 'in-doubt branches are the predicted ones',
        ok: resolvedBranches === restore.snapshot.in_doubt.length,
        detail: `${resolvedBranches} resolved, ${restore.snapshot.in_doubt.length} predicted`,
      },
      {
        name: 'nothing acknowledged before the snapshot is lost',
        ok: lostBefore.length === 0 && bank.transfers > 0,
        detail: `${lost.length} transfers after it are lost`,
      },
      { name: 'tables and indexes are sound (amcheck)', ok: damage.length === 0, detail: damage[0] ?? 'no damage' },
    ];
    this.#story.show(formatChecks(checks));
    const result: DemoResult = {
      ok: checks.every(({ ok }) => ok),
      nodes: restore.nodes.length,
      transfers_acknowledged: load.acknowledged.length,
      transfers_restored: bank.transfers,
      torn_transfers: bank.torn.length,
      in_doubt_resolved: resolvedBranches,
      balance_expected: bank.balanceExpected,
      balance_restored: bank.balance,
      snapshot_id: restore.snapshot.id,
      snapshot_class: describeClass(restore.snapshot),
      rpo_ms: lostTimeMs(lost, disaster.atMs),
      rto_ms: rtoMs,
      leader_changes: this.#leaderChanges,
      copies: disaster.snapshot.data_centers.length,
    };
    this.#story.chapter(result.ok ? 'Every check held' : 'A check failed');
    this.#story.show(formatResult(result));
    return result;
  }
}

function bankChecks(bank: BankReport, boundMs: number): DemoCheck[] {
  const outOfOrder = forbiddenOrderViolations(bank, boundMs);
  const within = boundMs === 0 ? '' : `, but for what was written within ${boundMs.toFixed(1)} ms`;
  return [
    {
      name: 'the sum of all accounts',
      ok: bank.balance === bank.balanceExpected,
      detail: `${bank.balance} of ${bank.balanceExpected}`,
    },
    { name: 'every transfer is whole or absent', ok: bank.torn.length === 0, detail: `${bank.transfers} transfers` },
    {
      name: 'what one client wrote first is there first',
      ok: outOfOrder.length === 0,
      detail: `${outOfOrder.length} out of order${within}`,
    },
    { name: 'nothing is left in doubt', ok: bank.prepared.length === 0, detail: `${bank.prepared.length} prepared` },
    {
      name: 'every balance follows from its transfers',
      ok: bank.wrongAccounts.length === 0,
      detail: `${bank.wrongAccounts.length} wrong`,
    },
  ];
}

function describeClass({ class: kind }: SnapshotJson): string {
  return kind.bound_us === undefined ? kind.kind : `${kind.kind}(${kind.bound_us} µs)`;
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}

/** What a person may try with `--keep`. */
export function formatCommands(cluster: TidemarkCluster, layout: BankLayout): string {
  const addresses = cluster.coordinators.filter(({ running }) => running).map(({ address }) => address);
  return formatTable([
    ...layout.shards.map((shard, number) => [
      `restored shard-${number}`,
      `psql -h ${shard.host} -p ${shard.port} -U postgres bank`,
    ]),
    ['status', `TIDEMARK_COORDINATOR=${addresses.join(',')} npm run -s tidemark -- status`],
    ...cluster.coordinators
      .filter(({ running }) => running)
      .map(({ dataCenter, repositoryPath }) => [
        `repository ${dataCenter}`,
        `npm run -s tidemark -- repository list --path ${repositoryPath}`,
      ]),
  ]);
}
