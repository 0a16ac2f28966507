import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { CoordinatorProcess } from '../../support/coordinator-process.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { giveToUnprivilegedUser } from '../../support/unprivileged-user.ts';

describe('the repository of a coordinator', function () {
  this.timeout(60_000);

  it('is made at the first start, and an empty directory is never taken for it afterwards', async () => {
    await using directory = TemporaryDirectory.create('own-repository');
    await using coordinator = await CoordinatorProcess.prepare(directory, { dataCenter: 'east' });
    const { repositoryPath } = coordinator;
    const ends = async (flags: readonly string[], code: number, says: RegExp): Promise<void> => {
      const child = await coordinator.startOnly(flags);
      assert.equal((await child.exited).code, code, child.logTail());
      assert.match(child.logTail(), says);
    };
    await coordinator.start();
    assert.equal((await coordinator.stop()).code, 0);

    // As when its path is mistyped.
    const away = `${repositoryPath}-away`;
    renameSync(repositoryPath, away);
    await ends([], 2, /TM-REPO-011.*does not exist; this coordinator had the repository .*--new-repository/);
    assert.equal(existsSync(repositoryPath), false);
    // As when its disk is not mounted.
    mkdirSync(repositoryPath);
    giveToUnprivilegedUser(repositoryPath);
    await ends([], 2, /TM-REPO-011.*it has no tidemark.json/);
    assert.deepEqual(readdirSync(repositoryPath), []);
    rmdirSync(repositoryPath);
    renameSync(away, repositoryPath);
    await coordinator.start();
    assert.equal((await coordinator.stop()).code, 0);

    // Lost for good, and a person says so.
    renameSync(repositoryPath, away);
    await ends(['--new-repository'], 0, /is a new, empty repository/);
    await ends(['--new-repository'], 2, /TM-REPO-012/);
    await coordinator.start();
  });
});
