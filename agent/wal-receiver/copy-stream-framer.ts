import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { advanceLsn, lsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import type { ReplicationMessage } from './replication-message.ts';

const MESSAGE_HEADER_BYTES = 5;
const COPY_DATA = 0x64;
const WAL_KIND = 0x77;
const KEEPALIVE_KIND = 0x6b;
const WAL_HEADER_BYTES = 25;
const KEEPALIVE_BYTES = 18;
/** Of a message that is no CopyData: an error, a row of a replication command, a timeline's history. */
const OTHER_BYTES_MAX = 16 * 1024 * 1024;

export interface FramerTarget {
  /** The bytes are a view of what was pushed. A long message comes in pieces, each with its own position. */
  readonly onReplication: (message: ReplicationMessage) => void;
  /** Any other message, whole, in memory of its own. */
  readonly onOther: (message: Buffer) => void;
}

/**
 * Splits what PostgreSQL sends into its messages: WAL goes on as it lies in the socket's buffer, without waiting for the rest of its
 * message and without a copy; everything else is gathered for pg. Holds at most a header, or one message that is no WAL.
 */
export class CopyStreamFramer {
  readonly #target: FramerTarget;
  /** What is gathered: a message's header, a CopyData's own header, or a message for pg. */
  #gathered = Buffer.alloc(64);
  #gatheredBytes = 0;
  #wantedBytes = MESSAGE_HEADER_BYTES;
  /** Of the WAL in the message that is being read. */
  #walBytesLeft = 0;
  #walLsn: Lsn = NO_LSN;
  #serverEndLsn: Lsn = NO_LSN;

  constructor(target: FramerTarget) {
    this.#target = target;
  }

  /** @throws TidemarkError TM-PG-004 if it is not PostgreSQL's protocol */
  push(bytes: Buffer): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#walBytesLeft > 0) {
        const piece = bytes.subarray(offset, offset + this.#walBytesLeft);
        offset += piece.length;
        this.#walBytesLeft -= piece.length;
        const startLsn = this.#walLsn;
        this.#walLsn = advanceLsn(startLsn, piece.length);
        this.#target.onReplication({ kind: 'wal', startLsn, serverEndLsn: this.#serverEndLsn, bytes: piece });
        continue;
      }
      const missing = this.#wantedBytes - this.#gatheredBytes;
      const copied = bytes.copy(this.#gathered, this.#gatheredBytes, offset, offset + missing);
      offset += copied;
      this.#gatheredBytes += copied;
      if (this.#gatheredBytes === this.#wantedBytes) this.#gatheredAll();
    }
  }

  #gatheredAll(): void {
    const message = this.#gathered;
    const bodyBytes = message.readUInt32BE(1) - 4;
    const totalBytes = MESSAGE_HEADER_BYTES + bodyBytes;
    if (message[0] !== COPY_DATA) {
      if (bodyBytes < 0 || bodyBytes > OTHER_BYTES_MAX) throw unknown(`a message of ${bodyBytes} bytes`);
      if (this.#wantedBytes < totalBytes) this.#want(totalBytes);
      else this.#finish(() => this.#target.onOther(Buffer.from(message.subarray(0, totalBytes))));
      return;
    }
    if (this.#wantedBytes === MESSAGE_HEADER_BYTES) {
      if (bodyBytes < KEEPALIVE_BYTES) throw unknown(`CopyData of ${bodyBytes} bytes`);
      this.#want(MESSAGE_HEADER_BYTES + 1);
      return;
    }
    const body = message.subarray(MESSAGE_HEADER_BYTES);
    const kind = body[0];
    const headerBytes = kind === WAL_KIND ? WAL_HEADER_BYTES : KEEPALIVE_BYTES;
    const known = kind === WAL_KIND ? bodyBytes >= headerBytes : kind === KEEPALIVE_KIND && bodyBytes === headerBytes;
    if (!known) throw unknown(`CopyData of kind ${kind} and ${bodyBytes} bytes`);
    if (this.#wantedBytes < MESSAGE_HEADER_BYTES + headerBytes) {
      this.#want(MESSAGE_HEADER_BYTES + headerBytes);
    } else if (kind === WAL_KIND) {
      this.#walLsn = lsn(body.readBigUInt64BE(1));
      this.#serverEndLsn = lsn(body.readBigUInt64BE(9));
      this.#walBytesLeft = bodyBytes - WAL_HEADER_BYTES;
      this.#finish(() => undefined);
    } else {
      const serverEndLsn = lsn(body.readBigUInt64BE(1));
      const replyRequested = body[17] !== 0;
      this.#finish(() => this.#target.onReplication({ kind: 'keepalive', serverEndLsn, replyRequested }));
    }
  }

  #want(bytes: number): void {
    this.#wantedBytes = bytes;
    if (bytes > this.#gathered.length) {
      const larger = Buffer.alloc(bytes);
      this.#gathered.copy(larger, 0, 0, this.#gatheredBytes);
      this.#gathered = larger;
    } else if (this.#gatheredBytes === bytes) {
      this.#gatheredAll();
    }
  }

  #finish(deliver: () => void): void {
    this.#gatheredBytes = 0;
    this.#wantedBytes = MESSAGE_HEADER_BYTES;
    deliver();
  }
}

function unknown(what: string): TidemarkError {
  return new TidemarkError('TM-PG-004', `PostgreSQL sent something that is not its replication protocol: ${what}`);
}
