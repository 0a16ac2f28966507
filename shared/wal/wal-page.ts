/**
 * WAL pages: every 8 KiB of WAL begin with a header of 24 bytes, in the first page of a segment of 40.
 * Source: src/include/access/xlog_internal.h (XLogPageHeaderData, XLogLongPageHeaderData).
 */
export const WAL_PAGE_BYTES = 8192;
export const PAGE_HEADER_BYTES = 24;
export const LONG_PAGE_HEADER_BYTES = 40;

/** Flags of a page header. */
export const PAGE_FLAG = {
  /** The page begins with the rest of a record. */
  continued: 0x1,
  long: 0x2,
  /** Full-page images may be left out of what follows; says nothing about the page's form. */
  removable: 0x4,
  /** The record that should have gone on here was given up in a crash. */
  overwritten: 0x8,
} as const;

export const PAGE_FLAGS_KNOWN = 0xf;

/** A page header, as it stands there. 64-bit fields are two halves, since positions are compared for every page. */
export interface WalPageHeader {
  readonly magic: number;
  readonly flags: number;
  readonly timeline: number;
  readonly addressLow: number;
  readonly addressHigh: number;
  /** Bytes of the continued record that are still to come, this page's included. */
  readonly remainingBytes: number;
  /** Only in a long header. */
  readonly long: {
    readonly systemIdentifier: bigint;
    readonly segmentBytes: number;
    readonly pageBytes: number;
  } | null;
}

/** @param header 24 bytes or, in a segment's first page, 40 */
export function readPageHeader(header: Buffer): WalPageHeader {
  return {
    magic: header.readUInt16LE(0),
    flags: header.readUInt16LE(2),
    timeline: header.readUInt32LE(4),
    addressLow: header.readUInt32LE(8),
    addressHigh: header.readUInt32LE(12),
    remainingBytes: header.readUInt32LE(16),
    long:
      header.length < LONG_PAGE_HEADER_BYTES
        ? null
        : {
            systemIdentifier: header.readBigUInt64LE(24),
            segmentBytes: header.readUInt32LE(32),
            pageBytes: header.readUInt32LE(36),
          },
  };
}
