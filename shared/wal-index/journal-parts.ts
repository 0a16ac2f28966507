import { ByteReader, ByteWriter } from './byte-codec.ts';

/** What a journal entry knows about its run of WAL, beside the bytes; each part as its own codec writes it. */
export interface JournalParts {
  /** As `encodeEvents` writes them; empty if there are none. */
  readonly events: Buffer;
  /** The blocks that the records change which end in the run; empty if they were not gathered. */
  readonly changedBlocks: Buffer;
  /** As `encodeClocks` writes them; empty if there are none. */
  readonly clocks: Buffer;
}

/** A part's tag is its kind; a new kind, or a new form of an old one, takes a new tag, which older programs pass over. */
const TAGS = { events: 1, changedBlocks: 2, clocks: 3 } as const satisfies Record<keyof JournalParts, number>;

/** A sequence of parts: tag, length, content. A part with nothing in it is left out. */
export function encodeParts(parts: JournalParts): Buffer {
  const writer = new ByteWriter();
  for (const [kind, tag] of Object.entries(TAGS)) {
    const content = parts[kind as keyof JournalParts];
    if (content.length === 0) continue;
    writer.unsigned(tag);
    writer.bytes(content);
  }
  return writer.finish();
}

/**
 * Decodes what {@link encodeParts} gave, possibly in a later version of the program. The parts are copied.
 * @throws TidemarkError TM-REPO-003 if the bytes are not that
 */
export function decodeParts(buffer: Buffer): JournalParts {
  const reader = new ByteReader(buffer, "a journal entry's parts");
  const found = new Map<number, Buffer>();
  while (reader.remaining > 0) {
    const tag = reader.unsigned();
    if (found.has(tag)) throw reader.damaged(`part ${tag} is there twice`);
    found.set(tag, reader.bytes());
  }
  const part = (tag: number) => Buffer.from(found.get(tag) ?? []);
  return { events: part(TAGS.events), changedBlocks: part(TAGS.changedBlocks), clocks: part(TAGS.clocks) };
}
