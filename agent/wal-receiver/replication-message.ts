import type { Lsn } from '../../shared/postgres/lsn.ts';

/**
 * Messages inside CopyData while WAL is streamed.
 * Source: PostgreSQL's manual, "Streaming Replication Protocol"; src/backend/replication/walsender.c.
 */
export type ReplicationMessage =
  | {
      readonly kind: 'wal';
      readonly startLsn: Lsn;
      /** The server's flush position when it sent this. */
      readonly serverEndLsn: Lsn;
      /** A view of the caller's buffer. */
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'keepalive'; readonly serverEndLsn: Lsn; readonly replyRequested: boolean };

const STATUS_BYTES = 34;
/** 2000-01-01 in milliseconds since 1970-01-01, UTC. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/**
 * A standby status update. PostgreSQL takes position 0 for "not known" and then leaves the slot as it is.
 * @param flushLsn nothing before it is needed again: the slot lets go of it
 */
export function encodeStatusUpdate(writeLsn: Lsn, flushLsn: Lsn, nowMs: number): Buffer {
  const message = Buffer.alloc(STATUS_BYTES);
  message[0] = 0x72;
  message.writeBigUInt64BE(writeLsn, 1);
  message.writeBigUInt64BE(flushLsn, 9);
  // Applied: nothing is, but 0 would make the server's views show no position at all.
  message.writeBigUInt64BE(flushLsn, 17);
  message.writeBigInt64BE(BigInt(nowMs - POSTGRES_EPOCH_MS) * 1000n, 25);
  return message;
}
