import assert from 'node:assert/strict';
import type { Instance } from '../../../../shared/postgres/instance.ts';
import { lsn, NO_LSN } from '../../../../shared/postgres/lsn.ts';
import {
  changeSetFromMessage,
  changeSetToMessage,
  walStreamFromMessage,
  walStreamToMessage,
} from '../../../../shared/rpc/change-set-codec.ts';
import { instanceFromMessage, instanceToMessage } from '../../../../shared/rpc/instance-codec.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';
import { NO_CHANGED_BLOCKS } from '../../../../shared/wal/changed-blocks.ts';
import { encodeChangedBlocks } from '../../../../shared/wal-index/changed-blocks-codec.ts';
import type { ChangeSet } from '../../../../shared/wal/change-set.ts';

const changeSet: ChangeSet = {
  timeline: 3,
  startLsn: lsn(0xffff_ffff_ff00_0000n),
  endLsn: lsn(0xffff_ffff_ff00_2000n),
  nextRecordLsn: lsn(0xffff_ffff_ff00_1ff8n),
  lastRecordLsn: NO_LSN,
  frame: Buffer.from('frame'),
  frameCrc32: 0xffff_fffe,
  contentSha256: Buffer.alloc(32, 7),
  events: [
    {
      kind: 'prepare',
      lsn: lsn(0xffff_ffff_ff00_0100n),
      endLsn: lsn(0xffff_ffff_ff00_0180n),
      previousLsn: lsn(0xffff_ffff_ff00_0040n),
      xid: 0xffff_fff0,
      databaseOid: 5,
      gid: 'transfer-é-1',
      timeUs: 1_800_000_000_123_456n,
      subxids: [1, 2],
    },
  ],
  changedBlocks: encodeChangedBlocks(NO_CHANGED_BLOCKS),
  clocks: [
    {
      atLsn: lsn(0xffff_ffff_ff00_1000n),
      nodeTimeUs: 1_800_000_000_000_000n,
      offsetUs: -5_000_000n,
      uncertaintyUs: 250n,
      coordinatorId: 'west-1',
      term: 0xffff_ffff_ffff_ffffn,
    },
  ],
};

/** As it is on the other side of the wire. */
function sent(value: ChangeSet) {
  return protocol.ChangeSet.deserialize(protocol.ChangeSet.serialize(changeSetToMessage(value)));
}

describe('codecs', () => {
  it('carries a change set, with positions that need all 64 bits', () => {
    assert.deepEqual(changeSetFromMessage(sent(changeSet)), changeSet);
  });

  it('refuses a change set that contradicts itself', () => {
    const broken: readonly Partial<ChangeSet>[] = [
      { endLsn: changeSet.startLsn },
      { endLsn: lsn(changeSet.startLsn - 8n) },
      { endLsn: lsn(changeSet.startLsn + 1024n * 1024n + 1n) },
      { contentSha256: Buffer.alloc(31) },
      { frame: Buffer.alloc(0) },
      { timeline: 0 },
      { clocks: Array.from({ length: 65 }, () => changeSet.clocks[0] ?? assert.fail()) },
    ];
    for (const change of broken) {
      assert.throws(() => changeSetFromMessage(sent({ ...changeSet, ...change })), { code: 'TM-WAL-002' });
    }
  });

  it('refuses changed blocks that cannot be read, before they reach a journal', () => {
    const damaged = { ...changeSet, changedBlocks: changeSet.changedBlocks.subarray(0, 2) };
    assert.throws(() => changeSetFromMessage(sent(damaged)), { code: 'TM-REPO-003' });
  });

  it('carries a stream and refuses one that is not named', () => {
    const stream = { node: 'shard-1', systemIdentifier: '7412345678901234567', timeline: 2 };
    const message = protocol.WalStream.deserialize(protocol.WalStream.serialize(walStreamToMessage(stream)));
    assert.deepEqual(walStreamFromMessage(message), stream);
    assert.throws(() => walStreamFromMessage(null), { code: 'TM-USAGE-001' });
    assert.throws(() => walStreamFromMessage({ ...message, timeline: 0 }), { code: 'TM-USAGE-001' });
  });

  it('carries an instance', () => {
    const instance: Instance = {
      node: 'shard-1',
      instance: 'shard-1-a',
      systemIdentifier: '7412345678901234567',
      timeline: 2,
      inRecovery: true,
      serverVersionNum: 180_001,
      walSegmentBytes: 16_777_216,
      dataDirectory: '/var/lib/postgresql/18/main',
      slot: 'tidemark',
      slotRestartLsn: lsn(0x10_0000_0000n),
      flushLsn: lsn(0xffff_ffff_ffff_fff0n),
      dataChecksums: true,
      advertisedAddress: '10.0.0.7:7320',
      highestTerm: 18_446_744_073_709_551_615n,
      postgresReachable: true,
      synchronous: { configured: true, problem: 'fsync is off' },
      problem: '',
    };
    const wire = protocol.Instance.serialize(instanceToMessage(instance));
    assert.deepEqual({ ...instanceFromMessage(protocol.Instance.deserialize(wire)) }, instance);
  });
});
