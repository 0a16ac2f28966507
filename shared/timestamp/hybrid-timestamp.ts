import { TidemarkError } from '../errors/tidemark-error.ts';

/** A hybrid logical time: milliseconds since 1970-01-01 UTC in the upper 48 bits, a counter in the lower 16. */
export type HybridTimestamp = bigint & { readonly __brand: 'HybridTimestamp' };

const COUNTER_BITS = 16n;
const COUNTER_MAX = (1 << 16) - 1;
/** The last millisecond of the year 9999, the last that the text form can say. */
const MS_MAX = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Before every real timestamp. */
export const TIMESTAMP_ZERO: HybridTimestamp = 0n as HybridTimestamp;

/** @throws TidemarkError TM-USAGE-001 if a part is out of range */
export function hybridTimestamp(ms: number, counter = 0): HybridTimestamp {
  const fits =
    Number.isSafeInteger(ms) &&
    ms >= 0 &&
    ms <= MS_MAX &&
    Number.isInteger(counter) &&
    counter >= 0 &&
    counter <= COUNTER_MAX;
  if (!fits) {
    throw new TidemarkError('TM-USAGE-001', `${ms} ms, counter ${counter}, is not a timestamp`);
  }
  return ((BigInt(ms) << COUNTER_BITS) | BigInt(counter)) as HybridTimestamp;
}

/** Milliseconds since 1970-01-01 UTC. */
export function timestampMs(timestamp: HybridTimestamp): number {
  return Number(timestamp >> COUNTER_BITS);
}

export function timestampCounter(timestamp: HybridTimestamp): number {
  return Number(timestamp & BigInt(COUNTER_MAX));
}

/** The least timestamp above; a full counter carries into the next millisecond. */
export function nextTimestamp(timestamp: HybridTimestamp): HybridTimestamp {
  const next = (timestamp + 1n) as HybridTimestamp;
  return hybridTimestamp(timestampMs(next), timestampCounter(next));
}

/**
 * The text form, which is a snapshot's id: UTC in ISO 8601's basic format with milliseconds, and the counter in four hexadecimal
 * digits, as in `20261122T121530123Z-0001`. Texts sort as the timestamps do.
 */
export function formatTimestamp(timestamp: HybridTimestamp): string {
  const instant = new Date(timestampMs(timestamp)).toISOString().replace(/[-:.]/g, '');
  return `${instant}-${timestampCounter(timestamp).toString(16).padStart(4, '0')}`;
}

/**
 * Reads what {@link formatTimestamp} wrote.
 * @throws TidemarkError TM-USAGE-001 for any other text
 */
export function parseTimestamp(text: string): HybridTimestamp {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z-([0-9a-f]{4})$/.exec(text);
  if (match !== null) {
    const [, year, month, day, hour, minute, second, millisecond, counter = ''] = match;
    const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${millisecond}Z`);
    if (!Number.isNaN(ms) && ms >= 0) {
      const timestamp = hybridTimestamp(ms, Number.parseInt(counter, 16));
      // A date such as 30 February is carried over by some parsers: only what prints as it was read is accepted.
      if (formatTimestamp(timestamp) === text) {
        return timestamp;
      }
    }
  }
  throw new TidemarkError('TM-USAGE-001', `${JSON.stringify(text)} is not a timestamp`, {
    hint: 'A timestamp looks like 20261122T121530123Z-0001.',
  });
}
