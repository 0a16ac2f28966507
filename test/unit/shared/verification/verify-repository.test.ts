import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Progress } from '../../../../shared/admin/progress.ts';
import { inspectRepository, planFromRepository } from '../../../../shared/cluster-restore/bare-repository.ts';
import { loadZstd } from '../../../../shared/compression/zstd.ts';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import type { FrameDecompressor } from '../../../../shared/repository/backup-manifest-file.ts';
import { snapshotPath } from '../../../../shared/repository/layout.ts';
import { encodeWalGap, pathOfGap } from '../../../../shared/repository/wal-gap.ts';
import { encodeSnapshot } from '../../../../shared/repository/snapshot-manifest.ts';
import type { Finding } from '../../../../shared/verification/finding.ts';
import { decodeSegmentIndex, encodeSegmentIndex } from '../../../../shared/wal-index/segment-index.ts';
import { verifyRepository } from '../../../../shared/verification/verify-repository.ts';
import { BACKUP_ID, makeCopy, SNAPSHOT_ID, snapshotAt, type MadeCopy } from './made-copy.ts';

let codec: FrameDecompressor;

async function verify(copy: MadeCopy, onProgress?: (progress: Progress) => void): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const finding of verifyRepository(copy, codec, onProgress)) {
    findings.push(finding);
  }
  return findings;
}

function pathsOf(copy: MadeCopy, part: string): string[] {
  return [...copy.objects.keys()].filter((path) => path.includes(part));
}

