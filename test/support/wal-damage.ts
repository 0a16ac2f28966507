import type { SeededRandom } from './bank/seeded-random.ts';

const PAGE_BYTES = 8192;

/** WAL that something happened to. */
export interface DamagedWal {
  /** In words, with the place. */
  readonly what: string;
  readonly bytes: Buffer;
}

type Damage = (random: SeededRandom, wal: Buffer, other: Buffer) => DamagedWal;

/** A place, and half of the time one in or near a page's header, where few bytes mean much. */
function place(random: SeededRandom, wal: Buffer): number {
  const at = random.below(wal.length);
  return random.below(2) === 0 ? at : Math.min(wal.length - 1, at - (at % PAGE_BYTES) + random.below(80));
}

function spliced(what: string, wal: Buffer, at: number, removed: number, inserted: Buffer): DamagedWal {
  const bytes = Buffer.concat([wal.subarray(0, at), inserted, wal.subarray(at + removed)]);
  return { what: `${what} at ${at}`, bytes };
}

function overwritten(what: string, wal: Buffer, at: number, bytes: Buffer): DamagedWal {
  const fitting = bytes.subarray(0, wal.length - at);
  return spliced(what, wal, at, fitting.length, fitting);
}

/** The kinds of damage, by name. */
export const WAL_DAMAGES: Readonly<Record<string, Damage>> = {
  cut: (random, wal) => {
    const at = random.below(wal.length);
    return { what: `cut off at ${at}`, bytes: wal.subarray(0, at) };
  },
  bit: (random, wal) => {
    const at = place(random, wal);
    return overwritten('a flipped bit', wal, at, Buffer.of((wal[at] ?? 0) ^ (1 << random.below(8))));
  },
  bytes: (random, wal) => {
    const at = place(random, wal);
    const noise = Buffer.from(Array.from({ length: 1 + random.below(16) }, () => random.below(256)));
    return overwritten('random bytes', wal, at, noise);
  },
  number: (random, wal) => {
    const at = place(random, wal) & ~3;
    const word = Buffer.alloc(4);
    word.writeUInt32LE(random.pick([0, 1, 23, 24, 0x7fff_ffff, 0xffff_ffff, 0x4000_0000, 8192]));
    return overwritten('a number that stands for something', wal, at, word);
  },
  zeros: (random, wal) => {
    const at = place(random, wal);
    return overwritten('zeros', wal, at, Buffer.alloc(random.pick([1, 8, 24, 512, 4096, PAGE_BYTES])));
  },
  removed: (random, wal) => {
    const at = place(random, wal);
    return spliced('removed bytes', wal, at, random.pick([1, 4, 8, 24, 512, 4096, PAGE_BYTES]), Buffer.alloc(0));
  },
  repeated: (random, wal) => {
    const at = place(random, wal);
    const again = wal.subarray(at, at + random.pick([1, 4, 8, 24, 512, 4096, PAGE_BYTES]));
    return spliced('repeated bytes', wal, at, 0, Buffer.from(again));
  },
  'page repeated': (random, wal) => {
    const at = PAGE_BYTES * random.below(wal.length / PAGE_BYTES);
    return spliced('a page that is there twice', wal, at, 0, Buffer.from(wal.subarray(at, at + PAGE_BYTES)));
  },
  'page moved': (random, wal) => {
    const pages = Math.floor(wal.length / PAGE_BYTES);
    const from = PAGE_BYTES * random.below(pages);
    const at = PAGE_BYTES * random.below(pages);
    return overwritten(`the page of ${from}`, wal, at, Buffer.from(wal.subarray(from, from + PAGE_BYTES)));
  },
  'another cluster': (random, wal, other) => {
    const length = Math.min(wal.length, other.length);
    const at = PAGE_BYTES * random.below(length / PAGE_BYTES);
    const bytes = other.subarray(at, at + random.pick([512, 4096, PAGE_BYTES, 4 * PAGE_BYTES]));
    return overwritten('another cluster', wal, at, Buffer.from(bytes));
  },
  'another part of the same': (random, wal) => {
    const at = place(random, wal) & ~7;
    const from = random.below(wal.length) & ~7;
    return overwritten(`bytes of ${from}`, wal, at, Buffer.from(wal.subarray(from, from + random.pick([8, 64, 600]))));
  },
};
