import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { lsn } from '../../../../shared/postgres/lsn.ts';
import { JournalDecoder, type JournalEnd, type PlacedEntry } from '../../../../shared/wal-index/journal-decoder.ts';
import { encodeJournalEntry, type JournalEntry } from '../../../../shared/wal-index/journal-entry.ts';
import { madeChangeSet, madeWal } from '../../../support/made-wal.ts';

const SEGMENT_BYTES = 1024 * 1024;

function entries(...ends: bigint[]): JournalEntry[] {
  return ends.map((end, index) => ({
    ...madeChangeSet(ends[index - 1] ?? 0x100_0000n, end),
    segmentBytes: SEGMENT_BYTES,
    events: Buffer.from(`events of ${index}`.repeat(index)),
    changedBlocks: Buffer.from(`blocks of ${index}`.repeat(2 - index)),
    clocks: Buffer.from('clocks'.repeat(index % 2)),
  }));
}

function encode(list: readonly JournalEntry[]): Buffer {
  return Buffer.concat(list.flatMap((entry) => encodeJournalEntry(entry)));
}

function decode(bytes: Buffer, cuts: readonly number[] = []): { found: PlacedEntry[]; end: JournalEnd } {
  const decoder = new JournalDecoder();
  const found: PlacedEntry[] = [];
  let from = 0;
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    found.push(...decoder.push(Buffer.from(bytes.subarray(from, cut))));
    from = cut;
  }
  return { found, end: decoder.end() };
}

describe('the journal decoder', () => {
  const list = entries(0x100_0040n, 0x100_0100n, 0x100_0180n);
  const bytes = encode(list);
  const ends = list.map((_, index) => encode(list.slice(0, index + 1)).length);

  it('gives back what was encoded, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
        const { found, end } = decode(bytes, cuts);
        assert.deepEqual(
          found.map(({ entry }) => ({ ...entry })),
          list.map(
            ({
              segmentBytes,
              timeline,
              startLsn,
              endLsn,
              nextRecordLsn,
              lastRecordLsn,
              contentSha256,
              events,
              changedBlocks,
              clocks,
              frame,
              frameCrc32,
            }) => ({
              segmentBytes,
              timeline,
              startLsn,
              endLsn,
              nextRecordLsn,
              lastRecordLsn,
              contentSha256,
              events,
              changedBlocks,
              clocks,
              frame,
              frameCrc32,
            }),
          ),
        );
        assert.deepEqual(
          found.map(({ offsetBytes, entryBytes }) => offsetBytes + entryBytes),
          ends,
        );
        assert.deepEqual(end, { kind: 'whole', validBytes: bytes.length });
      }),
    );
  });

  it('finds a torn tail at every length, and every entry before it', () => {
    for (let length = 0; length <= bytes.length; length++) {
      const { found, end } = decode(bytes.subarray(0, length));
      const whole = ends.filter((entryEnd) => entryEnd <= length);
      assert.equal(found.length, whole.length, `at ${length}`);
      assert.equal(end.validBytes, whole.at(-1) ?? 0);
      assert.equal(end.kind, length === (whole.at(-1) ?? 0) ? 'whole' : 'torn', `at ${length}`);
    }
  });

  it('takes zeros after the last entry for a torn tail', () => {
    const { found, end } = decode(Buffer.concat([bytes, Buffer.alloc(5000)]), [bytes.length + 7]);
    assert.equal(found.length, 3);
    assert.equal(end.kind, 'torn');
    assert.equal(end.validBytes, bytes.length);
  });

  it('sees every flipped bit and hands out nothing from there on', () => {
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      const { found, end } = decode(damaged);
      const before = ends.filter((entryEnd) => entryEnd <= at).length;
      assert.equal(found.length, before, `byte ${at}`);
      assert.equal(end.kind, 'corrupt', `byte ${at}`);
    }
  });

  it('refuses to encode a run that crosses a segment or is too long', () => {
    const [entry] = entries(0x100_0040n);
    assert.ok(entry !== undefined);
    assert.throws(
      () => encodeJournalEntry({ ...entry, endLsn: lsn(0x110_0001n), startLsn: lsn(0x10f_ff00n) }),
      /crosses/,
    );
    assert.throws(() => encodeJournalEntry({ ...entry, endLsn: entry.startLsn }), /out of range/);
  });

  it('makes files that zstd decompresses to the WAL', function () {
    const zstd = spawnSync('zstd', ['-dc'], { input: bytes, maxBuffer: 64 * 1024 * 1024 });
    if (zstd.error !== undefined) return; // no zstd program here; the harness checks real segments
    assert.equal(zstd.status, 0, zstd.stderr.toString());
    assert.deepEqual(zstd.stdout, madeWal(lsn(0x100_0000n), lsn(0x100_0180n)));
  });
});
