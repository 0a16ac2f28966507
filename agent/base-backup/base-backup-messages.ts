import type { BaseBackupMessage } from '../../shared/rpc/generated/tidemark/v1/BaseBackupMessage.ts';
import { instanceToMessage } from '../../shared/rpc/instance-codec.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import type { BaseBackupItem } from './base-backup.ts';

/** One item of a base backup as it goes over the wire. */
export function baseBackupMessage(item: BaseBackupItem, instance: Instance): BaseBackupMessage {
  switch (item.kind) {
    case 'started':
      return {
        started: {
          instance: instanceToMessage(instance),
          startLsn: item.start.startLsn.toString(),
          checkpointLsn: item.start.checkpointLsn.toString(),
          timeline: item.start.timeline,
          bytesTotal: item.bytesTotal,
          filesTotal: item.filesTotal,
        },
      };
    case 'frame':
      return {
        frame: {
          sequence: item.sequence,
          frame: item.frame,
          contentBytes: item.contentBytes,
          contentSha256: item.contentSha256,
        },
      };
    case 'file':
      return { file: { ...item.file, extents: [...item.file.extents], badBlocks: [...item.file.badBlocks] } };
    case 'progress':
      return {
        progress: { phase: 'copy', node: instance.node, bytesDone: item.bytesDone, bytesTotal: item.bytesTotal },
      };
    case 'finished':
      return {
        finished: {
          stopLsn: item.finished.stopLsn.toString(),
          backupLabel: item.finished.backupLabel,
          tablespaceMap: item.finished.tablespaceMap,
          directories: [...item.finished.directories],
          tablespaces: [...item.finished.tablespaces],
          pagesVerified: item.finished.pagesVerified,
          filesVanished: item.finished.filesVanished,
          settings: { ...item.finished.settings },
        },
      };
  }
}
