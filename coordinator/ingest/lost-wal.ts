import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import { formatLsn, maxLsn, minLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import { readHistory } from '../../shared/repository/timeline-histories.ts';
import { encodeWalGap, listWalGaps, pathOfGap, type WalGap } from '../../shared/repository/wal-gap.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import { missingFrom, type LsnRange } from '../../shared/wal/lsn-range.ts';
import type { ObservedRepository } from '../copies/observed-repository.ts';
import { streamId } from '../journal/wal-positions.ts';
import type { WalStore } from '../journal/wal-store.ts';

export interface LostWalOptions {
  readonly coordinatorId: string;
  readonly term: bigint;
  readonly store: WalStore;
  readonly repository: ObservedRepository;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a coordinator that does not answer is waited for, since it may hold what PostgreSQL has no more. */
  readonly patienceMs: number;
}

/** A place in a stream from which on PostgreSQL could not give the WAL. */
interface Loss {
  readonly stream: WalStreamKey;
  readonly fromLsn: Lsn;
  readonly reason: string;
  /** Monotonic. */
  readonly sinceMs: number;
}

/** A part of a timeline that its history needs: from `beginLsn` to `endLsn`. */
interface TimelinePart {
  readonly stream: WalStreamKey;
  readonly range: LsnRange;
}

/**
 * What of one node's WAL PostgreSQL can give no more, while this coordinator leads. It is given up only when every coordinator that is known has
 * been asked for it and has not got it, or has been waited for long enough; then a gap is declared for what this copy still lacks. A gap
 * keeps nobody from filling it.
 */
export class LostWal {
  readonly #options: LostWalOptions;
  #loss: Loss | null = null;
  #silent: readonly string[] = [];

  constructor(options: LostWalOptions) {
    this.#options = options;
  }

  /** PostgreSQL did not have a stream's WAL from `fromLsn` on. */
  noticed(stream: WalStreamKey, fromLsn: Lsn, reason: string): void {
    const isKnown = this.#loss !== null && streamId(this.#loss.stream) === streamId(stream);
    if (isKnown && this.#loss?.fromLsn === fromLsn) return;
    this.#loss = { stream, fromLsn, reason, sinceMs: this.#options.clock.monotonicMs() };
  }

  /** The coordinators were asked; these did not answer. What one of them gave is not lost any more. */
  asked(silent: readonly string[]): void {
    this.#silent = silent;
    const loss = this.#loss;
    if (loss === null) return;
    if ((this.#options.store.position(loss.stream)?.durableLsn ?? NO_LSN) > loss.fromLsn) this.#loss = null;
  }

  /** The stream whose missing WAL nobody is waited for any longer; null if there is none. */
  get givenUp(): WalStreamKey | null {
    return this.#loss === null || this.waitingForMs > 0 ? null : this.#loss.stream;
  }

  /** How much longer those that did not answer are waited for; 0 if all did or nothing is lost. */
  get waitingForMs(): number {
    const { clock, patienceMs } = this.#options;
    if (this.#loss === null || this.#silent.length === 0) return 0;
    return Math.max(0, this.#loss.sinceMs + patienceMs - clock.monotonicMs());
  }

  /** Who is waited for, in words. */
  get waitingFor(): string {
    return this.#silent.join(', ');
  }

  /**
   * Declares what this copy lacks of the history of `stream` between the loss and `toLsn`, durably here before anything that lies behind it
   * is taken in. Nothing is left that is lost.
   */
  async declare(stream: WalStreamKey, segmentBytes: number, toLsn: Lsn): Promise<void> {
    const { coordinatorId, term, store, repository, clock, logger } = this.#options;
    const loss = this.#loss;
    if (loss === null) return;
    for (const { stream: lost, range } of await this.#partsOf(stream, segmentBytes, loss.fromLsn, toLsn)) {
      for (const { startLsn, endLsn } of missingFrom([range], store.position(lost)?.runs ?? [])) {
        const gap: WalGap = {
          stream: lost,
          startLsn,
          endLsn,
          term,
          coordinatorId,
          declaredAtUs: BigInt(Math.round(clock.nowMs())) * 1000n,
          reason: loss.reason.slice(0, 1000),
          notAsked: this.#silent,
        };
        const path = pathOfGap(gap);
        if ((await repository.stat(path)) === null) await repository.create(path, encodeWalGap(gap));
        logger.error(
          { stream: streamId(lost), fromLsn: formatLsn(startLsn), toLsn: formatLsn(endLsn), notAsked: this.#silent },
          `WAL of node ${lost.node} is lost: take a new base backup of it (tidemark backup create --node ${lost.node})`,
        );
      }
    }
    this.#loss = null;
  }

  /**
   * The oldest timeline in the history of `newest` that ends before the next one begins here, though PostgreSQL or a coordinator may
   * still have the rest, and where it ends; null if there is none.
   */
  async unfinished(newest: WalStreamKey): Promise<{ readonly stream: WalStreamKey; readonly endLsn: Lsn } | null> {
    const { store, repository } = this.#options;
    const known = store.positions().filter(({ stream }) => isSameSystem(stream, newest));
    const oldest = known.toSorted((a, b) => a.stream.timeline - b.stream.timeline)[0];
    if (oldest === undefined || oldest.stream.timeline >= newest.timeline) return null;
    const parts = await this.#partsOf(newest, oldest.segmentBytes, oldest.firstLsn, null);
    const declared = await listWalGaps(repository, newest.node, newest.systemIdentifier);
    for (const { stream, range } of parts) {
      if (stream.timeline < oldest.stream.timeline) continue;
      const held = store.position(stream);
      const endLsn = maxLsn(range.startLsn, held?.durableLsn ?? NO_LSN);
      const gaps = declared.filter((gap) => gap.stream.timeline === stream.timeline);
      if (missingFrom([{ startLsn: endLsn, endLsn: range.endLsn }], gaps).length > 0) return { stream, endLsn };
    }
    return null;
  }

  /**
   * What is needed of each timeline, from `fromLsn` on up to `toLsn` on the stream's own; null: of its ancestors only. The segment in which a
   * timeline begins holds its parent's bytes too, so the parent is needed up to that segment.
   */
  async #partsOf(
    stream: WalStreamKey,
    segmentBytes: number,
    fromLsn: Lsn,
    toLsn: Lsn | null,
  ): Promise<readonly TimelinePart[]> {
    const history = await readHistory(this.#options.repository, stream);
    const parts: TimelinePart[] = [];
    let beginLsn: Lsn = NO_LSN;
    for (const { timeline, switchLsn } of history?.ancestors ?? []) {
      const endLsn = segmentStart(switchLsn, segmentBytes);
      parts.push({ stream: { ...stream, timeline }, range: { startLsn: maxLsn(fromLsn, beginLsn), endLsn } });
      beginLsn = endLsn;
    }
    if (toLsn !== null) parts.push({ stream, range: { startLsn: maxLsn(fromLsn, beginLsn), endLsn: toLsn } });
    return parts
      .map(({ stream: part, range }) => ({
        stream: part,
        range: toLsn === null ? range : { ...range, endLsn: minLsn(range.endLsn, toLsn) },
      }))
      .filter(({ range }) => range.startLsn < range.endLsn);
  }
}

function isSameSystem(a: WalStreamKey, b: WalStreamKey): boolean {
  return a.node === b.node && a.systemIdentifier === b.systemIdentifier;
}
