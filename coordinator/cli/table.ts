export interface Column {
  readonly title: string;
  /** Left out: left. */
  readonly align?: 'left' | 'right';
}

/** Columns as wide as they need be, two spaces between, a heading; nothing at the end of a line. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => width(line[index] ?? ''))));
  return lines
    .map((line) =>
      columns
        .map(({ align }, index) => {
          const cell = line[index] ?? '';
          const padding = ' '.repeat((widths[index] ?? 0) - width(cell));
          return align === 'right' ? padding + cell : cell + padding;
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Names and values below each other. */
export function renderFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const widest = Math.max(0, ...fields.map(([name]) => width(name)));
  return fields
    .map(([name, value]) => `${name}${' '.repeat(widest - width(name))}  ${printable(value)}`.trimEnd())
    .map((line) => `${line}\n`)
    .join('');
}

function width(text: string): number {
  return Array.from(text).length;
}

/** Text from outside must not steer the terminal. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\uFFFD');
}
