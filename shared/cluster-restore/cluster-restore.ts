import { createHash } from 'node:crypto';
import type { Progress } from '../admin/progress.ts';
import type { RestoredNode, RestoreTargetSpec } from '../admin/restore.ts';
import { assert } from '../errors/assert.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn } from '../postgres/lsn.ts';
import type { InDoubtDecision } from '../repository/snapshot-manifest.ts';
import type { NodeRestorePlan, RestorePlan } from '../restore-plan/restore-plan.ts';
import { onAllNodes } from './all-nodes.ts';
import type { BackupSource, PreparedTransaction, PrepareRequest, Promoted, RestoreTarget } from './restore-target.ts';

const ABANDON_TIMEOUT_MS = 30_000;

/** A node's plan, and where it is carried out. */
export interface NodeRestore {
  readonly plan: NodeRestorePlan;
  readonly spec: RestoreTargetSpec;
  readonly target: RestoreTarget;
}

export interface ClusterRestoreOptions {
  readonly restoreId: string;
  readonly plan: RestorePlan;
  readonly nodes: readonly NodeRestore[];
  readonly source: BackupSource;
  readonly assertions: readonly string[];
  /** For the opened servers. */
  readonly settings: Readonly<Record<string, string>>;
  /** Stop when all nodes stand at the cut. */
  readonly pause: boolean;
}

export interface ClusterRestoreResult {
  readonly nodes: readonly RestoredNode[];
  readonly paused: boolean;
}

/**
 * The id under which agents know a restore: the same for the same snapshot and targets, so that a command that is given again
 * goes on where the last one stopped.
 */
export function restoreIdOf(snapshotId: string, targets: readonly RestoreTargetSpec[]): string {
  const places = targets.map(({ node, agentAddress, directory }) => JSON.stringify([node, agentAddress, directory]));
  const digest = createHash('sha256').update(places.sort().join('\n')).digest('hex').slice(0, 12);
  return `${snapshotId}-${digest}`;
}

/** One agent may be the target of several nodes: each has an id of its own there. */
function nodeRestoreId(restoreId: string, node: string): string {
  return `${restoreId}-${createHash('sha256').update(node).digest('hex').slice(0, 6)}`;
}

/**
 * Joins a plan with its targets: every node of the snapshot once, no directory twice.
 * @throws TidemarkError TM-RESTORE-003
 */
export function matchTargets(
  plan: RestorePlan,
  specs: readonly RestoreTargetSpec[],
): readonly Omit<NodeRestore, 'target'>[] {
  const problems = [
    ...plan.nodes
      .filter(({ node }) => specs.every((spec) => spec.node !== node))
      .map(({ node }) => `${node} has no target`),
    ...specs
      .filter(({ node }) => plan.nodes.every((known) => known.node !== node))
      .map(({ node }) => `${node} is no node of it`),
    ...specs
      .filter(({ node }, index) => specs.findIndex((spec) => spec.node === node) < index)
      .map(({ node }) => `${node} is named twice`),
    ...specs
      .filter((spec, index) => specs.findIndex((other) => samePlace(spec, other)) < index)
      .map(({ agentAddress, directory }) => `${agentAddress}:${directory} is given to two nodes`),
    ...specs
      .filter(({ directory }) => !directory.startsWith('/'))
      .map(({ directory }) => `${directory} is not an absolute path`),
  ];
  if (problems.length > 0) {
    throw new TidemarkError(
      'TM-RESTORE-003',
      `the targets do not fit snapshot ${plan.snapshot.id}: ${problems.join('; ')}`,
    );
  }
  return specs.map((spec) => {
    const node = plan.nodes.find((known) => known.node === spec.node);
    assert(node !== undefined, 'every target has its plan');
    return { plan: node, spec };
  });
}

/**
 * Restores all nodes together. No node is promoted before all stand at the cut; no branch is resolved before every node's
 * prepared transactions were compared with what the snapshot predicts; no node is opened before all were resolved and checked.
 * After a failure before that, all are abandoned: their servers stopped, their files kept. Each step may be repeated, so
 * the same restore given again goes on.
 * @throws TidemarkError TM-RESTORE-004 to 006, or what a target threw
 */
