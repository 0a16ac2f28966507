import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { lz4DecompressBlock } from '../../../../shared/wal/lz4-block.ts';
import { restorePage } from '../../../../shared/wal/page-image.ts';
import { pglzDecompress } from '../../../../shared/wal/pglz.ts';

type Decoder = (source: Uint8Array, target: Uint8Array) => boolean;

interface Copy {
  readonly at: number;
  readonly distance: number;
  readonly length: number;
}

/** Where a copy is worth its bytes, found by looking everywhere. */
function findCopy(content: Buffer, at: number, distanceMax: number, lengthMax: number): Copy | null {
  let best: Copy | null = null;
  for (let from = Math.max(0, at - distanceMax); from < at; from++) {
    let length = 0;
    while (length < lengthMax && at + length < content.length && content[from + length] === content[at + length]) {
      length++;
    }
    if (length >= 4 && length > (best?.length ?? 0)) best = { at, distance: at - from, length };
  }
  return best;
}

/** An encoder by the description of the format, for tests. */
function pglz(content: Buffer): Buffer {
  const out: number[] = [];
  for (let at = 0; at < content.length;) {
    const controlAt = out.push(0) - 1;
    for (let bit = 0; bit < 8 && at < content.length; bit++) {
      const copy = findCopy(content, at, 4095, 273);
      if (copy === null) {
        out.push(content[at++] ?? 0);
        continue;
      }
      out[controlAt] = (out[controlAt] ?? 0) | (1 << bit);
      out.push(((copy.distance >> 4) & 0xf0) | Math.min(copy.length - 3, 15), copy.distance & 0xff);
      if (copy.length >= 18) out.push(copy.length - 18);
      at += copy.length;
    }
  }
  return Buffer.from(out);
}

function lz4(content: Buffer): Buffer {
  const out: number[] = [];
  const more = (length: number) => {
    for (let rest = length - 15; rest >= 0; rest -= 255) out.push(Math.min(rest, 255));
  };
  let literalsAt = 0;
  for (let at = 0; at <= content.length;) {
    // The format ends with literals.
    const copy = at + 12 > content.length ? null : findCopy(content.subarray(0, content.length - 5), at, 65_535, 1000);
    if (copy === null && at < content.length) {
      at++;
      continue;
    }
    const literals = at - literalsAt;
    const length = (copy?.length ?? 4) - 4;
    out.push((Math.min(literals, 15) << 4) | Math.min(length, 15));
    if (literals >= 15) more(literals);
    out.push(...content.subarray(literalsAt, at));
    if (copy === null) break;
    out.push(copy.distance & 0xff, copy.distance >> 8);
    if (length >= 15) more(length);
    at += copy.length;
    literalsAt = at;
  }
  return Buffer.from(out);
}

/** Bytes with something to find twice in them. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(255), fc.nat(600)).map(([byte, count]) => new Uint8Array(count).fill(byte)),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.nat(30))
        .map(([bytes, count]) => Buffer.concat(Array.from({ length: count }, () => bytes))),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));

/** A view in the middle of a larger buffer: what is written outside of it is seen. */
function guarded(bytes: number): { readonly target: Buffer; readonly isUntouched: () => boolean } {
  const space = Buffer.alloc(bytes + 64, 0xa5);
  return {
    target: space.subarray(32, 32 + bytes),
    isUntouched: () => [...space.subarray(0, 32), ...space.subarray(32 + bytes)].every((byte) => byte === 0xa5),
  };
}

const decoders: readonly (readonly [string, Decoder, (content: Buffer) => Buffer])[] = [
  ['pglz', pglzDecompress, pglz],
  ['LZ4', lz4DecompressBlock, lz4],
];

describe('decompressing page images', () => {
  for (const [name, decompress, compress] of decoders) {
    it(`${name}: gives back what was compressed, and only for the right length`, () => {
      fc.assert(
        fc.property(content, (bytes) => {
          const source = compress(bytes);
          const { target, isUntouched } = guarded(bytes.length);
          assert(decompress(source, target) || bytes.length === 0);
          assert(target.equals(bytes) && isUntouched());
          assert(!decompress(source, Buffer.alloc(bytes.length + 1)), 'too long');
          if (bytes.length > 0) assert(!decompress(source, Buffer.alloc(bytes.length - 1)), 'too short');
        }),
        { numRuns: 60 },
      );
    });

    it(`${name}: refuses what is cut off, and never writes elsewhere whatever the bytes`, () => {
      fc.assert(
        fc.property(content, fc.nat(), (bytes, cut) => {
          const source = compress(bytes);
          const { target, isUntouched } = guarded(bytes.length);
          if (cut < source.length) assert(!decompress(source.subarray(0, cut), target));
          assert(isUntouched());
        }),
        { numRuns: 60 },
      );
      const hostile = fc.array(fc.oneof(fc.nat(255), fc.constantFrom(0xff, 0xf0, 0x0f, 0, 1)), { maxLength: 200 });
      fc.assert(
        fc.property(hostile, fc.nat(300), (bytes, length) => {
          const { target, isUntouched } = guarded(length);
          decompress(Uint8Array.from(bytes), target);
          assert(isUntouched());
        }),
        { numRuns: 5000 },
      );
    });
  }

  it('puts the hole back where it was', () => {
    const page = Buffer.alloc(8192, 0xee);
    const bytes = Buffer.alloc(8000);
    for (let at = 0; at < bytes.length; at++) bytes[at] = 1 + (at % 250);
    const image = { bytes, info: 1, holeOffset: 100, holeBytes: 192, majorVersion: 18 };
    assert(restorePage(image, page, undefined));
    assert(page.subarray(0, 100).equals(bytes.subarray(0, 100)));
    assert(page.subarray(100, 292).every((byte) => byte === 0));
    assert(page.subarray(292).equals(bytes.subarray(100)));
    assert(restorePage({ ...image, bytes: pglz(bytes), info: 2, majorVersion: 14 }, page, undefined), 'before 15');
    assert(page.subarray(292).equals(bytes.subarray(100)));
  });

  it('does not restore what it cannot', () => {
    const page = Buffer.alloc(8192);
    const image = { bytes: Buffer.alloc(8192), info: 0, holeOffset: 0, holeBytes: 0, majorVersion: 18 };
    assert(restorePage(image, page, undefined));
    assert(!restorePage({ ...image, holeOffset: 8000, holeBytes: 200 }, page, undefined), 'a hole behind its end');
    assert(!restorePage({ ...image, bytes: Buffer.alloc(100) }, page, undefined));
    assert(!restorePage({ ...image, info: 0x0c }, page, undefined), 'two methods');
    assert(!restorePage({ ...image, info: 0x10 }, page, undefined), 'no zstd');
    const broken = () => {
      throw new Error('damaged');
    };
    assert(!restorePage({ ...image, info: 0x10 }, page, broken));
    assert(restorePage({ ...image, info: 0x10 }, page, (_, length) => Buffer.alloc(length)));
  });
});
