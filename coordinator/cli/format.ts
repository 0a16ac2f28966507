/** Microseconds since 1970-01-01 UTC as RFC 3339, to the millisecond: `2026-11-22T12:15:30.123Z`. */
export function formatTime(timeUs: bigint): string {
  return new Date(Number(timeUs / 1000n)).toISOString();
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** A size with three digits that count: `512 B`, `1.50 GiB`, `117 MiB`. */
export function formatBytes(bytes: bigint | number): string {
  let value = Number(bytes);
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A length of time for people: `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 999.5) {
    return `${Math.round(durationMs)} ms`;
  }
  if (durationMs < 9_950) {
    return `${(durationMs / 1000).toFixed(1)} s`;
  }
  const seconds = Math.round(durationMs / 1000);
  const steps = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const;
  const first = steps.findIndex(([, size]) => seconds >= size);
  const shown: string[] = [];
  let rest = seconds;
  for (const [name, size] of steps.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) {
      shown.push(`${count} ${name}`);
    }
  }
  return shown.join(' ');
}

/** `3` and `node` make `3 nodes`. */
export function plural(count: number | bigint, noun: string): string {
  return `${count} ${noun}${Number(count) === 1 ? '' : 's'}`;
}
