import { TidemarkError } from '../errors/tidemark-error.ts';
import { lsn } from '../postgres/lsn.ts';
import { CLOCK_READINGS_MAX, type ClockReading } from '../wal/clock-reading.ts';
import { ByteReader, ByteWriter } from './byte-codec.ts';

/** The form in which clock readings lie in journals and segment indexes: a version byte, a count, then each as it is. */
const VERSION = 1;

/** An empty list is an empty buffer. */
export function encodeClocks(readings: readonly ClockReading[]): Buffer {
  if (readings.length === 0) return Buffer.alloc(0);
  const writer = new ByteWriter();
  writer.byte(VERSION);
  writer.unsigned(readings.length);
  for (const { atLsn, nodeTimeUs, offsetUs, uncertaintyUs, coordinatorId, term } of readings) {
    writer.unsigned64(atLsn);
    writer.signed64(nodeTimeUs);
    writer.signed64(offsetUs);
    writer.unsigned64(uncertaintyUs);
    writer.text(coordinatorId);
    writer.unsigned64(term);
  }
  return writer.finish();
}

/**
 * Decodes what {@link encodeClocks} gave.
 * @throws TidemarkError TM-REPO-003 if the bytes are not that, TM-REPO-008 for a version that is not known
 */
export function decodeClocks(buffer: Buffer): ClockReading[] {
  if (buffer.length === 0) return [];
  const reader = new ByteReader(buffer, 'clock readings');
  const version = reader.byte();
  if (version !== VERSION) {
    throw new TidemarkError('TM-REPO-008', `clock readings have version ${version}, this program knows ${VERSION}`);
  }
  const readings: ClockReading[] = [];
  for (let left = reader.unsignedUpTo(CLOCK_READINGS_MAX); left > 0; left--) {
    readings.push({
      atLsn: lsn(reader.unsigned64()),
      nodeTimeUs: reader.signed64(),
      offsetUs: reader.signed64(),
      uncertaintyUs: reader.unsigned64(),
      coordinatorId: reader.text(),
      term: reader.unsigned64(),
    });
  }
  reader.end();
  return readings;
}
