import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, lsn } from '../postgres/lsn.ts';
import { FRAME_CONTENT_BYTES_MAX, type ChangeSet, type WalStreamKey } from '../wal/change-set.ts';
import { CLOCK_READINGS_MAX, type ClockReading } from '../wal/clock-reading.ts';
import { decodeChangedBlocks } from '../wal-index/changed-blocks-codec.ts';
import { decodeEvents, encodeEvents } from '../wal-index/transaction-event-codec.ts';
import type { ChangeSet as ChangeSetMessage, ChangeSet__Output } from './generated/tidemark/v1/ChangeSet.ts';
import type {
  ClockReading as ClockReadingMessage,
  ClockReading__Output,
} from './generated/tidemark/v1/ClockReading.ts';
import type { WalStream, WalStream__Output } from './generated/tidemark/v1/WalStream.ts';

export function changeSetToMessage(changeSet: ChangeSet): ChangeSetMessage {
  return {
    timeline: changeSet.timeline,
    startLsn: changeSet.startLsn.toString(),
    endLsn: changeSet.endLsn.toString(),
    nextRecordLsn: changeSet.nextRecordLsn.toString(),
    lastRecordLsn: changeSet.lastRecordLsn.toString(),
    frame: changeSet.frame,
    frameCrc32: changeSet.frameCrc32,
    contentSha256: changeSet.contentSha256,
    events: encodeEvents(changeSet.events),
    changedBlocks: changeSet.changedBlocks,
    clocks: changeSet.clocks.map(clockToMessage),
  };
}

/**
 * The frame's content is not looked at; see {@link ChangeSet}.
 * @throws TidemarkError TM-WAL-002 if the message contradicts itself, TM-REPO-003 if its events or changed blocks cannot be read
 */
export function changeSetFromMessage(message: ChangeSet__Output): ChangeSet {
  const changeSet = {
    timeline: message.timeline,
    startLsn: lsn(BigInt(message.startLsn)),
    endLsn: lsn(BigInt(message.endLsn)),
    nextRecordLsn: lsn(BigInt(message.nextRecordLsn)),
    lastRecordLsn: lsn(BigInt(message.lastRecordLsn)),
    frame: message.frame,
    frameCrc32: message.frameCrc32,
    contentSha256: message.contentSha256,
    events: decodeEvents(message.events),
    changedBlocks: message.changedBlocks,
    clocks: message.clocks.map(clockFromMessage),
  };
  if (changeSet.changedBlocks.length > 0) decodeChangedBlocks(changeSet.changedBlocks);
  const contentBytes = changeSet.endLsn - changeSet.startLsn;
  const problem =
    contentBytes <= 0n || contentBytes > BigInt(FRAME_CONTENT_BYTES_MAX)
      ? `covers ${contentBytes} bytes`
      : changeSet.contentSha256.length !== 32
        ? 'has no SHA-256'
        : changeSet.timeline === 0
          ? 'has no timeline'
          : changeSet.frame.length === 0
            ? 'has no frame'
            : changeSet.clocks.length > CLOCK_READINGS_MAX
              ? `has ${changeSet.clocks.length} clock readings`
              : null;
  if (problem !== null) {
    throw new TidemarkError('TM-WAL-002', `a change set at ${formatLsn(changeSet.startLsn)} ${problem}`, {
      hint: 'Check that both processes run the same version of Tidemark.',
    });
  }
  return changeSet;
}

function clockToMessage(reading: ClockReading): ClockReadingMessage {
  return {
    atLsn: reading.atLsn.toString(),
    nodeTimeUs: reading.nodeTimeUs.toString(),
    offsetUs: reading.offsetUs.toString(),
    uncertaintyUs: reading.uncertaintyUs.toString(),
    coordinatorId: reading.coordinatorId,
    term: reading.term.toString(),
  };
}

function clockFromMessage(message: ClockReading__Output): ClockReading {
  return {
    atLsn: lsn(BigInt(message.atLsn)),
    nodeTimeUs: BigInt(message.nodeTimeUs),
    offsetUs: BigInt(message.offsetUs),
    uncertaintyUs: BigInt(message.uncertaintyUs),
    coordinatorId: message.coordinatorId,
    term: BigInt(message.term),
  };
}

export function walStreamToMessage(stream: WalStreamKey): WalStream {
  return { node: stream.node, systemIdentifier: stream.systemIdentifier, timeline: stream.timeline };
}

/** @throws TidemarkError TM-USAGE-001 if the message is missing or does not name a stream */
export function walStreamFromMessage(message: WalStream__Output | null): WalStreamKey {
  if (message === null || message.node === '' || message.systemIdentifier === '' || message.timeline === 0) {
    throw new TidemarkError('TM-USAGE-001', 'a call does not name a WAL stream: node, system identifier, timeline');
  }
  return { node: message.node, systemIdentifier: message.systemIdentifier, timeline: message.timeline };
}
