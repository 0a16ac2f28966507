import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { changeSetFromMessage, walStreamFromMessage, walStreamToMessage } from '../../shared/rpc/change-set-codec.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { FollowObjectsResponse__Output } from '../../shared/rpc/generated/tidemark/v1/FollowObjectsResponse.ts';
import type { FollowWalResponse__Output } from '../../shared/rpc/generated/tidemark/v1/FollowWalResponse.ts';
import { callUnary, readStream, writeMessage } from '../../shared/rpc/streams.ts';
import type { ObjectEntry } from '../../shared/repository/repository.ts';
import type { LsnRange } from '../../shared/wal/lsn-range.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';

/** What another coordinator holds of a stream. */
export interface PeerPosition {
  readonly stream: WalStreamKey;
  /** In order, with a hole between each two; the last ends at durableLsn. */
  readonly runs: readonly LsnRange[];
  readonly durableLsn: Lsn;
  readonly segmentBytes: number;
  /** As far as the peer knows; NO_LSN if it does not. */
  readonly acknowledgedLsn: Lsn;
}

export interface PeerState {
  readonly coordinatorId: string;
  readonly dataCenter: string;
  readonly repositoryId: string;
  readonly highestTerm: bigint;
  readonly positions: readonly PeerPosition[];
  /** The prefixes of the base backups that it is taking. */
  readonly backupsTaken: readonly string[];
}

export interface Fence {
  /** 0: a look only. */
  readonly term: bigint;
  readonly coordinatorId: string;
}

/** @throws TidemarkError TM-LEAD-002 if the peer has seen a higher term than the fence's, TM-RPC-* */
export async function getPeerState(
  channel: Channel,
  fence: Fence,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<PeerState> {
  const request = { fence: { term: fence.term.toString(), coordinatorId: fence.coordinatorId } };
  const state = await callUnary(channel.peer, 'GetPeerState', request, { deadlineMs, signal });
  if (state === undefined) throw new TidemarkError('TM-RPC-003', `${channel.address} answered nothing`);
  return {
    coordinatorId: state.coordinatorId,
    dataCenter: state.dataCenter,
    repositoryId: state.repositoryId,
    highestTerm: BigInt(state.highestTerm),
    backupsTaken: state.backupsTaken,
    positions: state.positions.map((position) => ({
      stream: walStreamFromMessage(position.stream),
      runs: position.runs.map(({ startLsn, endLsn }) => ({
        startLsn: lsn(BigInt(startLsn)),
        endLsn: lsn(BigInt(endLsn)),
      })),
      durableLsn: lsn(BigInt(position.durableLsn)),
      segmentBytes: position.walSegmentBytes,
      acknowledgedLsn: lsn(BigInt(position.acknowledgedLsn)),
    })),
  };
}

export type FollowWalMessage =
  | { readonly kind: 'opened'; readonly term: bigint; readonly fromLsn: Lsn; readonly segmentBytes: number }
  | { readonly kind: 'change-set'; readonly changeSet: ChangeSet }
  /** The peer holds nothing up to `toLsn`, where the next change set begins. */
  | { readonly kind: 'hole'; readonly toLsn: Lsn }
  | { readonly kind: 'acknowledged'; readonly acknowledgedLsn: Lsn };

interface FollowWalOptions {
  readonly fence: Fence;
  readonly dataCenter: string;
  readonly stream: WalStreamKey;
  /** NO_LSN: from the first that the peer keeps. */
  readonly fromLsn: Lsn;
  readonly signal: AbortSignal;
}

/** A FollowWal call. Iterate `messages` once; leaving the iteration ends the call. */
export interface FollowWalCall {
  readonly messages: AsyncIterable<FollowWalMessage>;
  sendDurable(durableLsn: Lsn): Promise<void>;
}

export function followWal(channel: Channel, options: FollowWalOptions): FollowWalCall {
  const { fence, dataCenter, stream, fromLsn, signal } = options;
  const call = channel.peer.followWal();
  const responses = readStream<FollowWalResponse__Output>(call, { address: channel.address, signal });
  const opened = writeMessage(
    call,
    {
      open: {
        fence: { term: fence.term.toString(), coordinatorId: fence.coordinatorId },
        coordinatorId: fence.coordinatorId,
        dataCenter,
        stream: walStreamToMessage(stream),
        fromLsn: fromLsn.toString(),
      },
    },
    signal,
  );
  // A call that cannot be opened fails where its messages are read.
  opened.catch(() => {});
  return {
    messages: decodeAll(responses),
    sendDurable: (durableLsn) => writeMessage(call, { durable: { durableLsn: durableLsn.toString() } }, signal),
  };
}

async function* decodeAll(responses: AsyncIterable<FollowWalResponse__Output>): AsyncGenerator<FollowWalMessage, void> {
  for await (const response of responses) {
    if (response.changeSet) {
      yield { kind: 'change-set', changeSet: changeSetFromMessage(response.changeSet) };
    } else if (response.hole) {
      yield { kind: 'hole', toLsn: lsn(BigInt(response.hole.toLsn)) };
    } else if (response.acknowledged) {
      yield { kind: 'acknowledged', acknowledgedLsn: lsn(BigInt(response.acknowledged.acknowledgedLsn)) };
    } else if (response.opened) {
      const { term, fromLsn, walSegmentBytes } = response.opened;
      yield { kind: 'opened', term: BigInt(term), fromLsn: lsn(BigInt(fromLsn)), segmentBytes: walSegmentBytes };
    }
  }
}

export interface FollowObjectsCall {
  readonly objects: AsyncIterable<ObjectEntry>;
  sendStored(path: string): Promise<void>;
}

export function followObjects(
  channel: Channel,
  self: { readonly coordinatorId: string; readonly dataCenter: string; readonly repositoryId: string },
  signal: AbortSignal,
): FollowObjectsCall {
  const call = channel.peer.followObjects();
  const responses = readStream<FollowObjectsResponse__Output>(call, { address: channel.address, signal });
  const opened = writeMessage(call, { open: { ...self } }, signal);
  opened.catch(() => {});
  return {
    objects: (async function* () {
      for await (const { object } of responses) {
        if (object) yield { path: object.path, sizeBytes: Number(object.sizeBytes) };
      }
    })(),
    sendStored: (path) => writeMessage(call, { stored: { path } }, signal),
  };
}
