import { TidemarkError } from '../errors/tidemark-error.ts';
import { formatLsn, lsn, type Lsn } from '../postgres/lsn.ts';
import { majorOfPageMagic, POSTGRES_MAJOR_MAX, POSTGRES_MAJOR_MIN } from '../postgres/versions.ts';
import { PAGE_FLAG, PAGE_FLAGS_KNOWN, WAL_PAGE_BYTES, type WalPageHeader } from './wal-page.ts';

interface PageSequenceOptions {
  readonly timeline: number;
  readonly segmentBytes: number;
  /** In decimal. */
  readonly systemIdentifier: string;
  readonly majorVersion?: number;
}

/**
 * The pages of one WAL history, in order: all of one system and one major version, each at its address, and of timelines that never
 * go back nor beyond the history's own (a segment's start is copied from the timeline before when a server is promoted).
 */
export class PageSequence {
  readonly #options: PageSequenceOptions;
  readonly #systemIdentifier: bigint;
  #majorVersion: number | null;
  #timeline = 0;

  constructor(options: PageSequenceOptions) {
    this.#options = options;
    this.#systemIdentifier = BigInt(options.systemIdentifier);
    this.#majorVersion = options.majorVersion ?? null;
  }

  /** Null until a page was checked, unless it was given. */
  get majorVersion(): number | null {
    return this.#majorVersion;
  }

  /**
   * Takes the next page.
   * @throws TidemarkError TM-WAL-002 if it cannot be that, TM-WAL-005 if it is of a version that is not supported
   */
  check(page: Lsn, header: WalPageHeader): void {
    this.#majorVersion = this.#checkVersion(page, header.magic);
    if ((header.flags & ~PAGE_FLAGS_KNOWN) !== 0) {
      throw this.#damaged(page, `a page with the flags ${header.flags.toString(16)}`);
    }
    if (header.addressLow !== Number(page & 0xffff_ffffn) || header.addressHigh !== Number(page >> 32n)) {
      const address = lsn((BigInt(header.addressHigh) << 32n) | BigInt(header.addressLow));
      throw this.#damaged(page, `a page of ${formatLsn(address)}`);
    }
    if (header.timeline === 0 || header.timeline > this.#options.timeline || header.timeline < this.#timeline) {
      throw this.#damaged(page, `a page of timeline ${header.timeline}`);
    }
    this.#timeline = header.timeline;
    const long = (header.flags & PAGE_FLAG.long) !== 0;
    if (long !== (header.long !== null)) {
      throw this.#damaged(
        page,
        long ? "a segment's first page within it" : "a segment without its first page's header",
      );
    }
    if (header.long !== null) this.#checkSegment(page, header.long);
  }

  #checkVersion(page: Lsn, magic: number): number {
    if (magic === 0) throw this.#damaged(page, 'zeros where a page should begin');
    const major = majorOfPageMagic(magic);
    if (major === undefined) {
      const name = magic.toString(16).toUpperCase().padStart(4, '0');
      if (this.#majorVersion !== null) throw this.#damaged(page, `a page with the magic number ${name}`);
      throw new TidemarkError('TM-WAL-005', `WAL at ${formatLsn(page)} has the magic number ${name}`, {
        hint: `PostgreSQL ${POSTGRES_MAJOR_MIN} to ${POSTGRES_MAJOR_MAX} on little-endian machines are supported.`,
      });
    }
    if (this.#majorVersion !== null && major !== this.#majorVersion) {
      throw this.#damaged(page, `a page of PostgreSQL ${major} in WAL of PostgreSQL ${this.#majorVersion}`);
    }
    return major;
  }

  #checkSegment(page: Lsn, long: NonNullable<WalPageHeader['long']>): void {
    if (long.systemIdentifier !== this.#systemIdentifier) {
      const expected = this.#options.systemIdentifier;
      throw this.#damaged(page, `WAL of system ${long.systemIdentifier}, expected was ${expected}`);
    }
    if (long.segmentBytes !== this.#options.segmentBytes) {
      const expected = this.#options.segmentBytes;
      throw this.#damaged(page, `segments of ${long.segmentBytes} bytes, expected were ${expected}`);
    }
    if (long.pageBytes !== WAL_PAGE_BYTES) {
      throw new TidemarkError('TM-WAL-005', `WAL at ${formatLsn(page)} has pages of ${long.pageBytes} bytes`, {
        hint: `Only PostgreSQL with WAL pages of ${WAL_PAGE_BYTES} bytes is supported.`,
      });
    }
  }

  #damaged(page: Lsn, reason: string): TidemarkError {
    return damagedWal(this.#options.timeline, page, reason);
  }
}

/** TM-WAL-002: what is at this position is not valid WAL. */
export function damagedWal(timeline: number, position: Lsn, reason: string, cause?: unknown): TidemarkError {
  return new TidemarkError(
    'TM-WAL-002',
    `WAL of timeline ${timeline} is not valid at ${formatLsn(position)}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