describe('a bare repository', () => {
  before(async () => {
    const zstd = await loadZstd();
    codec = { decompress: async (frame, contentBytes) => await Promise.resolve(zstd.decompress(frame, contentBytes)) };
  });

  it('is inspected and planned from by itself', async () => {
    const copy = makeCopy();
    const inspection = await inspectRepository(copy, codec);
    assert.deepEqual(
      inspection.summaries.map(({ id, restorable }) => [id, restorable]),
      [[SNAPSHOT_ID, true]],
    );
    assert.deepEqual(
      inspection.wal.map(({ startLsn, endLsn }) => [startLsn, endLsn]),
      [[0x100_0000n, 0x128_0000n]],
    );
    const plan = await planFromRepository(copy, codec, { snapshotId: 'latest' });
    assert.equal(plan.nodes[0]?.backup.id, BACKUP_ID);
    assert.equal(plan.nodes[0].walFromLsn, 0x100_0000n);
    await assert.rejects(planFromRepository(copy, codec, { snapshotId: 'other' }), { code: 'TM-SNAP-001' });
  });

  it('restores "latest" to the newest snapshot whose WAL it has, and says which it passed over', async () => {
    const copy = makeCopy();
    const ahead = '20261122T121540123Z-0000';
    copy.objects.set(snapshotPath(ahead), encodeSnapshot(snapshotAt(lsn(0x129_0000n), ahead)));
    const passedOver: string[] = [];
    const plan = await planFromRepository(copy, codec, { snapshotId: 'latest' }, (id, { message }) =>
      passedOver.push(`${id} ${message}`),
    );
    assert.equal(plan.snapshot.id, SNAPSHOT_ID);
    assert.match(passedOver.join(), new RegExp(`${ahead} .*WAL of timeline 1 from 0/1280000 to 0/1290040 is missing`));
    await assert.rejects(planFromRepository(copy, codec, { snapshotId: ahead }), { code: 'TM-RESTORE-001' });
  });

  it('is found sound when it is', async () => {
    let last: Progress | undefined;
    assert.deepEqual(await verify(makeCopy(), (progress) => (last = progress)), []);
    assert.equal(last?.bytesDone, last?.bytesTotal);
  });

  it('is found damaged, whatever byte of whatever object is flipped', async () => {
    const paths = [...makeCopy().objects.keys()];
    const place = fc.record({
      path: fc.constantFrom(...paths),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      bit: fc.nat(7),
    });
    await fc.assert(
      fc.asyncProperty(place, async ({ path, at, bit }) => {
        const copy = makeCopy();
        const bytes = Buffer.from(copy.objects.get(path) ?? Buffer.alloc(0));
        // White space, labels and numbers of a snapshot's JSON are not hashed.
        fc.pre(!path.startsWith('snapshots/') && bytes.length > 0);
        const offset = Math.floor(at * bytes.length);
        bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << bit), offset);
        copy.objects.set(path, bytes);
        // zstd itself has a bit in a frame's descriptor that means nothing: the fifth of its fifth byte.
        fc.pre(
          !(path.endsWith('.pack') && bit === 4 && bytes.readUInt32LE(offset < 4 ? 0 : offset - 4) === 0xfd2f_b528),
        );
        const findings = await verify(copy);
        assert(findings.length > 0, `${path} at ${offset} bit ${bit}`);
      }),
      { numRuns: 20 },
    );
  });

  it('is found damaged when an object is cut off or gone', async () => {
    for (const part of ['.pack', 'manifest', '0000000011.zst', '0000000010.idx', 'snapshots/', 'journal/']) {
      for (const cut of [true, false]) {
        const copy = makeCopy();
        const [path = ''] = pathsOf(copy, part);
        const bytes = copy.objects.get(path) ?? Buffer.alloc(0);
        if (cut) {
          copy.objects.set(path, bytes.subarray(0, 100));
        } else {
          copy.objects.delete(path);
        }
        const findings = await verify(copy);
        // Without its snapshot, its backup or an index, less can be restored, but nothing is damaged.
        const sound = !cut && ['manifest', 'snapshots/', '0000000010.idx'].includes(part);
        assert.equal(findings.length === 0, sound, `${part} ${cut ? 'cut' : 'gone'}: ${JSON.stringify(findings)}`);
      }
    }
  });

  it('is found damaged when a segment holds other frames than its index names', async () => {
    const copy = makeCopy();
    const [path = ''] = pathsOf(copy, '0000000010.idx');
    const index = decodeSegmentIndex(copy.objects.get(path) ?? assert.fail());
    const frames = index.frames.map((frame, at) => (at === 2 ? { ...frame, contentSha256: Buffer.alloc(32) } : frame));
    copy.objects.set(path, encodeSegmentIndex({ ...index, frames }));
    assert.match((await verify(copy))[0]?.problem ?? '', /its frames are not those that its index names/);
  });

  it('tells of a gap that was declared, and does not call it wrong', async () => {
    const copy = makeCopy();
    copy.objects.delete(pathsOf(copy, '0000000011.zst')[0] ?? '');
    const declare = (endLsn: bigint): void => {
      const stream = {
        node: 'a',
        systemIdentifier: pathsOf(copy, '0000000010.zst')[0]?.split('/')[2] ?? '',
        timeline: 1,
      };
      const range = { startLsn: lsn(0x1100000n), endLsn: lsn(endLsn) };
      const found = { term: 3n, coordinatorId: 'east', declaredAtUs: 5n, reason: 'gone', notAsked: [] };
      const gap = { stream, ...range, ...found };
      copy.objects.set(pathOfGap(gap), encodeWalGap(gap));
    };
    declare(0x1180000n);
    assert.deepEqual(
      (await verify(copy)).map(({ kind }) => kind),
      ['gap', 'gap'],
      'only half of it was declared',
    );
    declare(0x1200000n);
    const findings = await verify(copy);
    assert.deepEqual(
      findings.map(({ kind }) => kind),
      ['lost', 'lost'],
    );
    assert.match(findings[1]?.problem ?? '', /PostgreSQL had no WAL from 0\/1100000/);
  });

  it('says which WAL is missing', async () => {
    const copy = makeCopy();
    copy.objects.delete(pathsOf(copy, '0000000011.zst')[0] ?? '');
    assert.deepEqual(
      (await verify(copy)).map(({ kind, subject, problem }) => `${kind} ${subject}: ${problem}`),
      [
        'gap WAL of a, timeline 1: from 0/1100000 to 0/1200000 is missing',
        `gap snapshot ${SNAPSHOT_ID}: snapshot ${SNAPSHOT_ID} cannot be restored: node a: its WAL of timeline 1 from 0/1100000 to 0/1200000 is missing`,
      ],
    );
  });
});
