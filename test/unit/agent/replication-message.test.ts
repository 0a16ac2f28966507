import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { CopyStreamFramer } from '../../../agent/wal-receiver/copy-stream-framer.ts';
import { encodeStatusUpdate } from '../../../agent/wal-receiver/replication-message.ts';
import { lsn } from '../../../shared/postgres/lsn.ts';

type Sent =
  | { readonly kind: 'wal'; readonly startLsn: bigint; readonly serverEndLsn: bigint; readonly bytes: Buffer }
  | { readonly kind: 'keepalive'; readonly serverEndLsn: bigint; readonly replyRequested: boolean }
  | { readonly kind: 'other'; readonly type: number; readonly body: Buffer };

/** As PostgreSQL writes it. */
function encode(message: Sent): Buffer {
  if (message.kind === 'other') return frame(message.type, message.body);
  if (message.kind === 'wal') {
    const header = Buffer.alloc(25);
    header.write('w');
    header.writeBigUInt64BE(message.startLsn, 1);
    header.writeBigUInt64BE(message.serverEndLsn, 9);
    return frame(0x64, Buffer.concat([header, message.bytes]));
  }
  const body = Buffer.alloc(18);
  body.write('k');
  body.writeBigUInt64BE(message.serverEndLsn, 1);
  body[17] = message.replyRequested ? 1 : 0;
  return frame(0x64, body);
}

function frame(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** What a framer makes of chunks, with the pieces of one message put together again. */
function receive(chunks: readonly Buffer[]): Sent[] {
  const received: Sent[] = [];
  const reused = Buffer.alloc(1024 * 1024);
  const framer = new CopyStreamFramer({
    onReplication: (message) => {
      if (message.kind === 'keepalive') {
        received.push({ ...message });
        return;
      }
      const bytes = Buffer.from(message.bytes);
      const last = received.at(-1);
      if (last?.kind === 'wal' && last.startLsn + BigInt(last.bytes.length) === message.startLsn) {
        received[received.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, bytes]) };
      } else received.push({ ...message, bytes });
    },
    onOther: (message) => {
      assert.equal(message.readUInt32BE(1) + 1, message.length);
      received.push({ kind: 'other', type: message[0] ?? 0, body: message.subarray(5) });
    },
  });
  for (const chunk of chunks) {
    chunk.copy(reused);
    framer.push(reused.subarray(0, chunk.length));
    reused.fill(0xee);
  }
  return received;
}

function follows(before: Sent | undefined, message: Sent): boolean {
  return (
    before?.kind === 'wal' &&
    message.kind === 'wal' &&
    before.startLsn + BigInt(before.bytes.length) === message.startLsn
  );
}

const position = fc.bigInt({ min: 0n, max: 1n << 60n });
const sent: fc.Arbitrary<Sent> = fc.oneof<fc.Arbitrary<Sent>[]>(
  fc
    .tuple(position, position, fc.uint8Array({ minLength: 1, maxLength: 300 }))
    .map(([startLsn, serverEndLsn, bytes]) => ({ kind: 'wal', startLsn, serverEndLsn, bytes: Buffer.from(bytes) })),
  fc
    .tuple(position, fc.boolean())
    .map(([serverEndLsn, replyRequested]) => ({ kind: 'keepalive', serverEndLsn, replyRequested })),
  fc
    .tuple(fc.constantFrom(0x43, 0x45, 0x5a, 0x63), fc.uint8Array({ maxLength: 200 }))
    .map(([type, bytes]) => ({ kind: 'other', type, body: Buffer.from(bytes) })),
);

describe('replication messages', () => {
  it('come out as they were sent, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(sent, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 90 })), (messages, cuts) => {
        // Pieces of one message and two messages that follow each other look alike here.
        fc.pre(messages.every((message, at) => at === 0 || !follows(messages[at - 1], message)));
        let rest = Buffer.concat(messages.map(encode));
        const chunks: Buffer[] = [];
        for (const cut of cuts) {
          chunks.push(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        assert.deepEqual(receive([...chunks, rest]), messages);
      }),
    );
  });

  it('hands WAL on without waiting for the rest of its message', () => {
    const whole = encode({ kind: 'wal', startLsn: 0x1000n, serverEndLsn: 0x9000n, bytes: Buffer.alloc(1000, 7) });
    const [first] = receive([whole.subarray(0, 130)]);
    assert.equal(first?.kind === 'wal' && first.bytes.length, 100);
  });

  it('refuses what is not the protocol', () => {
    for (const bad of [
      frame(0x64, Buffer.from('w')),
      frame(0x64, Buffer.alloc(30, 'x')),
      frame(0x64, Buffer.concat([Buffer.from('k'), Buffer.alloc(30)])),
      frame(0x64, Buffer.concat([Buffer.from('w'), Buffer.alloc(20)])),
      Buffer.from('5a00000000', 'hex'),
      Buffer.from('5affffffff', 'hex'),
    ]) {
      assert.throws(() => receive([bad]), { code: 'TM-PG-004' });
    }
  });

  it('writes status updates', () => {
    assert.equal(
      encodeStatusUpdate(lsn(0x10n), lsn(0x8n), 946_684_801_500).toString('hex'),
      ['72', '0000000000000010', '0000000000000008', '0000000000000008', '000000000016e360', '00'].join(''),
    );
  });
});
