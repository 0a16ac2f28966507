const LENGTH_MORE = 15;
const MATCH_BYTES_MIN = 4;

/**
 * One LZ4 block (without a frame's header): sequences of literal bytes and a copy of what came before, the last one without a copy. Source:
 * the LZ4 block format description, lz4_Block_format.md.
 * @returns whether `source` is whole and fills `target` exactly; nothing outside of either is touched
 */
export function lz4DecompressBlock(source: Uint8Array, target: Uint8Array): boolean {
  let from = 0;
  let to = 0;
  while (from < source.length) {
    const token = source[from++] ?? 0;
    let literals = token >> 4;
    if (literals === LENGTH_MORE) {
      let more = 255;
      while (more === 255) {
        if (from === source.length) return false;
        more = source[from++] ?? 0;
        literals += more;
      }
    }
    if (literals > source.length - from || literals > target.length - to) return false;
    for (const end = to + literals; to < end; to++) target[to] = source[from++] ?? 0;
    if (from === source.length) return to === target.length;

    if (from + 2 > source.length) return false;
    const distance = (source[from++] ?? 0) | ((source[from++] ?? 0) << 8);
    let length = (token & LENGTH_MORE) + MATCH_BYTES_MIN;
    if (length === LENGTH_MORE + MATCH_BYTES_MIN) {
      let more = 255;
      while (more === 255) {
        if (from === source.length) return false;
        more = source[from++] ?? 0;
        length += more;
      }
    }
    if (distance === 0 || distance > to || length > target.length - to) return false;
    for (const end = to + length; to < end; to++) target[to] = target[to - distance] ?? 0;
  }
  return false;
}
