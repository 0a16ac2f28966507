import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import {
  JOURNAL_ENTRY_HEADER_BYTES,
  decodeHeader,
  headerProblem,
  viewBody,
  type JournalEntryHeader,
} from '../../shared/wal-index/journal-entry.ts';
import type { PlacedEntry } from '../../shared/wal-index/journal-decoder.ts';

/**
 * The entries of a finished segment's file, each verified against its checksums. It keeps its thread busy until it is done, for threads
 * that have nothing else to do, and reads into one buffer: an entry's frame is valid until the next entry is asked for.
 * @returns the file's length
 * @throws TidemarkError TM-REPO-003 where the file is damaged; the system's own error if it cannot be read
 */
export function* scanSegment(path: string): Generator<PlacedEntry, number> {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(JOURNAL_ENTRY_HEADER_BYTES);
    let space = Buffer.alloc(0);
    let offsetBytes = 0;
    while (offsetBytes < size) {
      const damaged = (problem: string): TidemarkError =>
        new TidemarkError('TM-REPO-003', `${path} is damaged at byte ${offsetBytes}: ${problem}`);
      if (!readFully(file, head, offsetBytes)) throw damaged('the file ends in the middle of an entry');
      const problem = headerProblem(head);
      if (problem !== null) throw damaged(problem);
      const header: JournalEntryHeader = decodeHeader(head);
      const bodyBytes = header.entryBytes - JOURNAL_ENTRY_HEADER_BYTES;
      // What a header says was checked, but the file may be shorter: room is made for what is there only.
      if (offsetBytes + header.entryBytes > size) throw damaged('the file ends in the middle of an entry');
      if (space.length < bodyBytes) space = Buffer.allocUnsafeSlow(bodyBytes * 2);
      const body = space.subarray(0, bodyBytes);
      if (!readFully(file, body, offsetBytes + JOURNAL_ENTRY_HEADER_BYTES)) throw damaged('it became shorter');
      const entry = viewBody(header, body);
      if (entry === null) throw damaged("the entry's checksum is wrong");
      yield { entry, offsetBytes, entryBytes: header.entryBytes };
      offsetBytes += header.entryBytes;
    }
    return offsetBytes;
  } finally {
    closeSync(file);
  }
}

/** False if the file ends before the buffer is full. */
function readFully(file: number, buffer: Buffer, offsetBytes: number): boolean {
  for (let filled = 0; filled < buffer.length;) {
    const bytesRead = readSync(file, buffer, filled, buffer.length - filled, offsetBytes + filled);
    if (bytesRead === 0) return false;
    filled += bytesRead;
  }
  return true;
}
