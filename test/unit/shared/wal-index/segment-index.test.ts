import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { advanceLsn, lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import { OPTIONAL_SECTION_MIN, encodeSections } from '../../../../shared/wal-index/sections.ts';
import {
  decodeSegmentIndex,
  encodeSegmentIndex,
  type SegmentIndex,
} from '../../../../shared/wal-index/segment-index.ts';
import type { ClockReading } from '../../../../shared/wal/clock-reading.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';

const MIB = 1024 * 1024;
const sha = (text: string) => createHash('sha256').update(text).digest();

const clock: ClockReading = {
  atLsn: lsn(0x16_0000_0100n),
  nodeTimeUs: 1_795_000_000_000_000n,
  offsetUs: -40_000n,
  uncertaintyUs: 300n,
  coordinatorId: 'west-1',
  term: 7n,
};

function sample(contentLengths: readonly number[] = [1000, MIB - 1000], segmentBytes = MIB): SegmentIndex {
  const startLsn = lsn(0x16_0000_0000n);
  let position = startLsn;
  let offset = 0;
  const frames = contentLengths.map((contentBytes) => {
    const frame = {
      startLsn: position,
      contentBytes,
      offsetBytes: offset + 88,
      frameBytes: 1 + (contentBytes >> 2),
      contentSha256: sha(`${position}`),
    };
    position = advanceLsn(position, contentBytes);
    offset = frame.offsetBytes + frame.frameBytes;
    return frame;
  });
  const event = (at: bigint, extra: Partial<TransactionEvent>): TransactionEvent => ({
    kind: 'prepare',
    lsn: lsn(startLsn + at),
    endLsn: lsn(startLsn + at + 100n),
    previousLsn: lsn(startLsn + at - 64n),
    xid: 77,
    databaseOid: 5,
    timeUs: 1_795_000_000_000_000n,
    subxids: [],
    ...extra,
  });
  return {
    stream: { node: 'shard-1', systemIdentifier: '7710939264837747254', timeline: 3 },
    startLsn,
    segmentBytes,
    objectBytes: offset + 10,
    nextRecordLsn: lsn(startLsn + BigInt(segmentBytes) - 8n),
    lastRecordLsn: lsn(startLsn + BigInt(segmentBytes) - 64n),
    frames,
    events: [
      event(-50n, { gid: 'begins before' }),
      event(0n, { gid: 'seeded', seeded: true, endLsn: startLsn, xid: 5 }),
      event(500n, { kind: 'commit', databaseOid: 0, subxids: [78, 79] }),
    ],
    openBranches: [event(-90_000n, { gid: 'open' })],
    changedBlocks: Buffer.from('blocks'),
    clocks: [clock],
  };
}

describe('segment index', () => {
  it('gives back what was encoded', () => {
    const index = sample();
    assert.deepEqual(decodeSegmentIndex(encodeSegmentIndex(index)), index);
    const none: SegmentIndex = {
      ...index,
      events: [],
      openBranches: [],
      lastRecordLsn: NO_LSN,
      changedBlocks: Buffer.alloc(0),
      clocks: [],
    };
    assert.deepEqual(decodeSegmentIndex(encodeSegmentIndex(none)), none);
  });

  it('gives back any cutting of the segment into frames', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: MIB - 1 }), { maxLength: 20 }), (bounds) => {
        const edges = [0, ...new Set(bounds.sort((a, b) => a - b)), MIB];
        const lengths = edges.slice(1).map((edge, position) => edge - (edges[position] ?? 0));
        const index = sample(lengths);
        assert.deepEqual(decodeSegmentIndex(encodeSegmentIndex(index)), index);
      }),
    );
  });

  it('is small', () => {
    const lengths = Array.from({ length: 16 }, () => MIB);
    assert.ok(encodeSegmentIndex({ ...sample(lengths, 16 * MIB), events: [], openBranches: [] }).length < 1024);
  });

  it('refuses every changed byte and every truncation', () => {
    const bytes = encodeSegmentIndex(sample());
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ difference;
        const code = at >= 8 && at < 12 ? 'TM-REPO-008' : 'TM-REPO-003';
        assert.throws(() => decodeSegmentIndex(changed), { code });
        assert.throws(() => decodeSegmentIndex(bytes.subarray(0, at)), { code: 'TM-REPO-003' });
      }),
      { numRuns: 500 },
    );
    assert.throws(() => decodeSegmentIndex(Buffer.concat([bytes, Buffer.of(0)])), { code: 'TM-REPO-003' });
  });

  it('refuses an optional section that is there twice', () => {
    const bytes = encodeSegmentIndex(sample());
    const extra = encodeSections('TMWALIDX', 1, [{ number: OPTIONAL_SECTION_MIN + 1, content: Buffer.from('blocks') }]);
    const twice = Buffer.concat([bytes, extra.subarray(16)]);
    twice.writeUInt32LE(bytes.readUInt32LE(12) + 1, 12);
    assert.throws(() => decodeSegmentIndex(twice), { code: 'TM-REPO-003' });
  });

  it('passes over sections that later versions add', () => {
    const bytes = encodeSegmentIndex(sample());
    const extra = encodeSections('TMWALIDX', 1, [{ number: OPTIONAL_SECTION_MIN + 7, content: Buffer.from('blocks') }]);
    const extended = Buffer.concat([bytes, extra.subarray(16)]);
    extended.writeUInt32LE(bytes.readUInt32LE(12) + 1, 12);
    assert.deepEqual(decodeSegmentIndex(extended), sample());
  });

  it('is not written when it contradicts itself', () => {
    const index = sample();
    const [first, second] = index.frames as [SegmentIndex['frames'][0], SegmentIndex['frames'][0]];
    const [event] = index.events as [TransactionEvent];
    const wrong: readonly Partial<SegmentIndex>[] = [
      { frames: [first] },
      { frames: [second] },
      { frames: [second, first] },
      { frames: [first, { ...second, offsetBytes: first.offsetBytes }] },
      { frames: [first, { ...second, startLsn: first.startLsn }] },
      { objectBytes: second.offsetBytes },
      { startLsn: lsn(index.startLsn + 8n) },
      { segmentBytes: 2 * MIB },
      { events: [{ ...event, endLsn: index.startLsn }] },
      { events: [{ ...event, endLsn: lsn(index.startLsn + BigInt(MIB) + 1n) }] },
      { events: [...index.events].reverse() },
      { openBranches: [{ ...event, kind: 'commit' }] },
      { clocks: Array.from({ length: 65 }, () => clock) },
    ];
    for (const change of wrong) {
      assert.throws(
        () => encodeSegmentIndex({ ...index, ...change }),
        { code: 'TM-INTERNAL-001' },
        JSON.stringify(Object.keys(change)),
      );
    }
  });
});
