import { z } from 'zod';
import { MATCHER_NAMES, type MatcherChoice } from '../cuts/choose-matchers.ts';
import type { OpenDecision } from '../cuts/decision.ts';
import { patternProblem } from '../cuts/pattern-matcher.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, parseLsn, type Lsn } from '../postgres/lsn.ts';
import { checkName } from './layout.ts';

/** The version of `snapshots/<id>.json` that this code writes; it reads every version from 1 up to it. */
export const SNAPSHOT_FORMAT = 1;

/**
 * What a snapshot promises about transactions that share no two-phase commit. `causal`: the cut is the state at one
 * instant. `bounded`: two of them may be reordered only if they committed within `boundUs` of each other.
 */
export type SnapshotClass = { readonly kind: 'causal' } | { readonly kind: 'bounded'; readonly boundUs: number };

/** One node's position in a snapshot, and what a restore to it needs. */
export interface SnapshotNode {
  readonly node: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** START of the last record included: PostgreSQL's inclusive recovery_target_lsn. */
  readonly targetLsn: Lsn;
  /** One past the last byte of WAL that a restore needs. */
  readonly walEndLsn: Lsn;
  readonly walSegmentBytes: number;
  /** Sampled after everything in the cut was written; the WAL was read up to here before the cut was declared. */
  readonly sampledLsn: Lsn;
  /** False if the node did not answer: the position is then the last one known for it. */
  readonly sampled: boolean;
  /** The node's clock when `sampledLsn` was read, beside the clock of the manifest's coordinator in its term. */
  readonly clock?: SnapshotClock;
  /** Citus's groups whose transactions were seen to be begun on this node. */
  readonly originates?: readonly string[];
}

/** See ClockReading: the position is the node's `sampledLsn`. */
interface SnapshotClock {
  readonly nodeTimeUs: bigint;
  readonly offsetUs: bigint;
  readonly uncertaintyUs: bigint;
}

export type Decision = 'commit' | 'rollback';

/** A branch that is prepared and unfinished at the cut, and how a restore finishes it. */
export interface InDoubtDecision {
  readonly node: string;
  readonly gid: string;
  readonly xid: number;
  readonly databaseOid: number;
  /** Start of its PREPARE; where the stream began if that was read from pg_prepared_xacts and not from WAL. */
  readonly prepareLsn: Lsn;
  /** By the node's clock, microseconds since 1970-01-01 UTC. */
  readonly preparedAtUs: bigint;
  readonly decision: Decision;
}

/** How one branch of a broken transaction ended. `lost`: it was on a timeline that was left, or its PREPARE was never seen. */
export const BROKEN_BRANCH_STATES = ['commit', 'rollback', 'open', 'lost'] as const;
export type BrokenBranchState = (typeof BROKEN_BRANCH_STATES)[number];

/**
 * `torn`: committed on one node and rolled back on another; `branch-lost`: a failover took a branch of a committed one; `prepare-missing`: a
 * branch was committed whose PREPARE is nowhere; `decision-lost`: branches were committed, and a crash lost the decision;
 * `unknown`: WAL is missing that would say whether it was committed.
 */
export const BROKEN_KINDS = ['torn', 'branch-lost', 'prepare-missing', 'decision-lost', 'unknown'] as const;
export type BrokenKind = (typeof BROKEN_KINDS)[number];

/** A transaction that can never be whole. It does not hold the cut back. */
export interface BrokenTransaction {
  readonly kind: BrokenKind;
  /** Of one of its branches; empty where no record gives one. */
  readonly gid: string;
  /** In words. */
  readonly reason: string;
  readonly branches: readonly { readonly node: string; readonly xid: number; readonly state: BrokenBranchState }[];
}

