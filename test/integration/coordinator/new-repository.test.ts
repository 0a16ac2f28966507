import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { CoordinatorProcess } from '../../support/coordinator-process.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { giveToUnprivilegedUser } from '../../support/unprivileged-user.ts';

describe('the repository of a coordinator', function () {
  this.timeout(60_000);

  it('is made only when a person asks for it, and is never taken for another, empty one', async () => {
    await using directory = TemporaryDirectory.create('new-repository');
    await using coordinator = await CoordinatorProcess.prepare(directory, { dataCenter: 'east', repository: 'none' });
    const { repositoryPath } = coordinator;
    const ends = async (flags: readonly string[], code: number, says: RegExp): Promise<void> => {
      const child = await coordinator.startOnly(flags);
      assert.equal((await child.exited).code, code, child.logTail());
      assert.match(child.logTail(), says);
    };
    await ends([], 2, /TM-REPO-011.*does not exist.*--new-repository/);
    assert.equal(existsSync(repositoryPath), false);
    await ends(['--new-repository'], 0, /is a new, empty repository/);
    await ends(['--new-repository'], 2, /TM-REPO-012/);
    await coordinator.start();
    assert.equal((await coordinator.stop()).code, 0);

    // As when its disk is not mounted.
    renameSync(repositoryPath, `${repositoryPath}-away`);
    mkdirSync(repositoryPath);
    giveToUnprivilegedUser(repositoryPath);
    await ends([], 2, /TM-REPO-011.*it has no tidemark.json/);
    assert.deepEqual(readdirSync(repositoryPath), []);
    renameSync(`${repositoryPath}-away`, repositoryPath);
    await coordinator.start();
  });
});
