/** Major versions that Tidemark reads. */
export const POSTGRES_MAJOR_MIN = 13;
export const POSTGRES_MAJOR_MAX = 18;

/** `XLOG_PAGE_MAGIC` of each major version; src/include/access/xlog_internal.h. */
const WAL_PAGE_MAGICS: ReadonlyMap<number, number> = new Map([
  [0xd106, 13],
  [0xd10d, 14],
  [0xd110, 15],
  [0xd113, 16],
  [0xd116, 17],
  [0xd118, 18],
]);

/** The major version that writes WAL pages with this magic number; undefined if none that is known does. */
export function majorOfPageMagic(magic: number): number | undefined {
  return WAL_PAGE_MAGICS.get(magic);
}

/** The magic number in the WAL pages of a major version. */
export function pageMagicOfMajor(major: number): number | undefined {
  for (const [magic, of] of WAL_PAGE_MAGICS) if (of === major) return magic;
  return undefined;
}

/** The major version of a `server_version_num` such as 180004. */
export function majorOfVersionNum(serverVersionNum: number): number {
  return Math.floor(serverVersionNum / 10_000);
}
