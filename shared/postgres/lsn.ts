import { TidemarkError } from '../errors/tidemark-error.ts';

/** A position in a WAL history: PostgreSQL's 64-bit `XLogRecPtr`. 0 means "none" (PostgreSQL's InvalidXLogRecPtr). */
export type Lsn = bigint & { readonly __brand: 'Lsn' };

/** No position. */
export const NO_LSN: Lsn = 0n as Lsn;

const LSN_MAX = (1n << 64n) - 1n;

/**
 * Makes an {@link Lsn} of a number of bytes.
 * @throws TidemarkError TM-WAL-001 if it does not fit into 64 bits
 */
export function lsn(value: bigint): Lsn {
  if (value < 0n || value > LSN_MAX) {
    throw new TidemarkError('TM-WAL-001', `${value} is not an LSN`);
  }
  return value as Lsn;
}

/**
 * Reads PostgreSQL's text form, for example `16/B374D848`.
 * @throws TidemarkError TM-WAL-001 if the text has another form
 */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match === null) {
    throw new TidemarkError('TM-WAL-001', `"${text}" is not an LSN`, { hint: 'An LSN looks like 16/B374D848.' });
  }
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn;
}

/** Prints PostgreSQL's text form: upper-case hexadecimal, without leading zeros. */
export function formatLsn(value: Lsn): string {
  return `${(value >> 32n).toString(16)}/${(value & 0xffffffffn).toString(16)}`.toUpperCase();
}

/** The position `bytes` further on. */
export function advanceLsn(value: Lsn, bytes: bigint | number): Lsn {
  return lsn(value + BigInt(bytes));
}

export function minLsn(a: Lsn, b: Lsn): Lsn {
  return a < b ? a : b;
}

export function maxLsn(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}
