import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeNewRepository, openOwnRepository } from '../../../coordinator/own-repository.ts';
import { TidemarkError } from '../../../shared/errors/tidemark-error.ts';
import { systemClock } from '../../../shared/lifecycle/clock.ts';
import { silentLogger } from '../../../shared/observability/logger.ts';
import { PosixReader } from '../../../shared/repository/posix-reader.ts';
import { rejectsWithCode } from '../../support/rejects-with-code.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';

describe('a new repository', () => {
  it('is made once, in an empty or new directory, and each is another one', async () => {
    await using directory = TemporaryDirectory.create('new');
    const ids = new Set<string>();
    for (const name of ['a/b', 'c']) {
      const config = { cluster: 'bank', repository: { path: path.join(directory.path, name) } };
      const root = await makeNewRepository(config);
      const { cluster, repositoryId } = (await PosixReader.open(root)).manifest;
      assert.equal(cluster, 'bank');
      ids.add(repositoryId);
      await rejectsWithCode(makeNewRepository(config), 'TM-REPO-012');
      await rejectsWithCode(makeNewRepository({ ...config, cluster: 'shop' }), 'TM-REPO-005');
    }
    assert.equal(ids.size, 2);
    await writeFile(path.join(directory.path, 'letter.txt'), 'dear');
    await rejectsWithCode(makeNewRepository({ cluster: 'bank', repository: { path: directory.path } }), 'TM-REPO-001');
  });

  const options = (directory: TemporaryDirectory, knownRepository: () => Promise<string | null>) => ({
    config: { cluster: 'bank', repository: { path: path.join(directory.path, 'repository') } },
    coordination: { knownRepository },
    clock: systemClock,
    random: () => 0,
    logger: silentLogger(),
    signal: new AbortController().signal,
  });

  it('is made for a coordinator that never had one, and opened ever after without asking', async () => {
    await using directory = TemporaryDirectory.create('own');
    const first = await openOwnRepository(options(directory, async () => null));
    const { repositoryId } = first.manifest;
    await first.close();
    const asked = () => Promise.reject(new TidemarkError('TM-INTERNAL-001', 'nobody is to be asked'));
    const second = await openOwnRepository(options(directory, asked));
    assert.equal(second.manifest.repositoryId, repositoryId);
    await second.close();
  });

  it('is not made anew for a coordinator that had one', async () => {
    await using directory = TemporaryDirectory.create('own');
    await rejectsWithCode(openOwnRepository(options(directory, async () => 'the old one')), 'TM-REPO-011');
    assert.deepEqual(await readdir(directory.path), []);
  });

  it('is not made before it is known whether there was one', async () => {
    await using directory = TemporaryDirectory.create('own');
    const answers = [null, new TidemarkError('TM-LEAD-003', 'etcd is away'), new TidemarkError('TM-LEAD-003', 'still')];
    const stopping = new AbortController();
    const answer = async (): Promise<string | null> => {
      assert.deepEqual(await readdir(directory.path), []);
      const next = answers.pop();
      if (next instanceof TidemarkError) throw next;
      return null;
    };
    const clock = { ...systemClock, sleep: async () => {} };
    await (await openOwnRepository({ ...options(directory, answer), clock, signal: stopping.signal })).close();
    assert.deepEqual(answers, []);
  });
});
