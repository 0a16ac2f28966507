import { loadZstd, type Zstd } from '../../shared/compression/zstd.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { SqlClient } from '../postgres/sql-client.ts';

/**
 * Decompresses the page images that PostgreSQL compressed with zstd. Few servers write such, and it takes memory; so it is loaded when a
 * stream begins on a server that says so. Where a session has its own setting, an image comes without notice: then `missed` says that what was
 * parsed may lack something, and the stream has to begin again, which loads it.
 */
export class PageImageZstd {
  readonly #load: () => Promise<Pick<Zstd, 'decompress'>>;
  #zstd: Pick<Zstd, 'decompress'> | null = null;
  #missed = false;

  constructor(load: () => Promise<Pick<Zstd, 'decompress'>> = loadZstd) {
    this.#load = load;
  }

  /** To be called before a stream begins. @throws TidemarkError TM-PG-001, TM-PG-004 */
  async prepare(sql: Pick<SqlClient, 'query'>): Promise<void> {
    if (this.#zstd !== null) return;
    const [row] = await sql.query<{ method: string | null }>(
      'reading wal_compression',
      `SELECT current_setting('wal_compression', true) AS method`,
    );
    if (!this.#missed && row?.method !== 'zstd') return;
    this.#zstd = await this.#load();
    this.#missed = false;
  }

  /** An image could not be decompressed because nothing was loaded. */
  get missed(): boolean {
    return this.#missed;
  }

  /** @throws TidemarkError TM-REPO-003 if the frame is damaged, TM-PG-001 if nothing is loaded */
  decompress(frame: Uint8Array, contentBytes: number): Uint8Array {
    if (this.#zstd === null) {
      this.#missed = true;
      throw imageMissed();
    }
    return this.#zstd.decompress(frame, contentBytes);
  }
}

/** Ends a stream in which an image was missed; it is tried again by itself. */
export function imageMissed(): TidemarkError {
  return new TidemarkError(
    'TM-PG-001',
    'the WAL holds a page image that is compressed with zstd, which was not expected: the stream begins again',
  );
}
