import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { FileAssembly, type BackedUpFile } from '../../../../agent/base-backup/file-assembly.ts';
import type { ListedFile } from '../../../../agent/base-backup/file-list.ts';
import { planFrames } from '../../../../agent/base-backup/frame-plan.ts';
import { FRAME_CONTENT_BYTES_MAX } from '../../../../shared/wal/change-set.ts';

function listed(sizeBytes: number, index: number): ListedFile {
  return { path: `f${index}`, sizeBytes, mode: 0o600, modifiedAtUs: 1, relation: null };
}

const sizes = fc.array(
  fc.oneof(fc.nat(1000), fc.nat(600 * 1024), fc.nat(5 * FRAME_CONTENT_BYTES_MAX), fc.constant(FRAME_CONTENT_BYTES_MAX)),
  { maxLength: 40 },
);

describe('frame plan and file assembly', () => {
  it('cover every file exactly, in frames of at most 1 MiB, in whatever order the frames come', () => {
    fc.assert(
      fc.property(sizes, fc.integer(), (sizes, seed) => {
        const files = sizes.map(listed);
        const plans = [...planFrames(files)];
        const assembly = new FileAssembly(files, plans);
        const shuffled = plans.toSorted(
          (a, b) => hash(a[0]!.file + a[0]!.offsetBytes, seed) - hash(b[0]!.file + b[0]!.offsetBytes, seed),
        );
        const done: BackedUpFile[] = [];
        const frames = new Map<number, { file: number; offset: number; length: number }[]>();
        for (const [sequence, plan] of shuffled.entries()) {
          assert(plan.reduce((sum, part) => sum + part.lengthBytes, 0) <= FRAME_CONTENT_BYTES_MAX);
          frames.set(
            sequence,
            plan.map(({ file, offsetBytes, lengthBytes }) => ({ file, offset: offsetBytes, length: lengthBytes })),
          );
          const results = plan.map(({ lengthBytes }) => ({ lengthBytes, pagesVerified: 0, failed: [] }));
          done.push(...assembly.add(plan, results, sequence));
        }
        assert.deepEqual(done.map((file) => file.path).sort(), files.map((file) => file.path).sort());
        for (const file of done) {
          const index = Number(file.path.slice(1));
          assert.equal(file.sizeBytes, sizes[index]);
          let at = 0;
          for (const extent of file.extents) {
            let offset = 0;
            const part = frames.get(extent.sequence)!.find((candidate) => {
              if (candidate.file === index) return true;
              offset += candidate.length;
              return false;
            })!;
            assert.deepEqual([part.offset, part.length, offset], [at, extent.lengthBytes, extent.offsetBytes]);
            at += extent.lengthBytes;
          }
          assert.equal(at, file.sizeBytes);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('end a file where a read first fell short, and leave out what has vanished', () => {
    const files = [
      listed(3 * FRAME_CONTENT_BYTES_MAX, 0),
      listed(2 * FRAME_CONTENT_BYTES_MAX, 1),
      listed(10, 2),
      listed(20, 3),
    ];
    const plans = [...planFrames(files)];
    const assembly = new FileAssembly(files, plans);
    const lengths = [[FRAME_CONTENT_BYTES_MAX], [100], [FRAME_CONTENT_BYTES_MAX], [null], [null], [null, 25]];
    const done = plans.flatMap((plan, index) =>
      assembly.add(
        plan,
        lengths[index]!.map((lengthBytes) => ({ lengthBytes, pagesVerified: 0, failed: [] })),
        index,
      ),
    );
    assert.deepEqual(
      done.map(({ path, sizeBytes }) => [path, sizeBytes]),
      [
        ['f0', FRAME_CONTENT_BYTES_MAX + 100],
        ['f3', 25],
      ],
    );
    assert.deepEqual(done[1]!.extents, [{ sequence: 5, offsetBytes: 0, lengthBytes: 25 }]);
    assert.equal(assembly.filesVanished, 2);
  });
});

function hash(value: number, seed: number): number {
  return Math.imul(value ^ seed, 0x9e3779b1) >>> 0;
}
