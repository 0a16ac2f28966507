import { TidemarkError } from '../errors/tidemark-error.ts';
import {
  JOURNAL_ENTRY_HEADER_BYTES,
  decodeBody,
  decodeHeader,
  headerProblem,
  type JournalEntry,
  type JournalEntryHeader,
} from './journal-entry.ts';

/** An entry and where it lies in its file. */
export interface PlacedEntry {
  readonly entry: JournalEntry;
  readonly offsetBytes: number;
  readonly entryBytes: number;
}

/**
 * How a file of entries ends. `torn`: in the middle of an entry, or in zeros that were never written, as a crash leaves it.
 * `corrupt`: bytes that no crash in the middle of an append explains by themselves.
 */
export type JournalEnd =
  | { readonly kind: 'whole'; readonly validBytes: number }
  | { readonly kind: 'torn' | 'corrupt'; readonly validBytes: number; readonly problem: string };

/**
 * Reads entries from a file's bytes in any cutting. Nothing is handed out before its checksums were verified, and nothing after
 * the first byte that is wrong. Holds at most one entry's bytes.
 */
export class JournalDecoder {
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #header: JournalEntryHeader | null = null;
  #validBytes = 0;
  #problem: string | null = null;
  #zerosOnly = true;

  /** @param offsetBytes where the first chunk lies in its file; an entry begins there */
  constructor(offsetBytes = 0) {
    this.#validBytes = offsetBytes;
  }

  /** The entries that end in this chunk. The chunk must not change afterwards; entries do not refer to it. */
  push(chunk: Buffer): PlacedEntry[] {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (this.#problem !== null) {
      this.#checkZeros();
      return [];
    }
    const entries: PlacedEntry[] = [];
    for (;;) {
      if (this.#header === null) {
        if (this.#bufferedBytes < JOURNAL_ENTRY_HEADER_BYTES) {
          return entries;
        }
        const head = this.#take(JOURNAL_ENTRY_HEADER_BYTES);
        const problem = headerProblem(head);
        if (problem !== null) {
          this.#fail(problem, head);
          return entries;
        }
        this.#header = decodeHeader(head);
      }
      const header = this.#header;
      const bodyBytes = header.entryBytes - JOURNAL_ENTRY_HEADER_BYTES;
      if (this.#bufferedBytes < bodyBytes) {
        return entries;
      }
      const body = this.#take(bodyBytes);
      const decoded = tryDecodeBody(header, body);
      if ('problem' in decoded) {
        this.#zerosOnly = false;
        this.#fail(decoded.problem, body);
        return entries;
      }
      entries.push({ ...decoded, offsetBytes: this.#validBytes, entryBytes: header.entryBytes });
      this.#validBytes += header.entryBytes;
      this.#header = null;
    }
  }

  /** One past the last whole entry. */
  get validBytes(): number {
    return this.#validBytes;
  }

  /** Whether nothing more will come out, whatever is pushed. */
  get failed(): boolean {
    return this.#problem !== null;
  }

  /** To be asked after the file's last chunk. */
  end(): JournalEnd {
    const validBytes = this.#validBytes;
    if (this.#problem !== null) {
      return { kind: this.#zerosOnly ? 'torn' : 'corrupt', validBytes, problem: this.#problem };
    }
    if (this.#header !== null || this.#bufferedBytes > 0) {
      return { kind: 'torn', validBytes, problem: 'the file ends in the middle of an entry' };
    }
    return { kind: 'whole', validBytes };
  }

  #fail(problem: string, bytes: Buffer): void {
    this.#problem = problem;
    this.#chunks.unshift(bytes);
    this.#checkZeros();
  }

  #checkZeros(): void {
    this.#zerosOnly &&= this.#chunks.every((chunk) => chunk.every((byte) => byte === 0));
    this.#chunks = [];
    this.#bufferedBytes = 0;
  }

  #take(bytes: number): Buffer {
    const first = this.#chunks[0];
    this.#bufferedBytes -= bytes;
    if (first !== undefined && first.length >= bytes) {
      this.#chunks[0] = first.subarray(bytes);
      return first.subarray(0, bytes);
    }
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined.subarray(bytes)];
    return joined.subarray(0, bytes);
  }
}

function tryDecodeBody(
  header: JournalEntryHeader,
  body: Buffer,
): { readonly entry: JournalEntry } | { readonly problem: string } {
  try {
    const entry = decodeBody(header, body);
    return entry === null ? { problem: "the entry's checksum is wrong" } : { entry };
  } catch (error) {
    if (error instanceof TidemarkError) return { problem: error.message };
    throw error;
  }
}
