import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, formatLsn, lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import { historyPath } from '../../shared/repository/layout.ts';
import type { Repository } from '../../shared/repository/repository.ts';
import { changeSetFromMessage, walStreamToMessage } from '../../shared/rpc/change-set-codec.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { PullWalResponse__Output } from '../../shared/rpc/generated/tidemark/v1/PullWalResponse.ts';
import type { TimelineHistory__Output } from '../../shared/rpc/generated/tidemark/v1/TimelineHistory.ts';
import { readStream, writeMessage } from '../../shared/rpc/streams.ts';
import type { WalStreamKey } from '../../shared/wal/change-set.ts';
import type { ClockReading } from '../../shared/wal/clock-reading.ts';
import type { AcknowledgementTracker } from '../copies/acknowledgement-tracker.ts';
import { LatestPosition } from '../copies/latest-position.ts';
import { BoundedIntake } from '../journal/bounded-intake.ts';
import { streamId } from '../journal/wal-positions.ts';
import type { WalStore } from '../journal/wal-store.ts';

/** For the reading side of a call to say how it ended, when its writing side has failed. */
const LAST_WORD_MS = 1_000;

export interface AgentSessionOptions {
  readonly channel: Channel;
  readonly term: bigint;
  readonly coordinatorId: string;
  readonly stream: WalStreamKey;
  /** Where to begin if nothing of the stream is held; NO_LSN: where the agent's slot begins. */
  readonly beginLsn: Lsn;
  /**
   * Begins where the agent's slot begins, whatever is held, since PostgreSQL has nothing before it. Called with that position before
   * anything is taken in; null to go on where the copy ends.
   */
  readonly onBeginAnew: ((startLsn: Lsn, segmentBytes: number) => Promise<void>) | null;
  readonly store: WalStore;
  readonly repository: Repository;
  readonly tracker: AcknowledgementTracker;
  readonly inFlightBytesMax: number;
  /** The agent answered, or said where its server's WAL ends. */
  readonly onHeard: (serverWalEndLsn: Lsn | null) => void;
  readonly onReceived: (walBytes: number, frameBytes: number) => void;
  /** What was measured of the node's clock up to a position, each reading once. */
  readonly clockReadings: (stream: WalStreamKey, endLsn: Lsn) => readonly ClockReading[];
}

/** Where a timeline ended and which one follows. */
export interface TimelineEnd {
  readonly endLsn: Lsn;
  readonly nextTimeline: number;
  readonly segmentBytes: number;
}

/**
 * One PullWal call: asks from exactly where the own copy ends, stores what comes, and sends back on the same call what the
 * tracker acknowledges. Reads no further while too much is not durable here. Timeline histories are stored as objects.
 * @returns how the timeline ended, when everything of it is durable here
 * @throws TidemarkError whatever ended the call
 */
export async function pullFromAgent(options: AgentSessionOptions, signal: AbortSignal): Promise<TimelineEnd> {
  const { channel, store, stream, tracker } = options;
  const id = streamId(stream);
  await store.settle(stream, signal);
  const call = new AbortController();
  const onAbort = (): void => call.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const acknowledged = new LatestPosition();
  const endListening = tracker.onAcknowledged((other, acknowledgedLsn) => {
    if (streamId(other) === id) acknowledged.offer(acknowledgedLsn);
  });
  let lastWord: NodeJS.Timeout | undefined;
  try {
    const pull = channel.agent.pullWal();
    const responses = readStream<PullWalResponse__Output>(pull, { address: channel.address, signal: call.signal });
    const start = resumePosition(options);
    const open = {
      fence: { term: options.term.toString(), coordinatorId: options.coordinatorId },
      stream: walStreamToMessage(stream),
      fromLsn: start.fromLsn.toString(),
      parseFromLsn: start.parseFromLsn.toString(),
    };
    const sending = (async () => {
      await writeMessage(pull, { open }, call.signal);
      const send = (durableLsn: Lsn): Promise<void> =>
        writeMessage(pull, { acknowledge: { durableLsn: durableLsn.toString() } }, call.signal);
      acknowledged.offer(tracker.acknowledged(stream));
      await acknowledged.sendAll(send, call.signal);
    })();
    // Where the call itself failed, its reading side says why. If it only cannot be written to any more, WAL would come and
    // nothing be acknowledged.
    sending.catch((error: unknown) => {
      lastWord = setTimeout(() => call.abort(error), LAST_WORD_MS);
    });
    return await receive(options, start.fromLsn, responses, call);
  } finally {
    clearTimeout(lastWord);
    endListening();
    signal.removeEventListener('abort', onAbort);
    call.abort(new TidemarkError('TM-RPC-001', 'the call is over'));
  }
}

