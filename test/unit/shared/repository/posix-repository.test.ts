import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PosixReader } from '../../../../shared/repository/posix-reader.ts';
import { PosixRepository } from '../../../../shared/repository/posix-repository.ts';
import { describeRepository } from '../../../support/repository-conformance.ts';

const create = { cluster: 'bank', repositoryId: 'east' };

async function contents(repository: PosixReader | PosixRepository, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of repository.read(path)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function paths(repository: PosixReader | PosixRepository): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of repository.list('')) found.push(entry.path);
  return found;
}

describeRepository('A directory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-repository-'));
  const writer = await PosixRepository.open(directory, { create });
  const reader = await PosixReader.open(directory);
  return {
    writer,
    reader,
    close: async () => {
      await writer.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe('PosixRepository', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tidemark-repository-'));
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  it('is made once and keeps its manifest', async () => {
    const path = join(directory, 'new', 'repository');
    const first = await PosixRepository.open(path, { create });
    await first.close();
    const second = await PosixRepository.open(path, { create: { cluster: 'bank', repositoryId: 'other' } });
    assert.deepEqual(second.manifest, { format: 1, ...create });
    await second.close();
    assert.deepEqual((await PosixReader.open(path)).manifest, { format: 1, ...create });
    for (const other of [{ create: { cluster: 'shop', repositoryId: 'east' } }, { cluster: 'shop' }]) {
      await assert.rejects(PosixRepository.open(path, other), { code: 'TM-REPO-005' });
    }
    await (await PosixRepository.open(path, { cluster: 'bank' })).close();
  });

  it('is not made in a directory that holds something else, nor opened where there is none', async () => {
    await writeFile(join(directory, 'letter.txt'), 'dear');
    await assert.rejects(PosixRepository.open(directory, { create }), { code: 'TM-REPO-001' });
    for (const path of [directory, join(directory, 'nowhere')]) {
      await assert.rejects(PosixRepository.open(path, { cluster: 'bank' }), { code: 'TM-REPO-011' });
      await assert.rejects(PosixReader.open(path), { code: 'TM-REPO-011' });
    }
    assert.deepEqual(await readdir(directory), ['letter.txt']);
  });

  it('refuses a manifest that is damaged or newer', async () => {
    await writeFile(join(directory, 'tidemark.json'), '{"format":2}');
    await assert.rejects(PosixReader.open(directory), { code: 'TM-REPO-008' });
    for (const damaged of ['', '{', '{"format":1,"cluster":"../x","repositoryId":"east"}', '[]']) {
      await writeFile(join(directory, 'tidemark.json'), damaged);
      await assert.rejects(PosixReader.open(directory), { code: 'TM-REPO-003' });
    }
  });

  it('has one writer, and any number of readers', async () => {
    const writer = await PosixRepository.open(directory, { create });
    await assert.rejects(PosixRepository.open(directory), { code: 'TM-REPO-001' });
    await writer.create('a', Buffer.from('a'));
    assert.equal(await contents(await PosixReader.open(directory), 'a'), 'a');
    await writer.close();
    const next = await PosixRepository.open(directory);
    await next.close();
    assert.deepEqual((await readdir(directory)).sort(), ['a', 'tidemark.json']);
  });

  it('never has two writers, however many try at once', async () => {
    await (await PosixRepository.open(directory, { create })).close();
    for (let round = 0; round < 10; round++) {
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => PosixRepository.open(directory)));
      const writers = results.filter((result) => result.status === 'fulfilled').map((result) => result.value);
      assert.ok(writers.length <= 1);
      for (const writer of writers) await writer.close();
    }
  });

  it('can be opened again after its writer was killed, also below a long path', async () => {
    const path = join(directory, 'x'.repeat(120));
    const modulePath = new URL('../../../../shared/repository/posix-repository.js', import.meta.url).href;
    const script = `
      const { PosixRepository } = await import(${JSON.stringify(modulePath)});
      await PosixRepository.open(process.argv[1], { create: ${JSON.stringify(create)} });
      process.stdout.write('open');
      setInterval(() => {}, 60_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    try {
      await once(child.stdout, 'data');
      await assert.rejects(PosixRepository.open(path), { code: 'TM-REPO-001', message: /in use/ });
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
    assert.ok((await readdir(path)).some((name) => name.startsWith('.lock-')));
    await (await PosixRepository.open(path)).close();
    assert.deepEqual(await readdir(path), ['tidemark.json']);
  });

  it('believes the lock of another host', async () => {
    await (await PosixRepository.open(directory, { create })).close();
    await writeFile(join(directory, '.lock-0123456789ab-ba9876543210-0011223344556677'), '');
    await assert.rejects(PosixRepository.open(directory), { code: 'TM-REPO-001', message: /another host/ });
  });

  it('removes what an interrupted creation left, and never shows it', async () => {
    await (await PosixRepository.open(directory, { create })).close();
    await writeFile(join(directory, '.tmp-0123'), 'half');
    assert.deepEqual(await paths(await PosixReader.open(directory)), ['tidemark.json']);
    await (await PosixRepository.open(directory)).close();
    assert.deepEqual(await readdir(directory), ['tidemark.json']);
  });

  it('shows nothing that a symbolic link leads to', async () => {
    const repository = await PosixRepository.open(directory, { create });
    const outside = await mkdtemp(join(tmpdir(), 'tidemark-outside-'));
    try {
      await writeFile(join(outside, 'secret'), 'secret');
      await symlink(join(outside, 'secret'), join(directory, 'file'));
      await symlink(outside, join(directory, 'nodes'));
      assert.deepEqual(await paths(repository), ['tidemark.json']);
      for (const path of ['file', 'nodes/secret']) {
        assert.equal(await repository.stat(path), null);
        await assert.rejects(contents(repository, path), { code: 'TM-REPO-006' });
      }
      await assert.rejects(repository.create('nodes/new', Buffer.from('x')), { code: 'TM-REPO-006' });
      assert.deepEqual(await readdir(outside), ['secret']);
    } finally {
      await rm(outside, { recursive: true });
      await repository.close();
    }
  });

  it('does not take hidden names', async () => {
    const repository = await PosixRepository.open(directory, { create });
    for (const path of ['.tmp-x', 'a/.lock-x', '.x/y']) {
      await assert.rejects(repository.create(path, Buffer.from('x')), { code: 'TM-REPO-006' });
    }
    await repository.close();
  });

  it('publishes a file of its own by a link', async () => {
    const repository = await PosixRepository.open(directory, { create });
    await repository.ensureDirectory('journal/n1/7/00000001');
    const journal = repository.absolutePath('journal/n1/7/00000001/seg.zst');
    await writeFile(journal, 'frames');
    assert.equal(await repository.link('journal/n1/7/00000001/seg.zst', 'nodes/n1/seg.zst'), 'created');
    assert.equal(await repository.link('journal/n1/7/00000001/seg.zst', 'nodes/n1/seg.zst'), 'exists');
    assert.equal(await repository.create('nodes/n1/seg.zst', Buffer.from('frames')), 'exists');
    await rm(journal);
    assert.equal(await contents(repository, 'nodes/n1/seg.zst'), 'frames');
    await writeFile(journal, 'others');
    await assert.rejects(repository.link('journal/n1/7/00000001/seg.zst', 'nodes/n1/seg.zst'), { code: 'TM-REPO-004' });
    await assert.rejects(repository.link('journal/none', 'nodes/none'), { code: 'TM-REPO-002' });
    assert.deepEqual(await paths(repository), ['journal/n1/7/00000001/seg.zst', 'nodes/n1/seg.zst', 'tidemark.json']);
    await repository.close();
  });

  it('reads a journal file that grows up to its end as it is then', async () => {
    const repository = await PosixRepository.open(directory, { create });
    await mkdir(join(directory, 'journal'));
    await writeFile(join(directory, 'journal/f'), 'one');
    const chunks: string[] = [];
    for await (const chunk of repository.read('journal/f')) {
      chunks.push(chunk.toString());
      if (chunks.length === 1) await appendFile(join(directory, 'journal/f'), 'two');
    }
    assert.equal(chunks.join(''), 'onetwo');
    await repository.close();
  });

  it('says that there is no room left, and leaves nothing behind', async function () {
    // /dev/full refuses every write with ENOSPC; a hard link cannot reach it, so the source stands for the disk.
    const repository = await PosixRepository.open(directory, { create });
    async function* full() {
      yield Buffer.from('begin');
      await appendFile('/dev/full', 'more');
    }
    await assert.rejects(repository.create('big', full()), { code: 'TM-REPO-007', retryable: true });
    assert.deepEqual(
      (await readdir(directory)).filter((name) => name.startsWith('.tmp-')),
      [],
    );
    await repository.close();
  });

  it('replaces nothing when a file appears between the look and the link', async () => {
    const repository = await PosixRepository.open(directory, { create });
    async function* meanwhile() {
      yield Buffer.from('mine');
      await writeFile(join(directory, 'other'), 'theirs');
      await link(join(directory, 'other'), join(directory, 'object'));
    }
    await assert.rejects(repository.create('object', meanwhile()), { code: 'TM-REPO-004' });
    assert.equal(await readFile(join(directory, 'object'), 'utf8'), 'theirs');
    await repository.close();
  });
});
