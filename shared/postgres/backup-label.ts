import { TidemarkError } from '../errors/tidemark-error.ts';
import { type Lsn, parseLsn } from './lsn.ts';

/** What `backup_label` says about where recovery begins. */
export interface BackupLabel {
  /** The checkpoint's redo position: the first WAL that is needed. */
  readonly startLsn: Lsn;
  readonly checkpointLsn: Lsn;
  readonly timeline: number;
  readonly fromStandby: boolean;
}

/** @throws TidemarkError TM-BACKUP-001 if it is not a backup label */
export function parseBackupLabel(content: Uint8Array): BackupLabel {
  const text = Buffer.from(content.buffer, content.byteOffset, content.byteLength).toString('utf8');
  const field = (pattern: RegExp): string => {
    const value = pattern.exec(text)?.[1];
    if (value === undefined) {
      throw new TidemarkError('TM-BACKUP-001', `backup_label has no line like ${pattern.source}`);
    }
    return value;
  };
  return {
    startLsn: parseLsn(field(/^START WAL LOCATION: (\S+) \(file \S+\)$/m)),
    checkpointLsn: parseLsn(field(/^CHECKPOINT LOCATION: (\S+)$/m)),
    timeline: Number(field(/^START TIMELINE: (\d+)$/m)),
    fromStandby: field(/^BACKUP FROM: (\S+)$/m) === 'standby',
  };
}
