import { TidemarkError } from '../errors/tidemark-error.ts';
import { crc32c } from '../postgres/crc32c.ts';

/**
 * A file of sections, each with a number, a length and a checksum:
 * ```
 * 0  8 B  magic         16  section: u32 number, u32 bytes of content, u32 CRC-32C of the two and the content, content
 * 8  u32  version       …   further sections, to the end of the file
 * 12 u32  sections
 * ```
 * Little-endian. A reader passes over sections from {@link OPTIONAL_SECTION_MIN} on that it does not know: later versions of the
 * program can add some without a new version of the format. Others that it does not know it refuses.
 */
export interface Section {
  readonly number: number;
  readonly content: Buffer;
}

export const OPTIONAL_SECTION_MIN = 0x8000_0000;

const HEADER_BYTES = 16;
const SECTION_HEADER_BYTES = 12;

export function encodeSections(magic: string, version: number, sections: readonly Section[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(magic, 0, 8, 'latin1');
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(sections.length, 12);
  const parts: Buffer[] = [header];
  for (const { number, content } of sections) {
    const head = Buffer.alloc(SECTION_HEADER_BYTES);
    head.writeUInt32LE(number, 0);
    head.writeUInt32LE(content.length, 4);
    head.writeUInt32LE(crc32c(content, crc32c(head.subarray(0, 8))), 8);
    parts.push(head, content);
  }
  return Buffer.concat(parts);
}

/**
 * @param known the sections that must be there, each once, in this order
 * @param optional numbers from {@link OPTIONAL_SECTION_MIN} on of sections that may be there, once
 * @param what names the file in messages
 * @returns the known sections' contents, in the order of `known`, and those of `optional` that are there; as views
 * @throws TidemarkError TM-REPO-003 if the bytes are damaged, TM-REPO-008 if they are of a version that is not known
 */
export function decodeSections(
  bytes: Buffer,
  magic: string,
  version: number,
  known: readonly number[],
  optional: readonly number[],
  what: string,
): { readonly known: Buffer[]; readonly optional: ReadonlyMap<number, Buffer> } {
  const damaged = (reason: string) => new TidemarkError('TM-REPO-003', `${what} is damaged: ${reason}`);
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== magic) throw damaged('another kind of file');
  if (bytes.readUInt32LE(8) !== version) {
    const found = bytes.readUInt32LE(8);
    throw new TidemarkError('TM-REPO-008', `${what} has version ${found}, this program knows ${version}`);
  }
  const contents: Buffer[] = [];
  const extras = new Map<number, Buffer>();
  let offset = HEADER_BYTES;
  for (let left = bytes.readUInt32LE(12); left > 0; left--) {
    if (bytes.length - offset < SECTION_HEADER_BYTES) throw damaged('it ends early');
    const number = bytes.readUInt32LE(offset);
    const length = bytes.readUInt32LE(offset + 4);
    const start = offset + SECTION_HEADER_BYTES;
    if (bytes.length - start < length) throw damaged('it ends early');
    const content = bytes.subarray(start, start + length);
    if (crc32c(content, crc32c(bytes.subarray(offset, offset + 8))) !== bytes.readUInt32LE(offset + 8)) {
      throw damaged(`the checksum of section ${number} is wrong`);
    }
    if (number === known[contents.length]) {
      contents.push(content);
    } else if (number < OPTIONAL_SECTION_MIN) {
      throw damaged(`section ${number} is not known or not in its place`);
    } else if (optional.includes(number)) {
      if (extras.has(number)) throw damaged(`section ${number} is there twice`);
      extras.set(number, content);
    }
    offset = start + length;
  }
  if (offset !== bytes.length) throw damaged(`${bytes.length - offset} bytes too many`);
  if (contents.length !== known.length) throw damaged(`section ${known[contents.length]} is missing`);
  return { known: contents, optional: extras };
}

/** The content of a section as far as it lies in the first bytes of a file, unverified; null if none of it does. */
export function peekSection(prefix: Buffer, number: number): Buffer | null {
  for (let offset = HEADER_BYTES; offset + SECTION_HEADER_BYTES <= prefix.length;) {
    const start = offset + SECTION_HEADER_BYTES;
    const end = start + prefix.readUInt32LE(offset + 4);
    if (prefix.readUInt32LE(offset) === number) return prefix.subarray(start, end);
    offset = end;
  }
  return null;
}
