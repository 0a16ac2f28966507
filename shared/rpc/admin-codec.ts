import type { BackupEvent, BackupRequest, BackupSummary } from '../admin/backup.ts';
import type { Progress } from '../admin/progress.ts';
import type { DecisionSummary, SnapshotSummary } from '../admin/snapshot.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn, type Lsn } from '../postgres/lsn.ts';
import type { SnapshotClass } from '../repository/snapshot-manifest.ts';
import type { Backup, Backup__Output } from './generated/tidemark/v1/Backup.ts';
import type { BackupEvent as BackupEventMessage, BackupEvent__Output } from './generated/tidemark/v1/BackupEvent.ts';
import type { CreateBackupRequest, CreateBackupRequest__Output } from './generated/tidemark/v1/CreateBackupRequest.ts';
import type { InDoubtDecision, InDoubtDecision__Output } from './generated/tidemark/v1/InDoubtDecision.ts';
import type { Progress as ProgressMessage, Progress__Output } from './generated/tidemark/v1/Progress.ts';
import type { Snapshot, Snapshot__Output } from './generated/tidemark/v1/Snapshot.ts';

/** A position as the wire has it. */
export function lsnFromMessage(text: string): Lsn {
  return lsn(BigInt(text));
}

/** @throws TidemarkError TM-USAGE-001 if there is none, or none that a date can name */
export function timeFromMessage(text: string): bigint {
  const timeUs = BigInt(text);
  if (timeUs === 0n || timeUs > BigInt(Date.UTC(9999, 11, 31)) * 1000n) {
    throw new TidemarkError('TM-USAGE-001', `${text} µs since 1970 is not a time`);
  }
  return timeUs;
}

/** @throws TidemarkError TM-USAGE-001 if the text is none of the values */
export function oneOf<const T extends string>(what: string, text: string, values: readonly T[]): T {
  const found = values.find((value) => value === text);
  if (found === undefined) {
    throw new TidemarkError('TM-USAGE-001', `${what} ${JSON.stringify(text)} is none of ${values.join(', ')}`);
  }
  return found;
}

export function progressToMessage(progress: Progress): ProgressMessage {
  return {
    ...progress,
    bytesDone: progress.bytesDone.toString(),
    bytesTotal: progress.bytesTotal.toString(),
  };
}

export function progressFromMessage(message: Progress__Output): Progress {
  return { ...message, bytesDone: BigInt(message.bytesDone), bytesTotal: BigInt(message.bytesTotal) };
}

export function backupToMessage(backup: BackupSummary): Backup {
  return {
    ...backup,
    startLsn: backup.startLsn.toString(),
    stopLsn: backup.stopLsn.toString(),
    startedAtUs: backup.startedAtUs.toString(),
    finishedAtUs: backup.finishedAtUs.toString(),
    bytes: backup.bytes.toString(),
    storedBytes: backup.storedBytes.toString(),
    files: backup.files.toString(),
    pagesVerified: backup.pagesVerified.toString(),
    badFiles: [...backup.badFiles],
    dataCenters: [...backup.dataCenters],
  };
}

export function backupFromMessage(message: Backup__Output): BackupSummary {
  return {
    ...message,
    type: oneOf('backup type', message.type, ['full']),
    startLsn: lsnFromMessage(message.startLsn),
    stopLsn: lsnFromMessage(message.stopLsn),
    startedAtUs: BigInt(message.startedAtUs),
    finishedAtUs: BigInt(message.finishedAtUs),
    bytes: BigInt(message.bytes),
    storedBytes: BigInt(message.storedBytes),
    files: BigInt(message.files),
    pagesVerified: BigInt(message.pagesVerified),
  };
}

export function backupRequestToMessage(request: BackupRequest): CreateBackupRequest {
  return { nodes: [...request.nodes], type: request.type };
}

/** @throws TidemarkError TM-USAGE-001 for a type that is not known */
export function backupRequestFromMessage(message: CreateBackupRequest__Output): BackupRequest {
  return { nodes: message.nodes, type: oneOf('backup type', message.type === '' ? 'full' : message.type, ['full']) };
}

export function backupEventToMessage(event: BackupEvent): BackupEventMessage {
  return event.kind === 'progress'
    ? { progress: progressToMessage(event.progress) }
    : { backup: backupToMessage(event.backup) };
}

/** Null for an event of a newer version. */
export function backupEventFromMessage(message: BackupEvent__Output): BackupEvent | null {
  if (message.progress) {
    return { kind: 'progress', progress: progressFromMessage(message.progress) };
  }
  return message.backup ? { kind: 'backup', backup: backupFromMessage(message.backup) } : null;
}

export function decisionToMessage(decision: DecisionSummary): InDoubtDecision {
  return { ...decision, prepareLsn: decision.prepareLsn.toString() };
}

export function decisionFromMessage(message: InDoubtDecision__Output): DecisionSummary {
  return {
    ...message,
    prepareLsn: lsnFromMessage(message.prepareLsn),
    decision: oneOf('decision', message.decision, ['commit', 'rollback']),
  };
}

export function snapshotToMessage(snapshot: SnapshotSummary): Snapshot {
  return {
    id: snapshot.id,
    timeUs: snapshot.timeUs.toString(),
    label: snapshot.label,
    class: snapshot.class.kind,
    boundUs: snapshot.class.kind === 'bounded' ? snapshot.class.boundUs.toString() : '0',
    causalBeforeUs: (snapshot.causalBeforeUs ?? 0n).toString(),
    complete: snapshot.complete,
    cut: snapshot.cut.map((position) => ({ ...position, targetLsn: position.targetLsn.toString() })),
    inDoubt: snapshot.inDoubt.map(decisionToMessage),
    dataCenters: [...snapshot.dataCenters],
    restorable: snapshot.restorable,
  };
}

export function snapshotFromMessage(message: Snapshot__Output): SnapshotSummary {
  return {
    id: message.id,
    timeUs: BigInt(message.timeUs),
    label: message.label,
    class: classFromMessage(message),
    ...(message.causalBeforeUs === '0' ? {} : { causalBeforeUs: BigInt(message.causalBeforeUs) }),
    complete: message.complete,
    cut: message.cut.map((position) => ({ ...position, targetLsn: lsnFromMessage(position.targetLsn) })),
    inDoubt: message.inDoubt.map(decisionFromMessage),
    dataCenters: message.dataCenters,
    restorable: message.restorable,
  };
}

function classFromMessage(message: Snapshot__Output): SnapshotClass {
  return oneOf('snapshot class', message.class, ['causal', 'bounded']) === 'causal'
    ? { kind: 'causal' }
    : { kind: 'bounded', boundUs: Number(message.boundUs) };
}
