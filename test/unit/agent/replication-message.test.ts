import assert from 'node:assert/strict';
import { decodeReplicationMessage, encodeStatusUpdate } from '../../../agent/wal-receiver/replication-message.ts';
import { lsn } from '../../../shared/postgres/lsn.ts';

function hex(...fields: string[]): Buffer {
  return Buffer.from(fields.join(''), 'hex');
}

describe('replication messages', () => {
  it('reads WAL and keepalives', () => {
    const wal = hex('77', '0000000001000028', '0000000001000100', '0002f00000000000', 'abcdef');
    assert.deepEqual(decodeReplicationMessage(wal), {
      kind: 'wal',
      startLsn: 0x1000028n,
      serverEndLsn: 0x1000100n,
      bytes: Buffer.from('abcdef', 'hex'),
    });
    const keepalive = hex('6b', '0000000001000100', '0002f00000000000', '01');
    assert.deepEqual(decodeReplicationMessage(keepalive), {
      kind: 'keepalive',
      serverEndLsn: 0x1000100n,
      replyRequested: true,
    });
  });

  it('refuses anything else', () => {
    for (const text of ['', '77', '6b00', '7a' + '00'.repeat(30)]) {
      assert.throws(() => decodeReplicationMessage(Buffer.from(text, 'hex')), { code: 'TM-PG-004' });
    }
  });

  it('writes status updates', () => {
    const message = encodeStatusUpdate(lsn(0x10n), lsn(0x8n), 946_684_801_500);
    assert.equal(
      message.toString('hex'),
      ['72', '0000000000000010', '0000000000000008', '0000000000000008', '000000000016e360', '00'].join(''),
    );
  });
});
