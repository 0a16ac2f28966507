import { z } from 'zod';

/** A key of a schema that holds no further keys of its own. */
export interface SchemaLeaf {
  readonly path: readonly string[];
  /** Without optional, default and the like. */
  readonly schema: z.ZodType;
}

/** The schema inside of optional, default, nullable, transform and their like. */
export function unwrap(schema: z.ZodType): z.ZodType {
  let inner: unknown = schema;
  for (;;) {
    if (
      inner instanceof z.ZodOptional ||
      inner instanceof z.ZodDefault ||
      inner instanceof z.ZodPrefault ||
      inner instanceof z.ZodNullable ||
      inner instanceof z.ZodReadonly ||
      inner instanceof z.ZodNonOptional ||
      inner instanceof z.ZodCatch
    ) {
      inner = inner.unwrap();
    } else if (inner instanceof z.ZodPipe) {
      inner = inner.in;
    } else {
      return inner as z.ZodType;
    }
  }
}

/** The keys of an object schema; null for any other. */
export function objectShape(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | null {
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? inner.shape : null;
}

/** Every leaf of an object schema, in its order. A discriminated union gives the leaves of all its variants. */
export function schemaLeaves(schema: z.ZodType, path: readonly string[] = []): SchemaLeaf[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) {
    const variants = inner.options as z.ZodType[];
    if (variants.every((variant) => objectShape(variant) !== null)) {
      const leaves = new Map<string, SchemaLeaf>();
      for (const leaf of variants.flatMap((variant) => schemaLeaves(variant, path))) {
        leaves.set(leaf.path.join('.'), leaf);
      }
      return [...leaves.values()];
    }
  }
  const shape = objectShape(inner);
  return shape === null
    ? [{ path, schema: inner }]
    : Object.entries(shape).flatMap(([key, child]) => schemaLeaves(child, [...path, key]));
}

/** The schema at a path of keys, as far as the path leads; for hints. Array indices are passed over. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | null {
  let current: z.ZodType = schema;
  for (const key of path) {
    const inner = unwrap(current);
    if (inner instanceof z.ZodArray) {
      current = inner.element as z.ZodType;
      continue;
    }
    const next =
      inner instanceof z.ZodUnion
        ? (inner.options as z.ZodType[]).map((variant) => objectShape(variant)?.[String(key)]).find(Boolean)
        : inner instanceof z.ZodRecord
          ? (inner.valueType as z.ZodType)
          : objectShape(inner)?.[String(key)];
    if (next === undefined) {
      return null;
    }
    current = next;
  }
  return current;
}
