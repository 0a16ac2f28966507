import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { type Lsn, lsn } from '../../shared/postgres/lsn.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import type { BaseBackupMessage__Output } from '../../shared/rpc/generated/tidemark/v1/BaseBackupMessage.ts';
import { instanceFromMessage } from '../../shared/rpc/instance-codec.ts';
import type { BackupFile } from '../../shared/repository/backup-manifest.ts';

export interface BaseBackupStarted {
  readonly kind: 'started';
  readonly instance: Instance;
  readonly startLsn: Lsn;
  readonly timeline: number;
  readonly bytesTotal: number;
}

export interface BaseBackupFrame {
  readonly kind: 'frame';
  readonly sequence: number;
  readonly frame: Buffer;
  readonly contentBytes: number;
  readonly contentSha256: Buffer;
}

export interface BaseBackupFinished {
  readonly kind: 'finished';
  readonly stopLsn: Lsn;
  readonly backupLabel: Buffer;
  readonly tablespaceMap: Buffer;
  readonly directories: readonly string[];
  readonly tablespaces: readonly { readonly oid: number; readonly location: string }[];
  readonly pagesVerified: number;
  readonly filesVanished: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** What an agent sends of a base backup, as domain values. */
export type BaseBackupPart =
  | BaseBackupStarted
  | BaseBackupFrame
  | { readonly kind: 'file'; readonly file: BackupFile }
  | { readonly kind: 'progress'; readonly bytesDone: number; readonly bytesTotal: number }
  | BaseBackupFinished;

/** @throws TidemarkError TM-BACKUP-001 for a message without content */
export function baseBackupPart(message: BaseBackupMessage__Output): BaseBackupPart {
  const { started, frame, file, progress, finished } = message;
  if (started) {
    if (started.instance === null) throw malformed();
    return {
      kind: 'started',
      instance: instanceFromMessage(started.instance),
      startLsn: lsn(BigInt(started.startLsn)),
      timeline: started.timeline,
      bytesTotal: Number(started.bytesTotal),
    };
  }
  if (frame) return { kind: 'frame', ...frame };
  if (file) {
    const { path, sizeBytes, mode, modifiedAtUs, extents, badBlocks } = file;
    return {
      kind: 'file',
      file: {
        path,
        sizeBytes: Number(sizeBytes),
        mode,
        modifiedAtUs: Number(modifiedAtUs),
        extents: extents.map((extent) => [extent.sequence, extent.offsetBytes, extent.lengthBytes]),
        ...(badBlocks.length === 0 ? {} : { badBlocks }),
      },
    };
  }
  if (progress) {
    const { bytesDone, bytesTotal } = progress;
    return { kind: 'progress', bytesDone: Number(bytesDone), bytesTotal: Number(bytesTotal) };
  }
  if (finished) {
    return {
      ...finished,
      kind: 'finished',
      stopLsn: lsn(BigInt(finished.stopLsn)),
      pagesVerified: Number(finished.pagesVerified),
      filesVanished: Number(finished.filesVanished),
    };
  }
  throw malformed();
}

function malformed(): TidemarkError {
  return new TidemarkError('TM-BACKUP-001', 'the agent sent a message of a base backup without content');
}