export async function* restoreCluster(
  options: ClusterRestoreOptions,
  signal: AbortSignal,
): AsyncGenerator<Progress, ClusterRestoreResult> {
  const { restoreId, nodes, plan } = options;
  assert(nodes.length === plan.nodes.length, 'every node of the plan has its target');
  let finished = false;
  let opening = false;
  const onEachNode = <Result>(step: (node: NodeRestore, report: Report, aborted: AbortSignal) => Promise<Result>) =>
    onAllNodes(nodes, signal, async (node, report, aborted) => {
      try {
        return await step(node, report, aborted);
      } catch (error) {
        throw failureOn(node, error);
      }
    });
  try {
    yield* onEachNode(async ({ target, ...node }, report, aborted) => {
      await follow(target.prepare(prepareRequest(options, node), aborted), report);
    });
    yield* onEachNode(async ({ target, plan: { node } }, report, aborted) => {
      await follow(target.startFenced(nodeRestoreId(restoreId, node), aborted), report);
    });
    yield progress('paused', `all ${nodes.length} nodes stand at the cut`);
    if (options.pause) {
      finished = true;
      return {
        nodes: nodes.map((node) => restored(node, node.spec.port, { committed: 0, rolledBack: 0 })),
        paused: true,
      };
    }
    const promoted = yield* onEachNode(({ target, plan: { node } }, _report, aborted) =>
      target.promote(nodeRestoreId(restoreId, node), aborted),
    );
    checkPromoted(options, promoted);
    yield progress('resolve', `${plan.snapshot.inDoubt.length} branches in doubt, as predicted`);
    const resolved = yield* onEachNode(({ target, plan: { node } }, _report, aborted) =>
      target.resolve(nodeRestoreId(restoreId, node), inDoubtOf(options, node), aborted),
    );
    const failures = yield* onEachNode(({ target, plan: { node } }, _report, aborted) =>
      target.check(nodeRestoreId(restoreId, node), options.assertions, aborted),
    );
    checkFailures(options, failures);
    yield progress('open', 'every check held');
    opening = true;
    const opened = yield* onEachNode(({ target, plan: { node } }, _report, aborted) =>
      target.open(nodeRestoreId(restoreId, node), aborted),
    );
    finished = true;
    return {
      nodes: nodes.map((node, index) =>
        restored(node, opened[index]?.port ?? node.spec.port, resolved[index] ?? { committed: 0, rolledBack: 0 }),
      ),
      paused: false,
    };
  } finally {
    // While they are being opened, some are open to clients: those are not taken away again.
    if (!finished && !opening) {
      await abandonAll(options);
    }
  }
}

type Report = (progress: Progress) => void;

/** Says on which node it was; and what to do where the code's own remedy is a repository's. */
function failureOn({ plan: { node }, spec }: NodeRestore, error: unknown): unknown {
  if (!(error instanceof TidemarkError)) {
    return error;
  }
  const { code, message, retryable } = error;
  const hint =
    code === 'TM-REPO-007' ? `Make room for ${spec.directory}, and give the same command again.` : error.hint;
  return new TidemarkError(code, `${node}: ${message}`, { hint, retryable, cause: error });
}

function prepareRequest(
  { restoreId, source, settings, plan: { snapshot } }: ClusterRestoreOptions,
  { plan, spec }: Omit<NodeRestore, 'target'>,
): PrepareRequest {
  return {
    restoreId: nodeRestoreId(restoreId, plan.node),
    stream: { node: plan.node, systemIdentifier: plan.systemIdentifier, timeline: plan.timeline },
    backupId: plan.backup.id,
    targetLsn: plan.targetLsn,
    walFromLsn: plan.walFromLsn,
    walEndLsn: plan.walEndLsn,
    walSegmentBytes: plan.walSegmentBytes,
    directory: spec.directory,
    port: spec.port,
    source,
    tablespaceDirectories: spec.tablespaceDirectories,
    expectedInDoubt: snapshot.inDoubt.filter((branch) => branch.node === plan.node),
    settings,
  };
}

