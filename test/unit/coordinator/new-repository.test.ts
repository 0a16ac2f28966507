import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeNewRepository } from '../../../coordinator/new-repository.ts';
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
});
