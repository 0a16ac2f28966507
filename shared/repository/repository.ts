/** An object of a repository. `path` is relative to it, with `/` between its parts; see layout.ts for the names. */
export interface ObjectEntry {
  readonly path: string;
  readonly sizeBytes: number;
}

export interface ByteRange {
  readonly offsetBytes: number;
  /** Left out: to the end. */
  readonly lengthBytes?: number;
}

/**
 * What a restore and a verification need of a copy. Two implementations: a directory (or bucket) itself, and a coordinator
 * that reads it for others over gRPC.
 */
export interface ReadableRepository {
  /** For messages: a path or an address. */
  readonly name: string;

  /** Objects whose path starts with `prefix`, in path order. Temporary files are not objects. */
  list(prefix: string): AsyncIterable<ObjectEntry>;

  /** Null if there is none. */
  stat(path: string): Promise<ObjectEntry | null>;

  /**
   * The object's bytes in chunks of at most 1 MiB; the caller may keep them.
   * @throws TidemarkError TM-REPO-002 if there is none, TM-REPO-003 if it ends before the range does, TM-REPO-006 for a path
   * that leaves the repository
   */
  read(path: string, range?: ByteRange): AsyncIterable<Buffer>;
}

/** What `create` found. */
export type CreateResult = 'created' | 'exists';

/** A repository that its owner, one coordinator, writes. Objects are immutable and created once. */
export interface Repository extends ReadableRepository {
  /** The names of the directories right below `prefix` (empty, or ending in a slash), in order; what lies in them is not read. */
  directories(prefix: string): Promise<readonly string[]>;

  /**
   * Writes the object so that it is either there whole and durable, or not at all. If it exists with the same bytes,
   * nothing is written and the result is 'exists'.
   * @throws TidemarkError TM-REPO-004 if it exists with other bytes, TM-REPO-007 if there is no room
   */
  create(path: string, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<CreateResult>;

  /** Removes an object; one that is not there is not an error. */
  delete(path: string): Promise<void>;
}