async function receive(
  options: AgentSessionOptions,
  fromLsn: Lsn,
  responses: AsyncIterable<PullWalResponse__Output>,
  call: AbortController,
): Promise<TimelineEnd> {
  const { channel, stream, onHeard } = options;
  let intake: BoundedIntake | null = null;
  let segmentBytes = 0;
  for await (const response of responses) {
    if (response.changeSet) {
      if (intake === null)
        throw new TidemarkError('TM-RPC-003', `${channel.address} sent WAL before it said from where`);
      const received = changeSetFromMessage(response.changeSet);
      const changeSet = { ...received, clocks: options.clockReadings(stream, received.endLsn) };
      options.onReceived(Number(changeSet.endLsn - changeSet.startLsn), changeSet.frame.length);
      await intake.add(changeSet, call.signal);
    } else if (response.heartbeat) {
      onHeard(lsn(BigInt(response.heartbeat.serverWalEndLsn)));
    } else if (response.started) {
      const { instance, histories } = response.started;
      const startLsn = lsn(BigInt(response.started.fromLsn));
      if (instance?.systemIdentifier !== stream.systemIdentifier) {
        const found = instance?.systemIdentifier ?? 'unknown';
        throw new TidemarkError(
          'TM-PG-003',
          `${channel.address} streams PostgreSQL system ${found}, not ${streamId(stream)}`,
        );
      }
      if (fromLsn !== NO_LSN && startLsn !== fromLsn) {
        const where = `${formatLsn(startLsn)} instead of ${formatLsn(fromLsn)}`;
        throw new TidemarkError('TM-WAL-006', `${channel.address} streams ${streamId(stream)} from ${where}`);
      }
      await storeHistories(options, histories);
      segmentBytes = instance.walSegmentBytes;
      await options.onBeginAnew?.(startLsn, segmentBytes);
      intake = new BoundedIntake({
        ...options,
        segmentBytes,
        onDurable: () => {},
        onFailure: (error) => call.abort(error),
      });
      onHeard(instance.flushLsn === '0' ? null : lsn(BigInt(instance.flushLsn)));
    } else if (response.timelineEnd) {
      const { endLsn, nextTimeline, history } = response.timelineEnd;
      await intake?.drained(call.signal);
      await storeHistories(options, history === null ? [] : [history]);
      return { endLsn: lsn(BigInt(endLsn)), nextTimeline, segmentBytes };
    }
  }
  throw new TidemarkError('TM-RPC-001', `${channel.address} ended the stream of ${streamId(stream)}`);
}

async function storeHistories(
  { repository, stream }: AgentSessionOptions,
  histories: readonly TimelineHistory__Output[],
): Promise<void> {
  for (const { timeline, content } of histories) {
    await repository.create(historyPath(stream.node, stream.systemIdentifier, timeline), content);
  }
}

/**
 * Where to go on, and the start of a record at or before it to parse from. The next record may begin behind the position, where a page
 * header or padding lies between; then it is the last record's start, which lies before.
 */
function resumePosition(options: AgentSessionOptions): { fromLsn: Lsn; parseFromLsn: Lsn } {
  const { store, stream, beginLsn, onBeginAnew } = options;
  const position = store.position(stream);
  if (onBeginAnew !== null) return { fromLsn: NO_LSN, parseFromLsn: NO_LSN };
  if (position === null) return { fromLsn: beginLsn, parseFromLsn: NO_LSN };
  const { durableLsn, nextRecordLsn, lastRecordLsn, firstLsn, segmentBytes } = position;
  const isFirst = durableLsn === firstLsn;
  const isSegmentStart = segmentStart(durableLsn, segmentBytes) === durableLsn;
  const parseFromLsn =
    isFirst || (isSegmentStart && nextRecordLsn >= durableLsn)
      ? NO_LSN
      : nextRecordLsn <= durableLsn
        ? nextRecordLsn
        : lastRecordLsn;
  return { fromLsn: durableLsn, parseFromLsn };
}
