import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { formatLsn, parseLsn } from '../../../shared/postgres/lsn.ts';
import { segmentStart } from '../../../shared/postgres/wal-segment.ts';
import { WalParser } from '../../../shared/wal/wal-parser.ts';
import { debianProgram } from '../../support/debian-packages.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { readWalFiles } from '../../support/wal-files.ts';
import { makeVariedWal } from '../../support/wal-workload.ts';

const SEGMENT_BYTES = 1024 * 1024;
const LINE = /^rmgr: (\S+) +len \(rec\/tot\): +\d+\/ *(\d+), tx: +(\d+), lsn: (\S+), prev (\S+), desc: (\S+)/;

function waldump(...args: readonly string[]): string[] {
  const output = execFileSync(debianProgram('pg_waldump'), args, { maxBuffer: 256 * 1024 * 1024, encoding: 'utf8' });
  return output.split('\n').filter((line) => line !== '');
}

function lsnText(text: string | undefined): string {
  return formatLsn(parseLsn(text ?? ''));
}

describe('WalParser agrees with pg_waldump', () => {
  it('on every record of PostgreSQL 15, through segment switches and a crash', async () => {
    await using server = await PostgresServer.create({
      major: 15,
      walSegmentSizeMb: 1,
      settings: { wal_keep_size: '1GB', max_wal_size: '2GB', wal_compression: 'pglz' },
    });
    const fromLsn = segmentStart(
      parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text')),
      SEGMENT_BYTES,
    );
    await makeVariedWal(server);
    const endLsn = parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text'));

    const managers = waldump('--rmgr=list');
    const walDirectory = path.join(server.dataDirectory, 'pg_wal');
    const dumped = waldump(`--path=${walDirectory}`, `--start=${formatLsn(fromLsn)}`, `--end=${formatLsn(endLsn)}`)
      .map((line) => LINE.exec(line))
      .filter((match) => match !== null)
      .map(([, manager, total, xid, lsn, prev, type]) => [
        lsnText(lsn),
        lsnText(prev),
        manager,
        Number(total),
        Number(xid),
        type === 'SWITCH',
      ]);

    const parsed: unknown[] = [];
    const wal = readWalFiles(server.dataDirectory, 1, SEGMENT_BYTES, fromLsn, endLsn);
    const parser = new WalParser({
      timeline: 1,
      segmentBytes: SEGMENT_BYTES,
      systemIdentifier: await server.systemIdentifier(),
      startLsn: wal.startLsn,
      atRecord: false,
      onRecord: (record) =>
        parsed.push([
          formatLsn(record.lsn),
          formatLsn(record.previousLsn),
          managers[record.resourceManager],
          record.totalLength,
          record.xid,
          record.resourceManager === 0 && (record.info & 0xf0) === 0x40,
        ]),
    });
    parser.push(wal.bytes);
    assert.ok(dumped.length > 5000, `${dumped.length} records`);
    assert.deepEqual(parsed, dumped);
  });
});
