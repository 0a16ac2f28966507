import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { loadZstd, type Zstd } from '../../shared/compression/zstd.ts';
import { lsn, NO_LSN, formatLsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { openChannel } from '../../shared/rpc/channel.ts';
import { changeSetFromMessage, walStreamToMessage } from '../../shared/rpc/change-set-codec.ts';
import { fromServiceError } from '../../shared/rpc/errors.ts';
import { readStream } from '../../shared/rpc/streams.ts';
import type { PullWalResponse__Output } from '../../shared/rpc/generated/tidemark/v1/PullWalResponse.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import type { TransactionEvent } from '../../shared/wal/transaction-event.ts';

/** Where one call ended; what a leader keeps of a change set. */
interface Kept {
  readonly endLsn: Lsn;
  readonly nextRecordLsn: Lsn;
}

interface PullOptions {
  readonly term: bigint;
  /** Ends the call. */
  readonly signal?: AbortSignal;
  /** Left out: everything is acknowledged at once. Says how much of what was kept is durable now. */
  readonly acknowledge?: (kept: Kept) => boolean;
}

/**
 * Stands in for a leader: pulls WAL from an agent, keeps the content in memory and checks that nothing is doubled or missing. What was not
 * "durable" is forgotten between two calls, as by a leader that lost power.
 */
export class WalPuller {
  readonly #address: string;
  readonly #stream: WalStreamKey;
  #zstd: Zstd | null = null;
  #content: Buffer[] = [];
  #kept: Kept[] = [];
  #events: TransactionEvent[] = [];
  #startLsn: Lsn = NO_LSN;
  #acknowledged: Kept | null = null;
  /** Of every message that came, also of what was forgotten. */
  receivedBytes = 0;
  receivedFrameBytes = 0;
  calls = 0;
  serverEndLsn: Lsn = NO_LSN;

  readonly #beginLsn: Lsn;

  /** @param beginLsn a segment's start; NO_LSN: where the agent's slot begins */
  constructor(address: string, stream: WalStreamKey, beginLsn: Lsn = NO_LSN) {
    this.#address = address;
    this.#stream = stream;
    this.#beginLsn = beginLsn;
    this.#startLsn = beginLsn;
  }

  get startLsn(): Lsn {
    return this.#startLsn;
  }

  get endLsn(): Lsn {
    return this.#kept.at(-1)?.endLsn ?? this.#startLsn;
  }

  /** The highest position that the agent was told to be durable; NO_LSN before the first. */
  get acknowledgedLsn(): Lsn {
    return this.#acknowledged?.endLsn ?? NO_LSN;
  }

  get events(): readonly TransactionEvent[] {
    return this.#events;
  }

  /** Everything from `startLsn` to `endLsn`. */
  content(): Buffer {
    return Buffer.concat(this.#content);
  }

  /** Keeps no content: for streams that are larger than memory. */
  measureOnly = false;

  /**
   * One call. Returns the last message's kind when the timeline ended; throws what ended the call otherwise.
   * @throws TidemarkError
   */
  async pull({ term, signal, acknowledge = () => true }: PullOptions): Promise<PullWalResponse__Output | null> {
    this.#zstd ??= await loadZstd();
    this.#forgetWhatIsNotDurable();
    this.calls += 1;
    const channel = openChannel(this.#address);
    const call = channel.agent.PullWal();
    try {
      const last = this.#kept.at(-1);
      call.write({
        open: {
          fence: { term: term.toString(), coordinatorId: 'test' },
          stream: walStreamToMessage(this.#stream),
          fromLsn: (last?.endLsn ?? this.#startLsn).toString(),
          parseFromLsn: (last?.nextRecordLsn ?? NO_LSN).toString(),
        },
      });
      for await (const message of readStream<PullWalResponse__Output>(call, {
        address: this.#address,
        ...(signal === undefined ? {} : { signal }),
      })) {
        if (message.started) this.#start(lsn(BigInt(message.started.fromLsn)));
        if (message.heartbeat) this.serverEndLsn = lsn(BigInt(message.heartbeat.serverWalEndLsn));
        if (message.timelineEnd) return message;
        if (!message.changeSet) continue;
        const changeSet = changeSetFromMessage(message.changeSet);
        this.#keep(changeSet);
        if (acknowledge(changeSet)) {
          this.#acknowledged = { endLsn: changeSet.endLsn, nextRecordLsn: changeSet.nextRecordLsn };
          call.write({ acknowledge: { durableLsn: changeSet.endLsn.toString() } });
        }
      }
      return null;
    } catch (error) {
      throw error instanceof assert.AssertionError ? error : fromServiceError(error, this.#address);
    } finally {
      call.cancel();
      channel.close();
    }
  }

  #start(fromLsn: Lsn): void {
    if (this.#startLsn === NO_LSN) this.#startLsn = fromLsn;
    assert.equal(formatLsn(fromLsn), formatLsn(this.endLsn), 'the stream starts where the last one ended');
  }

  #keep(changeSet: ChangeSet): void {
    assert.equal(formatLsn(changeSet.startLsn), formatLsn(this.endLsn), 'change sets follow each other');
    const bytes = Number(changeSet.endLsn - changeSet.startLsn);
    this.receivedBytes += bytes;
    this.receivedFrameBytes += changeSet.frame.byteLength;
    const kept = { endLsn: changeSet.endLsn, nextRecordLsn: changeSet.nextRecordLsn };
    if (this.measureOnly) {
      this.#kept = [kept];
      return;
    }
    const content = this.#zstd?.decompress(changeSet.frame, bytes) ?? assert.fail();
    assert.ok(createHash('sha256').update(content).digest().equals(changeSet.contentSha256));
    for (const event of changeSet.events) {
      assert.ok(event.seeded === true || (event.endLsn > changeSet.startLsn && event.endLsn <= changeSet.endLsn));
    }
    this.#content.push(content);
    this.#kept.push(kept);
    this.#events.push(...changeSet.events);
  }

  /** The change sets after the last acknowledged one; all of them may come again. */
  #forgetWhatIsNotDurable(): void {
    if (this.measureOnly) return;
    const durableLsn = this.acknowledgedLsn === NO_LSN ? this.#startLsn : this.acknowledgedLsn;
    const count = this.#kept.filter(({ endLsn }) => endLsn <= durableLsn).length;
    this.#kept = this.#kept.slice(0, count);
    this.#content = this.#content.slice(0, count);
    this.#events = this.#events.filter((event) => event.seeded === true || event.endLsn <= durableLsn);
    if (count === 0) {
      this.#events = [];
      this.#startLsn = this.#beginLsn;
    }
  }
}