/** A cut with its timestamp, its guarantee, and the decisions that a restore carries out. */
export interface Snapshot {
  /** The text form of its timestamp; sorts by time. */
  readonly id: string;
  /** Microseconds since 1970-01-01 UTC, by the leader's hybrid clock. */
  readonly timeUs: bigint;
  readonly label: string;
  readonly class: SnapshotClass;
  /** Of one that was computed for a time and is bounded: the last moment before it, if there is one near, whose state would be causal. */
  readonly causalBeforeUs?: bigint;
  /**
   * It is of every node: each answered, or none did and all had waited for the acknowledgements (synchronous mode). `latest` means the
   * last complete one.
   */
  readonly complete: boolean;
  readonly cluster: string;
  readonly coordinatorId: string;
  readonly term: bigint;
  readonly nodes: readonly SnapshotNode[];
  readonly inDoubt: readonly InDoubtDecision[];
  /**
   * Rows in the cut that decide over branches, of transactions that run on behind it. A restore has no use for them; the next cut has: the
   * commits that they wait for lie behind this one.
   */
  readonly openDecisions?: readonly OpenDecision[];
  /** How the branches of one transaction were told: whoever has only this copy computes other cuts alike. */
  readonly match?: readonly MatcherChoice[];
  readonly broken: readonly BrokenTransaction[];
}

const decimal = z.string().regex(/^\d{1,20}$/);
const signedDecimal = z.string().regex(/^-?\d{1,19}$/);
const lsnText = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const xid = z.int().min(0).max(0xffffffff);
const oid = xid;

const manifestSchema = z.object({
  formatVersion: z.literal(SNAPSHOT_FORMAT),
  id: name,
  timeUs: decimal,
  label: z.string().max(256),
  class: z.enum(['causal', 'bounded']),
  boundUs: z.int().min(0).optional(),
  complete: z.boolean(),
  cluster: z.string(),
  coordinatorId: z.string(),
  term: decimal,
  nodes: z.array(
    z.object({
      node: name,
      systemIdentifier: decimal,
      timeline: z.int().min(1).max(0xffffffff),
      targetLsn: lsnText,
      walEndLsn: lsnText,
      walSegmentBytes: z
        .int()
        .min(1 << 20)
        .max(1 << 30),
      sampledLsn: lsnText,
      sampled: z.boolean(),
      clock: z.object({ nodeTimeUs: decimal, offsetUs: signedDecimal, uncertaintyUs: decimal }).optional(),
      originates: z.array(z.string()).optional(),
    }),
  ),
  inDoubt: z.array(
    z.object({
      node: name,
      gid: z.string().min(1).max(200),
      xid,
      databaseOid: oid,
      prepareLsn: lsnText,
      preparedAtUs: decimal,
      decision: z.enum(['commit', 'rollback']),
    }),
  ),
  match: z
    .array(
      z.union([
        z.enum(MATCHER_NAMES),
        z.object({ pattern: z.string().refine((expression) => patternProblem(expression) === null) }),
      ]),
    )
    .optional(),
  openDecisions: z
    .array(
      z.object({
        node: name,
        xid,
        rows: z.array(z.object({ gid: z.string().min(1).max(200), databaseOid: oid, lsn: lsnText })),
      }),
    )
    .optional(),
  broken: z.array(
    z.object({
      kind: z.enum(BROKEN_KINDS).default('torn'),
      gid: z.string(),
      reason: z.string(),
      branches: z.array(z.object({ node: name, xid, state: z.enum(BROKEN_BRANCH_STATES) })),
    }),
  ),
});

/** The bytes of `snapshots/<id>.json`: JSON with LSNs in PostgreSQL's form and 64-bit numbers as decimal text. */
export function encodeSnapshot(snapshot: Snapshot): Buffer {
  const manifest: z.input<typeof manifestSchema> = {
    formatVersion: SNAPSHOT_FORMAT,
    id: checkName('snapshot', snapshot.id),
    timeUs: snapshot.timeUs.toString(),
    label: snapshot.label,
    class: snapshot.class.kind,
    ...(snapshot.class.kind === 'bounded' ? { boundUs: snapshot.class.boundUs } : {}),
    complete: snapshot.complete,
    cluster: snapshot.cluster,
    coordinatorId: snapshot.coordinatorId,
    term: snapshot.term.toString(),
    nodes: snapshot.nodes.map(({ clock, originates, ...node }) => ({
      ...node,
      ...(originates === undefined || originates.length === 0 ? {} : { originates: [...originates] }),
      targetLsn: formatLsn(node.targetLsn),
      walEndLsn: formatLsn(node.walEndLsn),
      sampledLsn: formatLsn(node.sampledLsn),
      ...(clock === undefined
        ? {}
        : {
            clock: {
              nodeTimeUs: clock.nodeTimeUs.toString(),
              offsetUs: clock.offsetUs.toString(),
              uncertaintyUs: clock.uncertaintyUs.toString(),
            },
          }),
    })),
    inDoubt: snapshot.inDoubt.map((branch) => ({
      ...branch,
      prepareLsn: formatLsn(branch.prepareLsn),
      preparedAtUs: branch.preparedAtUs.toString(),
    })),
    ...(snapshot.match === undefined ? {} : { match: [...snapshot.match] }),
    ...(snapshot.openDecisions === undefined || snapshot.openDecisions.length === 0
      ? {}
      : { openDecisions: snapshot.openDecisions.map(encodeOpenDecision) }),
    broken: snapshot.broken.map((broken) => ({ ...broken, branches: [...broken.branches] })),
  };
  return Buffer.from(`${JSON.stringify(manifestSchema.parse(manifest), null, 1)}\n`);
}

