import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ByteRange, ReadableRepository, Repository } from '../../shared/repository/repository.ts';

/** A fresh, empty repository under test. `reader` is what the promises of reading are checked on; it may be the writer. */
interface RepositoryUnderTest {
  readonly writer: Repository;
  readonly reader: ReadableRepository;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;

/** What every implementation of a repository promises. Defines the tests for one of them. */
export function describeRepository(title: string, open: () => Promise<RepositoryUnderTest>): void {
  describe(`${title} keeps a repository's promises:`, () => {
    let opened: RepositoryUnderTest;
    let writer: Repository;
    let reader: ReadableRepository;

    beforeEach(async () => {
      opened = await open();
      ({ writer, reader } = opened);
    });

    afterEach(async () => {
      await opened.close();
    });

    it('an object has the bytes that it was created with', async () => {
      for (const size of [0, 1, MIB, 2 * MIB + 7]) {
        const content = Buffer.alloc(size, `${size}`);
        assert.equal(await writer.create(`objects/${size}`, content), 'created');
        assert.deepEqual(await reader.stat(`objects/${size}`), { path: `objects/${size}`, sizeBytes: size });
        assert.ok((await readAll(reader, `objects/${size}`)).equals(content));
      }
    });

    it('names the directories below a prefix, and no objects', async () => {
      for (const path of ['nodes/b/1/x', 'nodes/a/1/x', 'nodes/a/2/x', 'nodes/plain']) {
        await writer.create(path, Buffer.from(path));
      }
      assert.deepEqual(await writer.directories('nodes/'), ['a', 'b']);
      assert.deepEqual(await writer.directories('nodes/a/'), ['1', '2']);
      assert.deepEqual(await writer.directories('nodes/plain/'), []);
      assert.deepEqual(await writer.directories('nothing/'), []);
      await assert.rejects(writer.directories('nodes/../..'), { code: 'TM-REPO-006' });
    });

    it('an object may come in pieces', async () => {
      async function* pieces() {
        yield Buffer.from('one,');
        yield new Uint8Array(0);
        yield Buffer.from('two');
      }
      assert.equal(await writer.create('pieces', pieces()), 'created');
      assert.equal((await readAll(reader, 'pieces')).toString(), 'one,two');
    });

    it('the same bytes again exist already, other bytes are refused and change nothing', async () => {
      async function* inPieces(text: string) {
        for (const letter of text) yield Buffer.from(letter);
      }
      await writer.create('a/b', Buffer.from('bytes'));
      assert.equal(await writer.create('a/b', Buffer.from('bytes')), 'exists');
      assert.equal(await writer.create('a/b', inPieces('bytes')), 'exists');
      for (const other of ['byteS', 'byte', 'bytes!', '']) {
        await assert.rejects(writer.create('a/b', Buffer.from(other)), { code: 'TM-REPO-004' });
        await assert.rejects(writer.create('a/b', inPieces(other)), { code: 'TM-REPO-004' });
      }
      assert.equal((await readAll(reader, 'a/b')).toString(), 'bytes');
    });

    it('of several creations at once one wins, and those with its bytes agree', async () => {
      const same = await Promise.all(Array.from({ length: 8 }, () => writer.create('once', Buffer.from('same'))));
      assert.deepEqual(same.filter((result) => result === 'created').length, 1);
      const results = await Promise.allSettled(['x', 'y', 'z'].map((text) => writer.create('race', Buffer.from(text))));
      assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    });

    it('a creation whose source fails leaves nothing', async () => {
      async function* failing() {
        yield Buffer.alloc(100);
        throw new Error('source failed');
      }
      await assert.rejects(writer.create('dir/half', failing()), { message: 'source failed' });
      assert.equal(await reader.stat('dir/half'), null);
      assert.deepEqual(await paths(reader, 'dir/'), []);
    });

    it('lists by prefix in the order of the paths', async () => {
      const names = ['a', 'b-c', 'b/1/x', 'b/1-2', 'b/10', 'b/2', 'b.z', 'b0', 'c/d/e/f', 'ü'];
      for (const name of names) await writer.create(name, Buffer.from(name));
      const inOrder = [...names].sort();
      assert.deepEqual(
        (await paths(reader, '')).filter((path) => path !== 'tidemark.json'),
        inOrder,
      );
      for (const prefix of ['b', 'b/', 'b/1', 'b/1/', 'b/1-', 'c/d', 'c/d/e/f', 'none', 'none/x', 'a/x']) {
        assert.deepEqual(
          await paths(reader, prefix),
          inOrder.filter((path) => path.startsWith(prefix)),
          prefix,
        );
      }
    });

    it('a range is read as asked, in chunks that can be kept', async () => {
      const content = Buffer.from(Array.from({ length: 3 * MIB }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
      await writer.create('ranges', content);
      const offset = fc.integer({ min: 0, max: content.length });
      await fc.assert(
        fc.asyncProperty(offset, offset, fc.boolean(), async (one, other, toEnd) => {
          const start = Math.min(one, other);
          const end = toEnd ? content.length : Math.max(one, other);
          const range = toEnd ? { offsetBytes: start } : { offsetBytes: start, lengthBytes: end - start };
          assert.ok((await readAll(reader, 'ranges', range)).equals(content.subarray(start, end)));
        }),
        { numRuns: 10 },
      );
    });

    it('a range beyond the end is an error, not a short read', async () => {
      await writer.create('short', Buffer.from('12345'));
      for (const range of [
        { offsetBytes: 0, lengthBytes: 6 },
        { offsetBytes: 5, lengthBytes: 1 },
        { offsetBytes: 6 },
      ]) {
        await assert.rejects(readAll(reader, 'short', range), { code: 'TM-REPO-003' });
      }
    });

    it('a reader may stop early', async () => {
      await writer.create('long', Buffer.alloc(4 * MIB));
      for await (const chunk of reader.read('long')) {
        assert.ok(chunk.length <= MIB);
        break;
      }
    });

    it('what is not there is null, an error or nothing, as the call says', async () => {
      assert.equal(await reader.stat('none/at/all'), null);
      await assert.rejects(readAll(reader, 'none/at/all'), { code: 'TM-REPO-002' });
      assert.deepEqual(await paths(reader, 'none/at/all'), []);
      await writer.create('dir/file', Buffer.from('x'));
      assert.equal(await reader.stat('dir'), null);
      assert.equal(await reader.stat('dir/file/below'), null);
      await assert.rejects(readAll(reader, 'dir'), { code: 'TM-REPO-002' });
    });

    it('deletes, also twice, and can create anew', async () => {
      await writer.create('dir/file', Buffer.from('1'));
      await writer.delete('dir/file');
      await writer.delete('dir/file');
      assert.equal(await reader.stat('dir/file'), null);
      assert.equal(await writer.create('dir/file', Buffer.from('2')), 'created');
    });

    it('no path leads out of it', async () => {
      for (const path of ['', '/etc/passwd', '../x', 'a/../../x', 'a//b', './a', 'a/.', 'a/', 'a\\b', 'a\0b', 'a\nb']) {
        await assert.rejects(readAll(reader, path), { code: 'TM-REPO-006' }, JSON.stringify(path));
        await assert.rejects(reader.stat(path), { code: 'TM-REPO-006' }, JSON.stringify(path));
        await assert.rejects(writer.create(path, Buffer.from('x')), { code: 'TM-REPO-006' }, JSON.stringify(path));
        await assert.rejects(writer.delete(path), { code: 'TM-REPO-006' }, JSON.stringify(path));
      }
      await assert.rejects(paths(reader, '../'), { code: 'TM-REPO-006' });
    });
  });
}

async function paths(repository: ReadableRepository, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of repository.list(prefix)) found.push(entry.path);
  return found;
}

async function readAll(repository: ReadableRepository, path: string, range?: ByteRange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of repository.read(path, range)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
