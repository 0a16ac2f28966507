import type { Lsn } from '../../shared/postgres/lsn.ts';

/** zstd's levels, -7 to 6. */
export interface CompressionLevels {
  readonly usual: number;
  /** While the stream is far behind. */
  readonly catchUp: number;
}

/** At 100 MB/s the stream is less than a second away from the server's end. */
const CATCH_UP_BYTES = 64n * 1024n * 1024n;

/**
 * The level for a run of WAL. One that is far behind is needed on the copies more urgently than it is needed small: until it is
 * durable, PostgreSQL keeps it, and its loss would be the loss of everything since. Frames are independent, so levels may mix.
 * @param serverEndLsn how far the server has more to send
 */
export function compressionLevel({ usual, catchUp }: CompressionLevels, endLsn: Lsn, serverEndLsn: Lsn): number {
  return serverEndLsn - endLsn > CATCH_UP_BYTES ? Math.min(usual, catchUp) : usual;
}
