import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { formatLsn, parseLsn } from '../../../../shared/postgres/lsn.ts';
import type { TransactionEvent } from '../../../../shared/wal/transaction-event.ts';
import { WalParser } from '../../../../shared/wal/wal-parser.ts';

/** Real WAL with each kind of damage; made by test/support/make-damaged-wal.ts. */
const DIRECTORY = path.resolve(fileURLToPath(import.meta.url), '../../../../../../test/testdata/damaged-wal');

interface Manifest {
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
  readonly startLsn: string;
  readonly files: readonly {
    readonly name: string;
    /** Null: nothing is wrong. */
    readonly code: string | null;
    /** Where the error is said to be; without an error, where the next record begins. */
    readonly lsn: string | null;
    readonly recordsBefore: number;
  }[];
}

const manifest = JSON.parse(readFileSync(path.join(DIRECTORY, 'manifest.json'), 'utf8')) as Manifest;

function read(name: string) {
  const records: string[] = [];
  const events: TransactionEvent[] = [];
  const { systemIdentifier, segmentBytes, startLsn } = manifest;
  const parser = new WalParser({
    timeline: 1,
    segmentBytes,
    systemIdentifier,
    startLsn: parseLsn(startLsn),
    atRecord: false,
    onRecord: ({ lsn, endLsn, xid, resourceManager, info }) =>
      records.push([lsn, endLsn, xid, resourceManager, info].join(' ')),
  });
  const bytes = gunzipSync(readFileSync(path.join(DIRECTORY, `${name}.gz`)));
  let error: unknown = null;
  try {
    for (let at = 0; at < bytes.length; at += 1000) events.push(...parser.push(bytes.subarray(at, at + 1000)));
  } catch (thrown) {
    error = thrown;
  }
  return { records, events, error, parser };
}

describe('damaged WAL of a real server', () => {
  const sound = read('sound');

  for (const { name, code, lsn, recordsBefore } of manifest.files) {
    it(`${name}: ${code ?? 'no error'}`, () => {
      const { records, events, error, parser } = read(name);
      assert.deepEqual(records, sound.records.slice(0, recordsBefore));
      assert.deepEqual(events, sound.events.slice(0, events.length));
      if (code === null) {
        assert.equal(error, null);
        if (lsn !== null) assert.equal(formatLsn(parser.nextRecordLsn), lsn);
      } else {
        assert.ok(error instanceof TidemarkError && error.code === code, String(error));
        assert.ok(error.message.includes(` at ${lsn} `) || error.message.includes(` at ${lsn}:`), error.message);
      }
    });
  }
});
