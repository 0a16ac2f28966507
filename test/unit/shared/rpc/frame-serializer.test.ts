import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { withFramesInReusedSpace } from '../../../../shared/rpc/frame-serializer.ts';
import type { ChangeSet } from '../../../../shared/rpc/generated/tidemark/v1/ChangeSet.ts';
import { protocol } from '../../../../shared/rpc/proto.ts';

const MIB = 1024 * 1024;
const PULL_WAL = protocol.Agent.service.PullWal;
const FOLLOW_WAL = protocol.Peer.service.FollowWal;

function changeSet(frame: Buffer, changes: Partial<ChangeSet> = {}): ChangeSet {
  return {
    timeline: 3,
    startLsn: '18446744073709551000',
    endLsn: '18446744073709551600',
    nextRecordLsn: '7',
    lastRecordLsn: '0',
    frame,
    contentSha256: Buffer.alloc(32, 9),
    events: Buffer.from('events'),
    changedBlocks: Buffer.alloc(0),
    clocks: [{ atLsn: '1', nodeTimeUs: '-5', offsetUs: '3', uncertaintyUs: '2', coordinatorId: 'west', term: '4' }],
    frameCrc32: 0xffff_fffe,
    ...changes,
  };
}

for (const [name, service, method] of [
  ['PullWal', protocol.Agent.service, PULL_WAL],
  ['FollowWal', protocol.Peer.service, FOLLOW_WAL],
] as const) {
  describe(`messages of ${name} in a space that is used again`, () => {
    const serialize = withFramesInReusedSpace(service)[name]?.responseSerialize ?? assert.fail();
    /** What grpc-js does with what a serializer gives. */
    const received = (bytes: Buffer) => method.responseDeserialize(Buffer.from(bytes));

    it('say the same as in memory of their own', () => {
      const message = fc.record({
        frame: fc.oneof(
          fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
          fc.constantFrom(127, 128, 16_383, 16_384, MIB, MIB + 8192).map((length) => randomBytes(length)),
        ),
        events: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
      });
      fc.assert(
        fc.property(message, ({ frame, events }) => {
          const response = { changeSet: changeSet(frame, { events }) };
          assert.deepEqual(received(serialize(response)), received(method.responseSerialize(response)));
        }),
      );
    });

    it('take no memory for another frame', () => {
      const first = serialize({ changeSet: changeSet(randomBytes(MIB)) });
      const second = serialize({ changeSet: changeSet(randomBytes(MIB - 5)) });
      assert.equal(second.buffer, first.buffer);
    });

    it('are as ever where there is no frame, or more than fits', () => {
      const large = { changeSet: changeSet(randomBytes(100), { events: Buffer.alloc(5 * MIB, 7) }) };
      assert.deepEqual(received(serialize(large)), received(method.responseSerialize(large)));
      const without = { acknowledged: { acknowledgedLsn: '5' }, heartbeat: { sentLsn: '5' } };
      assert.deepEqual(serialize(without), method.responseSerialize(without));
    });
  });
}
