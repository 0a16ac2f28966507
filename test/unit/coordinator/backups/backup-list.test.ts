import assert from 'node:assert/strict';
import { BackupService } from '../../../../coordinator/backups/backup-service.ts';
import { UnfinishedBackups } from '../../../../coordinator/backups/unfinished-backups.ts';
import { loadZstd } from '../../../../shared/compression/zstd.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { silentLogger } from '../../../../shared/observability/logger.ts';
import { PosixRepository } from '../../../../shared/repository/posix-repository.ts';
import { TemporaryDirectory } from '../../../support/temporary-directory.ts';
import { BACKUP_ID, makeCopy } from '../../shared/verification/made-copy.ts';

const MANIFEST = `nodes/a/7123/backups/${BACKUP_ID}/manifest.json.zst`;

describe('the list of base backups', () => {
  it('comes from the copy itself, without membership; a damaged manifest hides no other', async () => {
    await using directory = TemporaryDirectory.create('backups');
    const repository = await PosixRepository.open(directory.path, { create: { cluster: 'c', repositoryId: 'r' } });
    try {
      for (const [path, bytes] of makeCopy().objects) await repository.create(path, bytes);
      const damaged = 'nodes/b/8/backups/20261122T121500000Z-0009/manifest.json.zst';
      await repository.create(damaged, Buffer.from('no manifest'));
      // Packs without a manifest are a backup that is being taken.
      await repository.create('nodes/b/8/backups/20261122T121500000Z-0010/000000.pack', Buffer.from('pack'));
      const zstd = await loadZstd();
      const unreadable: string[] = [];
      const service = new BackupService({
        coordinatorId: 'east',
        repository,
        unfinished: new UnfinishedBackups({ repository, logger: silentLogger() }),
        membership: { nodes: () => [], missing: () => [], primary: () => null },
        copies: { waitForObject: async () => [], objectCopies: () => ['west'], waitForAcknowledged: async () => {} },
        walProblem: () => null,
        holdsWal: () => true,
        dial: () => assert.fail('nobody is called'),
        nextId: () => assert.fail('nothing is named'),
        zstd: {
          compress: () => assert.fail('nothing is written'),
          decompress: async (frame, contentBytes) => zstd.decompress(frame, contentBytes),
        },
        clock: systemClock,
        metrics: { finished: () => {}, failed: () => {} },
        onUnreadable: (path, error) => unreadable.push(`${path} ${error.code}`),
        nodesAtOnce: 1,
        workers: 1,
        compressionLevel: 1,
      });
      for (let again = 0; again < 2; again++) {
        const found = await service.list();
        assert.deepEqual(
          found.map(({ id, node, dataCenters }) => [id, node, dataCenters]),
          [[BACKUP_ID, 'a', ['west']]],
        );
      }
      assert.equal((await service.get(BACKUP_ID)).node, 'a');
      assert.deepEqual(unreadable, [`${damaged} TM-REPO-003`]);
      assert.ok((await repository.stat(MANIFEST)) !== null);
    } finally {
      await repository.close();
    }
  });
});
