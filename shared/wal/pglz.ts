/**
 * PostgreSQL's own compression. A control byte says of the next eight items, from its lowest bit on, whether each is a literal byte or
 * a copy of what came before: four bits of length and twelve of distance, one more byte of length for the longest. Source: the
 * comment at the top of src/common/pg_lzcompress.c.
 * @returns whether `source` is whole and fills `target` exactly; nothing outside of either is touched
 */
export function pglzDecompress(source: Uint8Array, target: Uint8Array): boolean {
  let from = 0;
  let to = 0;
  while (from < source.length && to < target.length) {
    let control = source[from++] ?? 0;
    for (let item = 0; item < 8 && from < source.length && to < target.length; item++, control >>= 1) {
      if ((control & 1) === 0) {
        target[to++] = source[from++] ?? 0;
        continue;
      }
      if (from + 2 > source.length) return false;
      const first = source[from++] ?? 0;
      const distance = ((first & 0xf0) << 4) | (source[from++] ?? 0);
      let length = (first & 0x0f) + 3;
      if (length === 18) {
        if (from === source.length) return false;
        length += source[from++] ?? 0;
      }
      if (distance === 0 || distance > to || length > target.length - to) return false;
      // Byte by byte: a copy may reach into itself.
      for (const end = to + length; to < end; to++) target[to] = target[to - distance] ?? 0;
    }
  }
  return from === source.length && to === target.length;
}
