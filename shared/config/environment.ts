import { parse } from 'yaml';
import { z } from 'zod';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { editDistance } from './edit-distance.ts';
import { schemaLeaves } from './schema-keys.ts';

export const ENVIRONMENT_PREFIX = 'TIDEMARK_';

/** Variables of the command line, which may stand in one environment with an agent's or a coordinator's. */
const FOREIGN_VARIABLES: ReadonlySet<string> = new Set(['TIDEMARK_COORDINATOR']);

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value that the environment gives, and the variable that gave it. */
export interface Override {
  readonly path: readonly string[];
  readonly variable: string;
  readonly value: unknown;
}

/** `postgres.host` is `TIDEMARK_POSTGRES_HOST`: upper case, `.` becomes `_`. */
export function variableName(path: readonly string[]): string {
  return ENVIRONMENT_PREFIX + path.join('_').toUpperCase();
}

/**
 * Reads the options of a schema from the environment. A text option takes the value as it is; a list takes YAML (`[a, b]`) or
 * texts with commas between; everything else takes YAML (`5433`, `true`, `{ a: b }`).
 * @throws TidemarkError TM-CONFIG-001 for a value that is not YAML, and for a variable that is nearly that of an option
 */
export function readEnvironment(schema: z.ZodType, environment: Environment): Override[] {
  const overrides: Override[] = [];
  const known = new Set<string>();
  for (const { path, schema: leaf } of schemaLeaves(schema)) {
    const variable = variableName(path);
    known.add(variable);
    const text = environment[variable];
    if (text !== undefined) {
      overrides.push({ path, variable, value: readValue(leaf, variable, text) });
    }
  }
  for (const variable of Object.keys(environment)) {
    if (variable.startsWith(ENVIRONMENT_PREFIX) && !known.has(variable) && !FOREIGN_VARIABLES.has(variable)) {
      const meant = [...known].find((name) => editDistance(name, variable) <= 2);
      // Other programs of Tidemark read other variables; only what looks like a slip of the pen is refused.
      if (meant !== undefined) {
        throw new TidemarkError('TM-CONFIG-001', `environment variable ${variable} is not an option`, {
          hint: `Did you mean ${meant}?`,
        });
      }
    }
  }
  return overrides;
}

function readValue(leaf: z.ZodType, variable: string, text: string): unknown {
  if (leaf instanceof z.ZodString || leaf instanceof z.ZodEnum) {
    return text;
  }
  if (leaf instanceof z.ZodArray && !/^\s*[[-]/.test(text)) {
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }
  try {
    return parse(text) as unknown;
  } catch (cause) {
    throw new TidemarkError('TM-CONFIG-001', `environment variable ${variable}: ${firstLine(cause)}`, {
      hint: 'The value is read as YAML.',
      cause,
    });
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
