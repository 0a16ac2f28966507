import { FRAGMENT_ID } from './record-fragments.ts';
import type { TransactionEvent } from './transaction-event.ts';
import { EPOCH_DIFFERENCE_US, INFO_HAS_XINFO, KIND_BITS, NO_SUBXIDS, XINFO } from './transaction-record.ts';
import type { WholeRecord } from './whole-record.ts';
import { joinSignedHalves } from './wide-integer.ts';

const COMMIT = 0x00;
const ABORT = 0x20;

const FRAGMENT_BYTES = 2;
const TIME_BYTES = 8;
const XINFO_BYTES = 4;
const DATABASE_BYTES = 8;

/** Without them a record has its time and, at most, its database. */
const MORE =
  XINFO.subtransactions |
  XINFO.relations |
  XINFO.invalidations |
  XINFO.twoPhase |
  XINFO.origin |
  XINFO.gid |
  XINFO.droppedStatistics;

const HALF = 0x1_0000_0000;
const EPOCH_LOW = Number(EPOCH_DIFFERENCE_US & 0xffff_ffffn);
const EPOCH_HIGH = Number(EPOCH_DIFFERENCE_US >> 32n);
const HIGH_MAX = 0x7fff_ffff;

/**
 * The short way for most of what is read: the end of a transaction that was not prepared, of whose record nothing hangs but its time and
 * its database. Null for any other record of the transaction resource manager, sound or not: `readTransactionRecord` reads it, and
 * gives the same of these.
 */
export function readPlainEnd(record: WholeRecord): TransactionEvent | null {
  const { info, bytes, bodyStart } = record;
  const kind = info & KIND_BITS;
  if (kind !== COMMIT && kind !== ABORT) return null;
  const dataBytes = record.bodyEnd - bodyStart - FRAGMENT_BYTES;
  if (dataBytes < TIME_BYTES || bytes[bodyStart] !== FRAGMENT_ID.shortData || bytes[bodyStart + 1] !== dataBytes) {
    return null;
  }
  const at = bodyStart + FRAGMENT_BYTES;
  let databaseOid = 0;
  let bytesRead = TIME_BYTES;
  if ((info & INFO_HAS_XINFO) !== 0) {
    if (dataBytes < TIME_BYTES + XINFO_BYTES) return null;
    const xinfo = bytes.readUInt32LE(at + TIME_BYTES);
    if ((xinfo & MORE) !== 0) return null;
    bytesRead += XINFO_BYTES;
    if ((xinfo & XINFO.database) !== 0) {
      if (dataBytes < TIME_BYTES + XINFO_BYTES + DATABASE_BYTES) return null;
      databaseOid = bytes.readUInt32LE(at + TIME_BYTES + XINFO_BYTES);
      bytesRead += DATABASE_BYTES;
    }
  }
  if (bytesRead !== dataBytes) return null;
  const timeLow = bytes.readUInt32LE(at) + EPOCH_LOW;
  const timeHigh = bytes.readInt32LE(at + 4) + EPOCH_HIGH + (timeLow < HALF ? 0 : 1);
  if (timeHigh > HIGH_MAX) return null;
  return {
    kind: kind === COMMIT ? 'commit' : 'abort',
    xid: record.xid,
    databaseOid,
    timeUs: joinSignedHalves(timeHigh, timeLow),
    subxids: NO_SUBXIDS,
    lsn: record.lsn,
    endLsn: record.endLsn,
    previousLsn: record.previousLsn,
  };
}