function inDoubtOf({ plan }: ClusterRestoreOptions, node: string): readonly InDoubtDecision[] {
  return plan.snapshot.inDoubt.filter((branch) => branch.node === node);
}

/** Everything that differs from the prediction, on all nodes, before anything is decided. */
function checkPromoted(options: ClusterRestoreOptions, promoted: readonly Promoted[]): void {
  const misplaced: string[] = [];
  const different: string[] = [];
  for (const [index, { plan }] of options.nodes.entries()) {
    const found = promoted[index];
    assert(found !== undefined, 'every node was promoted');
    if (found.replayLsn <= plan.targetLsn || found.replayLsn > plan.walEndLsn + 7n) {
      misplaced.push(
        `${plan.node} replayed up to ${formatLsn(found.replayLsn)}, its target is ${formatLsn(plan.targetLsn)}`,
      );
    }
    different.push(...differences(plan.node, inDoubtOf(options, plan.node), found.prepared));
  }
  if (misplaced.length > 0) {
    throw new TidemarkError('TM-RESTORE-004', `not every node stood at the cut: ${misplaced.join('; ')}`);
  }
  if (different.length > 0) {
    throw new TidemarkError('TM-RESTORE-005', `snapshot ${options.plan.snapshot.id}: ${different.join('; ')}`);
  }
}

function differences(
  node: string,
  predicted: readonly InDoubtDecision[],
  found: readonly PreparedTransaction[],
): string[] {
  const name = ({ gid, xid, databaseOid }: PreparedTransaction) =>
    `${JSON.stringify(gid)} (xid ${xid}, database ${databaseOid})`;
  const expected = new Set(predicted.map((branch) => name(branch)));
  const actual = new Set(found.map((branch) => name(branch)));
  return [
    ...[...expected]
      .filter((branch) => !actual.has(branch))
      .map((branch) => `${node} lacks the prepared transaction ${branch}`),
    ...[...actual]
      .filter((branch) => !expected.has(branch))
      .map((branch) => `${node} has the prepared transaction ${branch}, which was not predicted`),
  ];
}

function checkFailures({ nodes }: ClusterRestoreOptions, failures: readonly (readonly string[])[]): void {
  const all = nodes.flatMap(({ plan }, index) => (failures[index] ?? []).map((failure) => `${plan.node}: ${failure}`));
  if (all.length > 0) {
    throw new TidemarkError('TM-RESTORE-006', all.join('; '));
  }
}

async function abandonAll({ nodes, restoreId }: ClusterRestoreOptions): Promise<void> {
  const deadline = AbortSignal.timeout(ABANDON_TIMEOUT_MS);
  // A target that cannot be reached stays fenced; the error that brought us here is the one to tell.
  await Promise.allSettled(
    nodes.map(({ target, plan: { node } }) => target.abandon(nodeRestoreId(restoreId, node), deadline)),
  );
}

async function follow(steps: AsyncIterable<Progress>, report: (progress: Progress) => void): Promise<void> {
  for await (const step of steps) {
    report(step);
  }
}

function restored(
  { plan, spec }: NodeRestore,
  port: number,
  { committed, rolledBack }: { readonly committed: number; readonly rolledBack: number },
): RestoredNode {
  return {
    node: plan.node,
    agentAddress: spec.agentAddress,
    directory: spec.directory,
    port,
    inDoubtCommitted: committed,
    inDoubtRolledBack: rolledBack,
  };
}

function progress(phase: string, message: string): Progress {
  return { phase, node: '', bytesDone: 0n, bytesTotal: 0n, message };
}

function samePlace(a: RestoreTargetSpec, b: RestoreTargetSpec): boolean {
  return a.agentAddress === b.agentAddress && a.directory === b.directory;
}
