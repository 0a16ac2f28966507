import assert from 'node:assert/strict';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { parseLsn } from '../../../../shared/postgres/lsn.ts';
import {
  type BackupManifest,
  parseBackupManifest,
  serializeBackupManifest,
} from '../../../../shared/repository/backup-manifest.ts';

const SHA = 'ab'.repeat(32);

function example(changes: Partial<BackupManifest> = {}): BackupManifest {
  return {
    format: 1,
    type: 'full',
    id: '20261122T121530123Z-0001',
    node: 'shard1',
    systemIdentifier: '7340000000000000001',
    timeline: 1,
    startLsn: parseLsn('0/2000028'),
    stopLsn: parseLsn('0/2000138'),
    checkpointLsn: parseLsn('0/2000060'),
    startedAtUs: 1_795_000_000_000_000,
    finishedAtUs: 1_795_000_001_000_000,
    serverVersionNum: 180004,
    walSegmentBytes: 16 * 1024 * 1024,
    dataChecksums: true,
    settings: { max_connections: '100' },
    tablespaces: [{ oid: 16384, location: '/srv/fast' }],
    directories: ['base', 'base/1', 'pg_tblspc', 'pg_tblspc/16384/PG_18'],
    backupLabel: Buffer.from('START WAL LOCATION').toString('base64'),
    tablespaceMap: '',
    pagesVerified: 3,
    filesVanished: 0,
    packs: [{ sizeBytes: 150 }, { sizeBytes: 60 }],
    frames: [
      [0, 0, 100, 1000, SHA],
      [0, 100, 50, 500, SHA],
      [1, 0, 60, 700, SHA],
    ],
    files: [
      {
        path: 'base/1/1259',
        sizeBytes: 1300,
        mode: 0o600,
        modifiedAtUs: 1,
        extents: [
          [0, 0, 1000],
          [1, 200, 300],
        ],
        badBlocks: [0],
      },
      { path: 'PG_VERSION', sizeBytes: 3, mode: 0o600, modifiedAtUs: 1, extents: [[2, 0, 3]] },
      { path: 'pg_tblspc/16384/PG_18/5/1', sizeBytes: 0, mode: 0o600, modifiedAtUs: 1, extents: [] },
    ],
    ...changes,
  };
}

function refused(manifest: BackupManifest): string {
  try {
    parseBackupManifest(serializeBackupManifest(manifest), 'manifest');
  } catch (error) {
    assert(error instanceof TidemarkError, String(error));
    return error.code;
  }
  return 'accepted';
}

function withPath(path: string): BackupManifest {
  return example({ files: [{ path, sizeBytes: 0, mode: 0o600, modifiedAtUs: 1, extents: [] }] });
}

describe('backup manifest', () => {
  it('is read back as it was written', () => {
    assert.deepEqual(parseBackupManifest(serializeBackupManifest(example()), 'manifest'), example());
    const empty = example({ packs: [], frames: [], files: [] });
    assert.deepEqual(parseBackupManifest(serializeBackupManifest(empty), 'manifest'), empty);
  });

  it('refuses names that leave their place', () => {
    for (const path of ['../evil', '/etc/passwd', 'base/../../x', 'base//x', './x', 'a\\b', 'base/x\u0000', '']) {
      assert.equal(refused(withPath(path)), 'TM-REPO-006', path);
      assert.equal(refused(example({ directories: [path] })), 'TM-REPO-006', path);
    }
    assert.equal(refused(withPath('pg_tblspc/1/x')), 'TM-REPO-006');
    assert.equal(refused(example({ directories: ['pg_tblspc/1'] })), 'TM-REPO-006');
    assert.equal(refused(example({ id: '../x' })), 'TM-REPO-006');
  });

  it('refuses extents, frames and packs that do not fit together', () => {
    const file = (extents: [number, number, number][], sizeBytes: number) =>
      example({ files: [{ path: 'x', sizeBytes, mode: 0o600, modifiedAtUs: 1, extents }] });
    assert.equal(refused(file([[9, 0, 1]], 1)), 'TM-REPO-003');
    assert.equal(refused(file([[0, 999, 2]], 2)), 'TM-REPO-003');
    assert.equal(refused(file([[0, 0, 2]], 3)), 'TM-REPO-003');
    assert.equal(refused(example({ packs: [{ sizeBytes: 150 }] })), 'TM-REPO-003');
    assert.equal(refused(example({ packs: [{ sizeBytes: 150 }, { sizeBytes: 61 }] })), 'TM-REPO-003');
    assert.equal(refused(example({ packs: [{ sizeBytes: 149 }, { sizeBytes: 60 }] })), 'TM-REPO-003');
    const [first, second] = example().files;
    assert.equal(refused(example({ files: [first!, second!, first!] })), 'TM-REPO-003');
  });

  it('refuses what is not a manifest, and says when it is a newer one', () => {
    assert.throws(() => parseBackupManifest(Buffer.from('{'), 'm'), { code: 'TM-REPO-003' });
    assert.throws(() => parseBackupManifest(Buffer.from('{}'), 'm'), { code: 'TM-REPO-003' });
    assert.throws(() => parseBackupManifest(Buffer.from('{"format":2,"type":"full"}'), 'm'), { code: 'TM-REPO-008' });
    assert.throws(() => parseBackupManifest(Buffer.from('{"format":1,"type":"incremental"}'), 'm'), {
      code: 'TM-REPO-008',
    });
    const text = serializeBackupManifest(example()).toString().replace('0/2000028', 'nonsense');
    assert.throws(() => parseBackupManifest(Buffer.from(text), 'm'), { code: 'TM-REPO-003' });
  });
});
