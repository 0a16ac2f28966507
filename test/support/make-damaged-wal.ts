// node dist/test/support/make-damaged-wal.js: makes test/testdata/damaged-wal anew, of WAL that a running server wrote.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatLsn, lsn, type Lsn } from '../../shared/postgres/lsn.ts';
import { segmentStart } from '../../shared/postgres/wal-segment.ts';
import { WalParser } from '../../shared/wal/wal-parser.ts';
import { PostgresServer } from './postgres-server.ts';
import { removeEverything } from './temporary-directory.ts';
import { readWalFiles } from './wal-files.ts';
import { flushedLsn } from './wal-oracle/walinspect.ts';

const MAJOR = 18;
const SEGMENT_BYTES = 1024 * 1024;
const PAGE = 8192;
const PAGES = 4;
const DIRECTORY = path.resolve('test/testdata/damaged-wal');

interface Source {
  readonly systemIdentifier: string;
  readonly startLsn: Lsn;
  readonly bytes: Buffer;
}

/** @param longerBytes so that records do not lie at the same places in two clusters */
async function makeSource(longerBytes: number): Promise<Source> {
  await using server = await PostgresServer.create({ major: MAJOR, walSegmentSizeMb: 1 });
  await server.query('CREATE TABLE t (a int, b text)');
  const fromLsn = segmentStart(await flushedLsn(server), SEGMENT_BYTES);
  for (let n = 0; n < 400; n++)
    await server.query(`INSERT INTO t VALUES (${n}, repeat('x', ${longerBytes + (n % 60)}))`);
  const endLsn = lsn(fromLsn + BigInt(PAGES * PAGE));
  const wal = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, fromLsn, endLsn);
  return { systemIdentifier: await server.systemIdentifier(), ...wal };
}

/** Where the records of sound WAL lie in it. */
function recordsOf({ systemIdentifier, startLsn, bytes }: Source): readonly { start: number; end: number }[] {
  const records: { start: number; end: number }[] = [];
  new WalParser({
    timeline: 1,
    segmentBytes: SEGMENT_BYTES,
    systemIdentifier,
    startLsn,
    atRecord: false,
    onRecord: (record) => records.push({ start: Number(record.lsn - startLsn), end: Number(record.endLsn - startLsn) }),
  }).push(bytes);
  return records;
}

function damages(source: Source, other: Source) {
  const { bytes } = source;
  const records = recordsOf(source);
  // One that lies within the second page, far from its ends.
  const whole = records.find(({ start, end }) => start > PAGE + 1000 && end < 2 * PAGE - 5000 && end - start > 60);
  const middle = records.find(({ start, end }) => start <= PAGE + 4096 && end > PAGE + 4096);
  if (whole === undefined || middle === undefined) throw new Error('no record lies where one is wanted');
  const changed = (at: number, ...values: readonly number[]) => {
    const copy = Buffer.from(bytes);
    values.forEach((value, index) => copy.writeUInt8(value, at + index));
    return copy;
  };
  const flipped = (at: number) => changed(at, (bytes[at] ?? 0) ^ 4);
  const page = (number: number, of: Buffer = bytes) => of.subarray(number * PAGE, (number + 1) * PAGE);
  const zeros = Buffer.from(bytes).fill(0, PAGE + 4096, 2 * PAGE);
  const damaged = 'TM-WAL-002';
  return {
    sound: { wal: bytes, code: null, at: null },
    'cut-off': { wal: bytes.subarray(0, whole.start + 30), code: null, at: whole.start },
    'record-bit': { wal: flipped(whole.start + 40), code: damaged, at: whole.start },
    'record-length': { wal: changed(whole.start, 0xff, 0xff, 0xff, 0x7f), code: damaged, at: whole.start },
    'record-predecessor': { wal: flipped(whole.start + 8), code: damaged, at: whole.start },
    'bytes-repeated': {
      wal: Buffer.concat([bytes.subarray(0, whole.start + 32), bytes.subarray(whole.start + 24)]),
      code: damaged,
      at: whole.start,
    },
    'half-page-zeros': { wal: zeros, code: damaged, at: middle.start },
    'page-address': { wal: flipped(2 * PAGE + 9), code: damaged, at: 2 * PAGE },
    'page-timeline': { wal: flipped(2 * PAGE + 4), code: damaged, at: 2 * PAGE },
    'page-flags': { wal: changed(2 * PAGE + 2, 0x40), code: damaged, at: 2 * PAGE },
    'page-remaining': { wal: flipped(PAGE + 16), code: damaged, at: PAGE },
    'page-version': { wal: changed(PAGE, 0x16), code: damaged, at: PAGE },
    'page-repeated': { wal: Buffer.concat([bytes.subarray(0, 2 * PAGE), page(1)]), code: damaged, at: 2 * PAGE },
    'page-missing': { wal: Buffer.concat([page(0), bytes.subarray(2 * PAGE)]), code: damaged, at: PAGE },
    'unknown-version': { wal: changed(0, 0xff, 0xd0), code: 'TM-WAL-005', at: 0 },
    'byte-swapped': { wal: changed(0, bytes[1] ?? 0, bytes[0] ?? 0), code: 'TM-WAL-005', at: 0 },
    'other-cluster': { wal: other.bytes, code: damaged, at: 0 },
    'other-cluster-page': {
      wal: Buffer.concat([page(0), page(1, other.bytes), bytes.subarray(2 * PAGE)]),
      code: damaged,
      at: PAGE,
    },
  };
}

async function main(): Promise<void> {
  const [source, other] = [await makeSource(0), await makeSource(9)];
  if (source.startLsn !== other.startLsn) throw new Error('the clusters do not stand at the same place');
  rmSync(DIRECTORY, { recursive: true, force: true });
  mkdirSync(DIRECTORY, { recursive: true });
  const records = recordsOf(source);
  const files = Object.entries(damages(source, other)).map(([name, { wal, code, at }]) => {
    const pages = at === null || code === null ? wal : wal.subarray(0, (Math.floor(at / PAGE) + 1) * PAGE);
    writeFileSync(path.join(DIRECTORY, `${name}.gz`), gzipSync(pages, { level: 9 }));
    const lsnAt = at === null ? null : formatLsn(lsn(source.startLsn + BigInt(at)));
    const before = at === null ? records.length : records.filter(({ end }) => end <= at).length;
    return { name, code, lsn: lsnAt, recordsBefore: before };
  });
  const { systemIdentifier, startLsn } = source;
  const manifest = { systemIdentifier, segmentBytes: SEGMENT_BYTES, startLsn: formatLsn(startLsn), files };
  writeFileSync(path.join(DIRECTORY, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

try {
  await main();
} finally {
  await removeEverything();
}
