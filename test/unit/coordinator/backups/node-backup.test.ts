import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { BaseBackupPart } from '../../../../coordinator/backups/base-backup-stream.ts';
import { type NodeBackupOptions, takeNodeBackup } from '../../../../coordinator/backups/node-backup.ts';
import { loadZstd, type Zstd } from '../../../../shared/compression/zstd.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import type { Instance } from '../../../../shared/postgres/instance.ts';
import { lsn, type Lsn, parseLsn } from '../../../../shared/postgres/lsn.ts';
import type { LsnRange } from '../../../../shared/wal/lsn-range.ts';
import { readBackupManifest } from '../../../../shared/repository/backup-manifest-file.ts';
import type { CreateResult, ObjectEntry, Repository } from '../../../../shared/repository/repository.ts';

class MemoryRepository implements Repository {
  readonly name = 'memory';
  readonly objects = new Map<string, Buffer>();
  onCreate: (path: string) => void = () => {};

  async *list(prefix: string): AsyncIterable<ObjectEntry> {
    for (const [path, bytes] of this.objects) if (path.startsWith(prefix)) yield { path, sizeBytes: bytes.length };
  }
  async directories(): Promise<readonly string[]> {
    return [];
  }
  async stat(path: string): Promise<ObjectEntry | null> {
    const bytes = this.objects.get(path);
    return bytes === undefined ? null : { path, sizeBytes: bytes.length };
  }
  async *read(path: string): AsyncIterable<Buffer> {
    yield this.objects.get(path)!;
  }
  async create(path: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<CreateResult> {
    const chunks: Uint8Array[] = [];
    if (content instanceof Uint8Array) chunks.push(content);
    else for await (const chunk of content) chunks.push(chunk);
    this.onCreate(path);
    this.objects.set(path, Buffer.concat(chunks));
    return 'created';
  }
  async delete(path: string): Promise<void> {
    this.objects.delete(path);
  }
}

const instance = {
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

describe('a node backup', () => {
  let zstd: Zstd;
  before(async () => {
    zstd = await loadZstd();
  });

  async function* parts(count: number): AsyncGenerator<BaseBackupPart> {
    yield { kind: 'started', instance, startLsn: parseLsn('0/2000028'), timeline: 1, bytesTotal: 10 };
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

  async function* whole(count: number): AsyncGenerator<BaseBackupPart> {
    yield* parts(count);
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

  function options(repository: Repository, changes: Partial<NodeBackupOptions> = {}): NodeBackupOptions {
    return {
      id: 'b1',
      node: 'a',
      systemIdentifier: '77',
      parts: whole(5),
      repository,
      copies: {
        waitForObject: async () => ['east', 'west'],
        objectCopies: () => [],
        waitForAcknowledged: async () => {},
      },
      holdsWal: (_stream, { startLsn }) => startLsn >= parseLsn('0/2000000'),
      zstd: { compress: async (content) => ({ frame: zstd.compress(content, 1) }) },
      clock: systemClock,
      signal: new AbortController().signal,
      onProgress: () => {},
      packBytesMax: 50,
      ...changes,
    };
  }

  const pool = () => ({ decompress: async (frame: Uint8Array, bytes: number) => zstd.decompress(frame, bytes) });

  it('is packs and a manifest that fit together, the manifest last, and every object on the copies', async () => {
    const repository = new MemoryRepository();
    const order: string[] = [];
    repository.onCreate = (path) => order.push(path.split('/').at(-1)!);
    const waited: string[] = [];
    const acknowledged: Lsn[] = [];
    const { manifest, dataCenters } = await takeNodeBackup(
      options(repository, {
        copies: {
          waitForObject: async (path) => {
            waited.push(path.split('/').at(-1)!);
            if (path.endsWith('.pack')) assert(!repository.objects.has('nodes/a/77/backups/b1/manifest.json.zst'));
            return ['east', 'west'];
          },
          objectCopies: () => [],
          waitForAcknowledged: async (stream, position) => {
            assert.deepEqual(stream, { node: 'a', systemIdentifier: '77', timeline: 1 });
            acknowledged.push(position);
          },
        },
      }),
    );
    assert.deepEqual(order, ['000000.pack', '000001.pack', '000002.pack', 'manifest.json.zst']);
    assert.deepEqual(waited, order);
    assert.deepEqual(acknowledged, [parseLsn('0/2000138')]);
    assert.deepEqual(dataCenters, ['east', 'west']);
    const read = await readBackupManifest(repository, 'nodes/a/77/backups/b1/manifest.json.zst', pool());
    assert.deepEqual(read, manifest);
    assert.deepEqual(
      read.frames.map(([pack]) => pack),
      [0, 0, 1, 1, 2],
    );
    for (const [index, [pack, offset, frameBytes, contentBytes, sha256]] of read.frames.entries()) {
      const bytes = repository.objects.get(`nodes/a/77/backups/b1/00000${pack}.pack`)!;
      const content = zstd.decompress(bytes.subarray(offset, offset + frameBytes), contentBytes);
      assert.deepEqual(content, Buffer.alloc(100, index));
      assert.equal(createHash('sha256').update(content).digest('hex'), sha256);
    }
  });

  const failures: [string, Partial<NodeBackupOptions> | (() => Partial<NodeBackupOptions>)][] = [
    ['the agent ends early', () => ({ parts: parts(5) })],
    [
      'the agent fails',
      () => ({
        parts: (async function* () {
          yield* parts(5);
          throw new Error('lost');
        })(),
      }),
    ],
    [
      'the WAL begins too late',
      { holdsWal: (_stream: unknown, { startLsn }: LsnRange) => startLsn >= lsn(0x3000000n) },
    ],
    ['no WAL is kept', { holdsWal: () => false }],
    ['another node answers', { node: 'b' }],
    ['another system answers', { systemIdentifier: '78' }],
  ];
  for (const [what, changes] of failures) {
    it(`leaves nothing behind when ${what}`, async () => {
      const repository = new MemoryRepository();
      await assert.rejects(takeNodeBackup(options(repository, typeof changes === 'function' ? changes() : changes)));
      assert.deepEqual([...repository.objects.keys()], []);
    });
  }

  it('leaves nothing behind when it is aborted, and no manifest is written after that', async () => {
    const repository = new MemoryRepository();
    const abort = new AbortController();
    const waiting = takeNodeBackup(
      options(repository, {
        signal: abort.signal,
        copies: {
          waitForObject: async () => {
            abort.abort(new Error('no leader any more'));
            return ['east'];
          },
          objectCopies: () => [],
          waitForAcknowledged: async () => {},
        },
      }),
    );
    await assert.rejects(waiting, /no leader any more/);
    assert.deepEqual([...repository.objects.keys()], []);
  });

  it('refuses a frame that is not what it says', async () => {
    const repository = new MemoryRepository();
    const broken = async function* (): AsyncGenerator<BaseBackupPart> {
      for await (const part of whole(2)) {
        yield part.kind === 'frame' && part.sequence === 1 ? { ...part, frame: part.frame.subarray(0, 10) } : part;
      }
    };
    await assert.rejects(takeNodeBackup(options(repository, { parts: broken() })), { code: 'TM-REPO-003' });
    assert.deepEqual([...repository.objects.keys()], []);
  });
});