function encodeOpenDecision({ node, xid, rows }: OpenDecision) {
  return { node, xid, rows: rows.map((row) => ({ ...row, lsn: formatLsn(row.lsn) })) };
}

/**
 * Reads what {@link encodeSnapshot} wrote.
 * @param source for messages, where the bytes come from
 * @throws TidemarkError TM-REPO-003 if they are no snapshot, TM-REPO-008 if their format is newer
 */
export function decodeSnapshot(bytes: Uint8Array, source: string): Snapshot {
  const manifest = parseManifest(bytes, source);
  if (manifest.class === 'bounded' && manifest.boundUs === undefined) {
    throw new TidemarkError('TM-REPO-003', `${source}: a bounded snapshot without its bound`);
  }
  const nodes = manifest.nodes.map(({ clock, originates, ...node }): SnapshotNode => ({
    ...node,
    ...(originates === undefined ? {} : { originates }),
    targetLsn: parseLsn(node.targetLsn),
    walEndLsn: parseLsn(node.walEndLsn),
    sampledLsn: parseLsn(node.sampledLsn),
    ...(clock === undefined
      ? {}
      : {
          clock: {
            nodeTimeUs: BigInt(clock.nodeTimeUs),
            offsetUs: BigInt(clock.offsetUs),
            uncertaintyUs: BigInt(clock.uncertaintyUs),
          },
        }),
  }));
  const names = new Set(nodes.map((node) => node.node));
  if (names.size !== nodes.length) {
    throw new TidemarkError('TM-REPO-003', `${source}: a node is named twice`);
  }
  for (const node of nodes) {
    if (node.walEndLsn <= node.targetLsn) {
      throw new TidemarkError('TM-REPO-003', `${source}: node ${node.node}: its WAL ends before its target`);
    }
  }
  const inDoubt = manifest.inDoubt.map((branch) => {
    if (!names.has(branch.node)) {
      throw new TidemarkError('TM-REPO-003', `${source}: a branch of unknown node ${branch.node}`);
    }
    return { ...branch, prepareLsn: parseLsn(branch.prepareLsn), preparedAtUs: BigInt(branch.preparedAtUs) };
  });
  const openDecisions = manifest.openDecisions?.map(({ rows, ...decision }) => ({
    ...decision,
    rows: rows.map((row) => ({ ...row, lsn: parseLsn(row.lsn) })),
  }));
  return {
    id: manifest.id,
    timeUs: BigInt(manifest.timeUs),
    label: manifest.label,
    class: manifest.class === 'causal' ? { kind: 'causal' } : { kind: 'bounded', boundUs: manifest.boundUs ?? 0 },
    complete: manifest.complete,
    cluster: manifest.cluster,
    coordinatorId: manifest.coordinatorId,
    term: BigInt(manifest.term),
    nodes,
    inDoubt,
    ...(openDecisions === undefined ? {} : { openDecisions }),
    ...(manifest.match === undefined ? {} : { match: manifest.match }),
    broken: manifest.broken,
  };
}

function parseManifest(bytes: Uint8Array, source: string): z.output<typeof manifestSchema> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new TidemarkError('TM-REPO-003', `${source} is not JSON`, { cause });
  }
  const version = z.object({ formatVersion: z.int() }).safeParse(json);
  if (version.success && version.data.formatVersion > SNAPSHOT_FORMAT) {
    throw new TidemarkError('TM-REPO-008', `${source} has format ${version.data.formatVersion}`);
  }
  const parsed = manifestSchema.safeParse(json);
  if (!parsed.success) {
    throw new TidemarkError('TM-REPO-003', `${source} is no snapshot: ${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}
