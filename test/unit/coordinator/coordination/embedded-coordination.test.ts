import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EmbeddedCoordination } from '../../../../coordinator/coordination/embedded-coordination.ts';
import { describeCoordination } from '../../../support/coordination-conformance.ts';
import { rejectsWithCode } from '../../../support/rejects-with-code.ts';
import { TemporaryDirectory } from '../../../support/temporary-directory.ts';

describe('embedded coordination', () => {
  let directory: TemporaryDirectory;

  beforeEach(() => {
    directory = TemporaryDirectory.create('embedded');
  });
  afterEach(async () => {
    await directory[Symbol.asyncDispose]();
  });

  const self = { coordinatorId: 'c1', dataCenter: 'east', address: '127.0.0.1:1' };

  describeCoordination('embedded', (info) =>
    Promise.resolve(new EmbeddedCoordination({ self: info, directory: directory.path })),
  );

  it('refuses a directory that another one uses, until that one is closed', async () => {
    const first = new EmbeddedCoordination({ self, directory: directory.path });
    const second = new EmbeddedCoordination({ self, directory: directory.path });
    await first.start('repository-1');
    await rejectsWithCode(second.start('repository-1'), 'TM-REPO-010');
    await first.close();
    await second.start('repository-1');
    await second.close();
  });

  it('refuses a damaged term instead of starting from the beginning', async () => {
    await writeFile(path.join(directory.path, 'term'), '');
    const coordination = new EmbeddedCoordination({ self, directory: directory.path });
    await coordination.start('repository-1');
    const signal = new AbortController().signal;
    await rejectsWithCode(coordination.campaign({ termMin: 0n, signal }), 'TM-LEAD-004');
    await coordination.close();
  });
});
