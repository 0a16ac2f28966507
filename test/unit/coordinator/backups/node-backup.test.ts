import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type NodeBackupOptions, takeNodeBackup } from '../../../../coordinator/backups/node-backup.ts';
import { UnfinishedBackups } from '../../../../coordinator/backups/unfinished-backups.ts';
import { loadZstd, type Zstd } from '../../../../shared/compression/zstd.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { silentLogger } from '../../../../shared/observability/logger.ts';
import { lsn, type Lsn, parseLsn } from '../../../../shared/postgres/lsn.ts';
import type { LsnRange } from '../../../../shared/wal/lsn-range.ts';
import { readBackupManifest } from '../../../../shared/repository/backup-manifest-file.ts';
import type { Repository } from '../../../../shared/repository/repository.ts';
import { baseBackupFiles, wholeBaseBackup } from '../../../support/made-base-backup.ts';
import { MemoryRepository } from '../../../support/memory-repository.ts';

describe('a node backup', () => {
  let zstd: Zstd;
  before(async () => {
    zstd = await loadZstd();
  });

  function options(repository: Repository, changes: Partial<NodeBackupOptions> = {}): NodeBackupOptions {
    return {
      id: 'b1',
      node: 'a',
      systemIdentifier: '77',
      parts: wholeBaseBackup(zstd, 5),
      repository,
      unfinished: new UnfinishedBackups({ repository, logger: silentLogger() }),
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
    ['the agent ends early', () => ({ parts: baseBackupFiles(zstd, 5) })],
    [
      'the agent fails',
      () => ({
        parts: (async function* () {
          yield* baseBackupFiles(zstd, 5);
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
    const broken = async function* () {
      for await (const part of wholeBaseBackup(zstd, 2)) {
        yield part.kind === 'frame' && part.sequence === 1 ? { ...part, frame: part.frame.subarray(0, 10) } : part;
      }
    };
    await assert.rejects(takeNodeBackup(options(repository, { parts: broken() })), { code: 'TM-REPO-003' });
    assert.deepEqual([...repository.objects.keys()], []);
  });
});
