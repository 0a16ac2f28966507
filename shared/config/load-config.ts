import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { nearest } from './edit-distance.ts';
import { readEnvironment, type Environment, type Override } from './environment.ts';
import { objectShape, schemaAt, unwrap } from './schema-keys.ts';

export interface ConfigSource<S extends z.ZodType> {
  readonly schema: S;
  /** A YAML file; left out: everything comes from the environment. */
  readonly file?: string | undefined;
  readonly environment: Environment;
}

/** One thing that is wrong, and what to do about it. */
interface Problem {
  readonly where: string;
  readonly reason: string;
  readonly hint: string | null;
}

/**
 * Reads a process's configuration: the YAML file, overridden by `TIDEMARK_…` variables, checked against the schema. The schema's
 * descriptions serve as hints.
 * @throws TidemarkError TM-CONFIG-002 if the file cannot be read, TM-CONFIG-001 with every problem: file, line, key, reason, hint
 */
export function loadConfig<S extends z.ZodType>({ schema, file, environment }: ConfigSource<S>): z.output<S> {
  const lines = new LineCounter();
  const document = parseDocument(file === undefined ? '' : readFile(file), { lineCounter: lines, uniqueKeys: true });
  const name = file ?? 'environment';
  const [syntax] = document.errors;
  if (syntax !== undefined) {
    const [start] = syntax.linePos ?? [];
    throw new TidemarkError(
      'TM-CONFIG-001',
      `${name}${start === undefined ? '' : `:${start.line}`}: ${syntax.message.split('\n')[0]?.replace(/ at line .*$/, '')}`,
      { hint: 'The file is YAML; see deploy/examples.', cause: syntax },
    );
  }
  const content: unknown = document.toJS() ?? {};
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new TidemarkError('TM-CONFIG-001', `${name}: the file must hold keys and values`, {
      hint: 'See deploy/examples.',
    });
  }
  const overrides = readEnvironment(schema, environment);
  const merged = withOverrides(content as Record<string, unknown>, overrides);

  const locate = (path: readonly PropertyKey[]) => where({ name, document, lines, overrides }, path);
  const problems = unknownKeys(schema, merged, []).map(({ path, hint }) => ({
    where: locate(path),
    reason: 'is not an option',
    hint,
  }));
  const result = schema.safeParse(merged);
  if (!result.success) {
    for (const issue of result.error.issues) {
      if (issue.code !== 'unrecognized_keys') {
        problems.push({ where: locate(issue.path), reason: reasonOf(issue), hint: hintOf(schema, issue) });
      }
    }
  }
  if (problems.length > 0) {
    throw configError(problems);
  }
  if (!result.success) {
    throw new TidemarkError('TM-CONFIG-001', `${name}: ${result.error.message}`);
  }
  return result.data;
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TidemarkError('TM-CONFIG-002', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

function configError(problems: readonly Problem[]): TidemarkError {
  const message = problems.map((problem) => `${problem.where} ${problem.reason}`).join('; ');
  const hints = [...new Set(problems.flatMap(({ hint }) => hint ?? []))];
  return new TidemarkError('TM-CONFIG-001', message, hints.length === 0 ? {} : { hint: hints.join(' ') });
}

function withOverrides(content: Record<string, unknown>, overrides: readonly Override[]): Record<string, unknown> {
  for (const { path, value } of overrides) {
    let parent = content;
    for (const key of path.slice(0, -1)) {
      const child = parent[key];
      if (typeof child === 'object' && child !== null && !Array.isArray(child)) {
        parent = child as Record<string, unknown>;
      } else {
        const made: Record<string, unknown> = {};
        parent[key] = made;
        parent = made;
      }
    }
    parent[path.at(-1) ?? ''] = value;
  }
  return content;
}

/** Keys that the schema does not have; found here because zod would not say what was meant. */
function unknownKeys(
  schema: z.ZodType,
  value: unknown,
  path: readonly PropertyKey[],
): { path: readonly PropertyKey[]; hint: string | null }[] {
  if (Array.isArray(value)) {
    return value.flatMap((element, index) => {
      const inner = schemaAt(schema, [index]);
      return inner === null ? [] : unknownKeys(inner, element, [...path, index]);
    });
  }
  const shape = objectShape(schema);
  if (shape === null || typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, child]) => {
    const known = shape[key];
    if (known !== undefined) {
      return unknownKeys(known, child, [...path, key]);
    }
    const meant = nearest(key, Object.keys(shape));
    const hint = meant === null ? `Options here: ${Object.keys(shape).join(', ')}.` : `Did you mean ${meant}?`;
    return [{ path: [...path, key], hint }];
  });
}

interface Sources {
  readonly name: string;
  readonly document: Document;
  readonly lines: LineCounter;
  readonly overrides: readonly Override[];
}

/** `agent.yaml:7: postgres.port`, or the variable that gave the value. */
function where({ name, document, lines, overrides }: Sources, path: readonly PropertyKey[]): string {
  const key = path.map(String).join('.');
  const override = overrides.find((candidate) => candidate.path.every((part, index) => part === path[index]));
  if (override !== undefined) {
    return `environment variable ${override.variable} (${key})`;
  }
  const line = lineOf(document, lines, path);
  return `${name}${line === null ? '' : `:${line}`}: ${key === '' ? 'the file' : key}`;
}

/** The line of a key; null if it is not in the file. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number | null {
  const parent: unknown = path.length <= 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last));
    const start = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
    return start === undefined ? null : lines.linePos(start).line;
  }
  return null;
}

function reasonOf(issue: z.core.$ZodIssue): string {
  const missing = issue.code === 'invalid_type' && /received undefined/.test(issue.message);
  const text = issue.message.replace(/^Invalid (input|option|string): /, '');
  return missing ? 'is missing' : `is wrong: ${text}`;
}

/** The description of the nearest described key above the problem. */
function hintOf(schema: z.ZodType, issue: z.core.$ZodIssue): string | null {
  const found = schemaAt(schema, issue.path);
  if (found === null) {
    return null;
  }
  const description = found.description ?? unwrap(found).description;
  const key = issue.path.map(String).join('.');
  return description === undefined ? null : `${key} is ${description.replace(/\.$/, '')}.`;
}
