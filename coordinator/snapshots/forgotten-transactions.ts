import type { PastEvents } from '../../shared/any-time/past-events.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { matchGid, type BranchMatcher } from '../../shared/cuts/branch-matcher.ts';
import type { Recalled } from '../../shared/cuts/branch-history.ts';
import { KeyedHistory } from '../../shared/cuts/keyed-history.ts';
import { formatLsn, lsn, maxLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { Snapshot } from '../../shared/repository/snapshot-manifest.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { StartingPoint } from './starting-point.ts';
import type { NodeTracker } from './node-tracker.ts';

/** A node's transaction events behind a record; null: from the first that is held. */
export type ReadPast = (
  stream: WalStreamKey & { readonly segmentBytes: number },
  afterLsn: Lsn | null,
) => AsyncIterable<PastEvents>;

interface ForgottenOptions {
  /** Where reading began; null: with the beginning of all WAL. Before the base nothing is forgotten that a later cut could ask for. */
  readonly start: StartingPoint | null;
  readonly matchers: readonly BranchMatcher[];
  readonly readPast: ReadPast;
}

/** A node as a cut takes it. */
export interface NodeInCut {
  readonly known: NodeTracker;
  /** It did not answer: what starts at or after this is not in the cut. Null if it did. */
  readonly silentFromLsn: Lsn | null;
}

/**
 * What was forgotten of transactions that were finished, as far as was known, while a node did not answer.
 *
 * Invariant: whatever was forgotten since `base` can have a further branch, or a decision, only on an unseen node, from the
 * position on where that one had been read. As soon as something is read there, what was forgotten of the same keys is read anew from
 * the index and taken back, before any cut is computed with it. So the memory of a long absence is the index, and what is held is
 * what is open.
 */
export class ForgottenTransactions {
  readonly #options: ForgottenOptions;
  #base: Snapshot | null;
  /** What was kept at the base: of transactions that were not finished as a whole, also what had ended before it. */
  #keptAtBase: readonly Recalled[] = [];
  readonly #unseen = new Map<string, { readonly timeline: number; readonly fromLsn: Lsn }>();
  #failed = false;

  constructor(options: ForgottenOptions) {
    this.#options = options;
    this.#base = options.start?.base ?? null;
    for (const { node, timeline, targetLsn, sampled } of options.start?.from.nodes ?? []) {
      if (!sampled) this.#unseen.set(node, { timeline, fromLsn: lsn(targetLsn + 1n) });
    }
  }

  /** What was forgotten could not be read again: the WAL itself has to be read anew. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Takes back what a cut over these nodes asks for. @throws the source's error; then `failed` says so */
  async recall(nodes: readonly NodeInCut[], signal: AbortSignal): Promise<void> {
    const keys = new Set<string>();
    const seen = nodes.map(({ known, silentFromLsn }) => {
      this.#addNewKeys(known, silentFromLsn, keys);
      return { node: known.node, timeline: known.stream.timeline, fromLsn: silentFromLsn ?? known.readLsn };
    });
    if (keys.size > 0) {
      const found: Recalled[] = [];
      try {
        for (const { known } of nodes) {
          found.push(...this.#keptOf(known.node, keys), await this.#read(known, keys, signal));
        }
      } catch (error) {
        signal.throwIfAborted();
        this.#failed = true;
        throw error;
      }
      for (const { known } of nodes) {
        const { node, history } = known;
        const beforeLsn = lsn(history.forgottenLsn + 1n);
        for (const recalled of found) if (recalled.node === node) history.recall(recalled, beforeLsn);
      }
    }
    for (const { node, timeline, fromLsn } of seen) {
      if (this.#unseen.has(node)) this.#unseen.set(node, { timeline, fromLsn });
    }
  }

  /** What a cut over all nodes has settled was forgotten. @param snapshot that cut's */
  forgot(nodes: readonly NodeInCut[], snapshot: Snapshot): void {
    for (const { known, silentFromLsn } of nodes) {
      if (silentFromLsn === null) {
        // Whatever was finished below this cut had its branches here before the node was asked.
        this.#unseen.delete(known.node);
      } else if (!this.#unseen.has(known.node)) {
        this.#unseen.set(known.node, { timeline: known.stream.timeline, fromLsn: silentFromLsn });
      }
    }
    if (this.#unseen.size > 0) return;
    this.#base = snapshot;
    this.#keptAtBase = nodes.map(({ known }) => recalledFrom(known));
    for (const { known } of nodes) known.history.forgetBarriers();
  }

  /** The keys of what an unseen node has shown since. */
  #addNewKeys({ node, stream, history }: NodeTracker, silentFromLsn: Lsn | null, keys: Set<string>): void {
    const unseen = this.#unseen.get(node);
    if (unseen === undefined) return;
    // Another timeline may have left this one anywhere before.
    const fromLsn = unseen.timeline === stream.timeline ? unseen.fromLsn : NO_LSN;
    const isNew = (position: Lsn) => position >= fromLsn && (silentFromLsn === null || position < silentFromLsn);
    const { branches, decisions = [] } = history.forCut();
    const rows = decisions.filter((decision) => isNew(decision.lsn)).flatMap((decision) => decision.rows);
    for (const named of [...branches.filter(({ prepareLsn }) => isNew(prepareLsn)), ...rows]) {
      const match = matchGid(named, this.#options.matchers);
      if (match !== null) keys.add(match.key);
    }
  }

  async #read(known: NodeTracker, keys: ReadonlySet<string>, signal: AbortSignal): Promise<Recalled> {
    const { stream, segmentBytes } = known;
    const start = this.#base?.nodes.find(
      ({ node, systemIdentifier }) => node === stream.node && systemIdentifier === stream.systemIdentifier,
    );
    const past = new KeyedHistory(stream.node, start?.timeline ?? stream.timeline, keys, this.#options.matchers);
    const { forgottenLsn } = known.history;
    let readLsn = NO_LSN;
    if (this.#base !== null && start !== undefined) {
      past.startAtSnapshot(this.#base, start.sampledLsn);
      readLsn = start.walEndLsn;
    }
    if (forgottenLsn > (start?.targetLsn ?? NO_LSN)) {
      for await (const { endLsn, events } of this.#options.readPast(
        { ...stream, segmentBytes },
        start?.targetLsn ?? null,
      )) {
        signal.throwIfAborted();
        for (const event of events) past.apply(event);
        readLsn = maxLsn(readLsn, endLsn);
        if (readLsn > forgottenLsn) break;
      }
      if (readLsn <= forgottenLsn) {
        throw new TidemarkError(
          'TM-WAL-003',
          `the transaction index of node ${stream.node} is needed up to ${formatLsn(forgottenLsn)}, and is here up to ${formatLsn(readLsn)}`,
          { retryable: true },
        );
      }
    }
    return past.found();
  }

  #keptOf(node: string, keys: ReadonlySet<string>): Recalled[] {
    const isWanted = (named: { readonly gid: string }) => keys.has(matchGid(named, this.#options.matchers)?.key ?? '');
    return this.#keptAtBase
      .filter((kept) => kept.node === node)
      .map(({ branches, decisions }) => ({
        node,
        branches: branches.filter(isWanted),
        decisions: decisions.filter(({ rows }) => rows.some(isWanted)),
      }));
  }
}

function recalledFrom({ node, history }: NodeTracker): Recalled {
  const { branches, decisions = [] } = history.forCut();
  return { node, branches: branches.filter(({ end }) => end !== null), decisions: [...decisions] };
}
