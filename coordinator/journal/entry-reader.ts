import { open, type FileHandle } from 'node:fs/promises';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { JournalDecoder, type JournalEnd, type PlacedEntry } from '../../shared/wal-index/journal-decoder.ts';
import {
  JOURNAL_ENTRY_HEADER_BYTES,
  decodeHeader,
  headerProblem,
  type JournalEntryHeader,
} from '../../shared/wal-index/journal-entry.ts';

const CHUNK_BYTES = 1024 * 1024;

interface ReadOptions {
  /** Entries that end at or before it are passed over. */
  readonly fromLsn?: Lsn;
  /** Nothing behind it is looked at; left out: the file's size. */
  readonly limitBytes?: number;
}

/**
 * The entries of a journal file or finished segment, each verified. The file is opened at once and may be unlinked meanwhile.
 * @throws TidemarkError TM-REPO-003 where the file is damaged; the system's own error if it cannot be opened
 */
export async function* readEntries(path: string, options: ReadOptions = {}): AsyncGenerator<PlacedEntry, void> {
  const end = yield* scanEntries(path, options);
  if (end.kind !== 'whole') {
    throw new TidemarkError('TM-REPO-003', `${path} is damaged at byte ${end.validBytes}: ${end.problem}`);
  }
}

/** Like {@link readEntries}, but returns how the file ends. */
export async function* scanEntries(path: string, options: ReadOptions = {}): AsyncGenerator<PlacedEntry, JournalEnd> {
  const handle = await open(path, 'r');
  try {
    const limitBytes = options.limitBytes ?? (await handle.stat()).size;
    let offset = await seek(handle, options.fromLsn ?? NO_LSN, limitBytes);
    const decoder = new JournalDecoder(offset);
    while (offset < limitBytes) {
      const chunk = await readAt(handle, offset, Math.min(CHUNK_BYTES, limitBytes - offset));
      if (chunk.length === 0) break;
      offset += chunk.length;
      yield* decoder.push(chunk);
      if (decoder.failed && decoder.end().kind === 'corrupt') break;
    }
    return decoder.end();
  } finally {
    await handle.close();
  }
}

/** The header of a file's last entry, found by going from header to header; null if the headers do not fill the file. */
export async function readLastHeader(path: string): Promise<JournalEntryHeader | null> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    let last: JournalEntryHeader | null = null;
    let offset = 0;
    while (offset < size) {
      last = await readHeader(handle, offset);
      if (last === null) return null;
      offset += last.entryBytes;
    }
    return offset === size ? last : null;
  } finally {
    await handle.close();
  }
}

/** Whether a file has at most this many entries. */
export async function hasEntriesAtMost(path: string, count: number): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    let offset = 0;
    for (let found = 0; found <= count; found++) {
      const header = await readHeader(handle, offset);
      if (header === null) return true;
      offset += header.entryBytes;
    }
    return false;
  } finally {
    await handle.close();
  }
}

/** Where the first entry begins that ends after `fromLsn`; where the headers cannot be read, the decoder will say why. */
async function seek(handle: FileHandle, fromLsn: Lsn, limitBytes: number): Promise<number> {
  if (fromLsn === NO_LSN) return 0;
  for (let offset = 0; ;) {
    const header = offset < limitBytes ? await readHeader(handle, offset) : null;
    if (header === null || header.endLsn > fromLsn) return offset;
    offset += header.entryBytes;
  }
}

async function readHeader(handle: FileHandle, offset: number): Promise<JournalEntryHeader | null> {
  const head = await readAt(handle, offset, JOURNAL_ENTRY_HEADER_BYTES);
  return head.length < JOURNAL_ENTRY_HEADER_BYTES || headerProblem(head) !== null ? null : decodeHeader(head);
}

async function readAt(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(buffer, filled, bytes - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
