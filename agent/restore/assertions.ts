import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { RestoredServer } from './restored-server.ts';

/**
 * Runs SQL that must give exactly one value, true. `name: SELECT …` runs in the database of that name.
 * @returns what failed, in words; empty if everything held
 */
export async function checkAssertions(server: RestoredServer, assertions: readonly string[]): Promise<string[]> {
  const failures: string[] = [];
  for (const assertion of assertions) {
    const match = /^([A-Za-z0-9_.-]+):\s+(.*)$/s.exec(assertion);
    const database = match?.[1] ?? 'postgres';
    const problem = await problemOf(server, database, match?.[2] ?? assertion);
    if (problem !== null) failures.push(`${assertion} (database ${database}): ${problem}`);
  }
  return failures;
}

async function problemOf(server: RestoredServer, database: string, sql: string): Promise<string | null> {
  let rows: Record<string, unknown>[];
  try {
    rows = await server.query(sql, { database });
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    return error instanceof Error ? error.message : String(error);
  }
  const values = rows.flatMap((row) => Object.values(row));
  if (rows.length !== 1 || values.length !== 1) return `gave ${rows.length} rows, expected one true value`;
  return values[0] === true ? null : `gave ${JSON.stringify(values[0])}`;
}
