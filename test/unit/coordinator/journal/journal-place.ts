import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WalStore, type WalStoreOptions } from '../../../../coordinator/journal/wal-store.ts';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import type { Lsn } from '../../../../shared/postgres/lsn.ts';
import { PosixRepository } from '../../../../shared/repository/posix-repository.ts';
import type { ChangeSet } from '../../../../shared/wal/change-set.ts';
import { madeChangeSet, storedCodec } from '../../../support/made-wal.ts';

export const STREAM = { node: 'shard1', systemIdentifier: '7123', timeline: 1 };
export const SEGMENT_BYTES = 1024 * 1024;
export const START = 0x100_0000n;
export const SEGMENTS = ['000000010000000000000010', '000000010000000000000011', '000000010000000000000012'] as const;

/** A directory with a WAL store in it, which is opened anew as often as a test likes. */
export class JournalPlace {
  readonly path: string;
  #repository: PosixRepository | null = null;
  #store: WalStore | null = null;

  constructor(path: string) {
    this.path = path;
  }

  async open(options: Partial<WalStoreOptions> = {}): Promise<WalStore> {
    await this.close();
    this.#repository = await PosixRepository.open(this.path, { create: { cluster: 'c', repositoryId: 'r' } });
    this.#store = await WalStore.open({ repository: this.#repository, zstd: storedCodec, ...options });
    return this.#store;
  }

  async create(path: string, content: string): Promise<void> {
    await this.#repository?.create(path, Buffer.from(content));
  }

  async close(): Promise<void> {
    await this.#store?.close();
    await this.#repository?.close();
    this.#store = null;
    this.#repository = null;
  }
}

/** Change sets of `stepBytes`, cut at segment boundaries. */
export function changeSets(from: bigint, to: bigint, stepBytes: number, history = 0): ChangeSet[] {
  const made: ChangeSet[] = [];
  for (let at = from; at < to;) {
    const segmentEnd = (at / BigInt(SEGMENT_BYTES) + 1n) * BigInt(SEGMENT_BYTES);
    const end = [at + BigInt(stepBytes), segmentEnd, to].reduce((a, b) => (a < b ? a : b));
    made.push(madeChangeSet(at, end, { history }));
    at = end;
  }
  return made;
}

export async function appendAll(store: WalStore, list: readonly ChangeSet[]): Promise<void> {
  await Promise.all(list.map((changeSet) => store.append(STREAM, SEGMENT_BYTES, changeSet)));
}

/** Everything from `from` to `to`, as a reader gets it; each change set must join the one before. */
export async function readWal(store: WalStore, from: Lsn, to: Lsn): Promise<Buffer> {
  const stop = new AbortController();
  const parts: Buffer[] = [];
  let position: Lsn | null = null;
  for await (const changeSet of store.read(STREAM, from, stop.signal)) {
    if (position !== null) assert.equal(changeSet.startLsn, position);
    position = changeSet.endLsn;
    parts.push(await storedCodec.decompress(changeSet.frame, Number(changeSet.endLsn - changeSet.startLsn)));
    if (changeSet.endLsn >= to) break;
  }
  return Buffer.concat(parts);
}

export function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TidemarkError && error.code === code;
}

/** Where entry `index` of a journal file ends. */
export function entryEnd(file: Buffer, index: number): number {
  let offset = 0;
  for (let at = 0; at <= index && offset < file.length; at++) {
    offset += 8 + file.readUInt32LE(offset + 4) + file.readUInt32LE(offset + 52);
  }
  return offset;
}

export async function snapshotOf(path: string): Promise<string[]> {
  const files = await readdir(path, { recursive: true, withFileTypes: true });
  return files
    .filter((file) => file.isFile() && !file.name.startsWith('.'))
    .map((file) => join(file.parentPath, file.name))
    .sort();
}
