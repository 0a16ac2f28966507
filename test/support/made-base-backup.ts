import { createHash } from 'node:crypto';
import type { BaseBackupPart } from '../../coordinator/backups/base-backup-stream.ts';
import type { Zstd } from '../../shared/compression/zstd.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { parseLsn } from '../../shared/postgres/lsn.ts';

const INSTANCE = {
  node: 'a',
  systemIdentifier: '77',
  serverVersionNum: 150018,
  walSegmentBytes: 16 * 1024 * 1024,
  dataChecksums: true,
} as Instance;

const LABEL = `START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
CHECKPOINT LOCATION: 0/2000060
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-22 12:00:00 UTC
LABEL: tidemark
START TIMELINE: 1
`;

/** What an agent sends of node a's base backup before its end: files of one frame each. */
export async function* baseBackupFiles(zstd: Zstd, count: number): AsyncGenerator<BaseBackupPart> {
  yield { kind: 'started', instance: INSTANCE, startLsn: parseLsn('0/2000028'), timeline: 1, bytesTotal: 10 };
  for (let sequence = 0; sequence < count; sequence++) {
    const content = Buffer.alloc(100, sequence);
    const contentSha256 = createHash('sha256').update(content).digest();
    yield { kind: 'frame', sequence, frame: zstd.compress(content, 1), contentBytes: 100, contentSha256 };
    yield {
      kind: 'file',
      file: { path: `f${sequence}`, sizeBytes: 100, mode: 0o600, modifiedAtUs: 1, extents: [[sequence, 0, 100]] },
    };
  }
}

/** The same with its end. */
export async function* wholeBaseBackup(zstd: Zstd, count: number): AsyncGenerator<BaseBackupPart> {
  yield* baseBackupFiles(zstd, count);
  yield {
    kind: 'finished',
    stopLsn: parseLsn('0/2000138'),
    backupLabel: Buffer.from(LABEL),
    tablespaceMap: Buffer.alloc(0),
    directories: ['base'],
    tablespaces: [],
    pagesVerified: 1,
    filesVanished: 0,
    settings: { max_connections: '100' },
  };
}
