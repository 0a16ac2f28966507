/**
 * 64-bit numbers of their halves. A bigint made by shifting and adding costs several others on the way; one that is read out of
 * memory costs itself alone.
 */
const VIEW = new DataView(new ArrayBuffer(8));

/** Both halves are 0 to 2^32 - 1. */
export function joinHalves(high: number, low: number): bigint {
  VIEW.setUint32(0, low, true);
  VIEW.setUint32(4, high, true);
  return VIEW.getBigUint64(0, true);
}

/** @param high -2^31 to 2^31 - 1 @param low 0 to 2^32 - 1 */
export function joinSignedHalves(high: number, low: number): bigint {
  VIEW.setUint32(0, low, true);
  VIEW.setInt32(4, high, true);
  return VIEW.getBigInt64(0, true);
}
