import type { BranchMatcher } from './branch-matcher.ts';

/** The sizes that the XA specification allows for each of a transaction's two identifiers. */
const IDENTIFIER_BYTES_MAX = 64;

const XA_GID = /^(-?\d{1,10})_([A-Za-z0-9+/]+={0,2})_([A-Za-z0-9+/]*={0,2})$/;

/**
 * The GIDs that pgjdbc's XA driver gives: `<format id>_<base64 of the global transaction id>_<base64 of the branch qualifier>`. Branches of
 * one transaction differ in the qualifier only. A GID that is only nearly of this form is not taken for one.
 */
export const xaMatcher: BranchMatcher = {
  name: 'xa',
  key: ({ gid }) => {
    const [, formatId, globalId, qualifier] = XA_GID.exec(gid) ?? [];
    if (formatId === undefined || globalId === undefined || qualifier === undefined) return null;
    const global = base64Bytes(globalId);
    const branch = base64Bytes(qualifier);
    const valid =
      isInt32(formatId) &&
      global !== null &&
      global > 0 &&
      global <= IDENTIFIER_BYTES_MAX &&
      branch !== null &&
      branch <= IDENTIFIER_BYTES_MAX;
    return valid ? `${formatId}_${globalId}` : null;
  },
};

function isInt32(text: string): boolean {
  const number = Number(text);
  return String(number) === text && (number | 0) === number;
}

/** How many bytes it encodes; null if it is not what an encoder writes. */
function base64Bytes(text: string): number | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes.length : null;
}
