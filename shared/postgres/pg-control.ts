import { TidemarkError } from '../errors/tidemark-error.ts';
import { crc32c } from './crc32c.ts';
import { type Lsn, lsn } from './lsn.ts';

/**
 * `global/pg_control` of PostgreSQL 13 to 18 on a 64-bit little-endian machine (`src/include/catalog/pg_control.h`). Majors 13 to
 * 17 share a layout (version 1300, in 17 it is 1700); 18 (1800) adds the signedness of char before the nonce, so that the checksum moves by 4 bytes.
 */
/** In the data directory. */
export const CONTROL_FILE_PATH = 'global/pg_control';
export const CONTROL_FILE_BYTES = 8192;

const CRC_OFFSETS: ReadonlyMap<number, number> = new Map([
  [1300, 288],
  [1700, 288],
  [1800, 292],
]);

const STATES = [
  'starting up',
  'shut down',
  'shut down in recovery',
  'shutting down',
  'in crash recovery',
  'in archive recovery',
  'in production',
] as const;

export interface ControlFile {
  readonly systemIdentifier: string;
  /** 1300, 1700 or 1800. */
  readonly controlVersion: number;
  readonly catalogVersion: number;
  readonly state: (typeof STATES)[number];
  readonly checkpointLsn: Lsn;
  readonly checkpointRedoLsn: Lsn;
  readonly checkpointTimeline: number;
  readonly minRecoveryLsn: Lsn;
  readonly minRecoveryTimeline: number;
  readonly maxConnections: number;
  readonly maxWorkerProcesses: number;
  readonly maxWalSenders: number;
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  readonly blockBytes: number;
  /** Blocks in each full file of a relation. */
  readonly segmentBlocks: number;
  readonly walSegmentBytes: number;
  readonly dataChecksums: boolean;
}

/**
 * Reads pg_control and checks its CRC.
 * @throws TidemarkError TM-PG-003 for a version that is not known, TM-REPO-003 if it is too short or damaged (or caught in a write)
 */
export function parseControlFile(bytes: Uint8Array): ControlFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 512) {
    throw new TidemarkError('TM-REPO-003', `pg_control has only ${bytes.byteLength} bytes`);
  }
  const u32 = (at: number): number => view.getUint32(at, true);
  const position = (at: number): Lsn => lsn(view.getBigUint64(at, true));
  const controlVersion = u32(8);
  const crcOffset = CRC_OFFSETS.get(controlVersion);
  if (crcOffset === undefined) {
    throw new TidemarkError('TM-PG-003', `pg_control has version ${controlVersion}`, {
      hint: 'PostgreSQL 13 to 18 on 64-bit little-endian machines are supported.',
    });
  }
  if (crc32c(bytes.subarray(0, crcOffset)) !== u32(crcOffset)) {
    throw new TidemarkError('TM-REPO-003', "pg_control's checksum is wrong", { retryable: true });
  }
  const state = STATES[u32(16)];
  if (state === undefined) throw new TidemarkError('TM-REPO-003', `pg_control has state ${u32(16)}`);
  return {
    systemIdentifier: view.getBigUint64(0, true).toString(),
    controlVersion,
    catalogVersion: u32(12),
    state,
    checkpointLsn: position(32),
    checkpointRedoLsn: position(40),
    checkpointTimeline: u32(48),
    minRecoveryLsn: position(136),
    minRecoveryTimeline: u32(144),
    maxConnections: u32(180),
    maxWorkerProcesses: u32(184),
    maxWalSenders: u32(188),
    maxPreparedTransactions: u32(192),
    maxLocksPerTransaction: u32(196),
    blockBytes: u32(216),
    segmentBlocks: u32(220),
    walSegmentBytes: u32(228),
    dataChecksums: u32(252) !== 0,
  };
}
