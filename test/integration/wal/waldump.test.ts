import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { formatLsn, advanceLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { debianProgram } from '../../support/debian-packages.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { blocksInText, KindNames, lsnText, type DescribedRecord } from '../../support/wal-oracle/described-record.ts';
import { parseWalFiles } from '../../support/wal-oracle/parse-wal-files.ts';
import { flushedLsn } from '../../support/wal-oracle/walinspect.ts';
import { definitions, makeRoundTables, pageImages, preparedTransactions, transfers } from '../../support/wal-rounds.ts';
import { makeVariedWal } from '../../support/wal-workload.ts';

const SEGMENT_BYTES = 1024 * 1024;
const LINE = /^rmgr: (\S+) +len \(rec\/tot\): +\d+\/ *(\d+), tx: +(\d+), lsn: (\S+), prev (\S+), desc: (\S+)(.*)$/s;

function waldump(...args: readonly string[]): string[] {
  const output = execFileSync(debianProgram('pg_waldump'), args, { maxBuffer: 1024 * 1024 * 1024, encoding: 'utf8' });
  return output.split(/\n(?=rmgr: )/).filter((line) => line !== '');
}

describe('WalParser agrees with pg_waldump', () => {
  it('on every record of PostgreSQL 15, through segment switches, a crash, and each kind of page image', async () => {
    // Debian's server, which is built with every compression.
    await using server = await PostgresServer.create({
      major: 15,
      binDirectory: path.dirname(debianProgram('pg_waldump')),
      walSegmentSizeMb: 1,
      settings: { wal_keep_size: '1GB', max_wal_size: '2GB' },
    });
    const start = await flushedLsn(server);
    const fromLsn = advanceLsn(start, -Number(start % BigInt(SEGMENT_BYTES)));
    await makeVariedWal(server);
    await makeRoundTables(server);
    await transfers(server, 2, 300);
    await preparedTransactions(server, 1);
    await definitions(server);
    assert.deepEqual([...(await pageImages(server))].sort(), ['lz4', 'off', 'pglz', 'zstd']);
    const endLsn = await flushedLsn(server);

    const managers = waldump('--rmgr=list')[0]?.trim().split('\n') ?? [];
    const directory = path.join(server.dataDirectory, 'pg_wal');
    const records = await parse(server, directory, fromLsn, endLsn);
    const dumped = waldump(`--path=${directory}`, `--start=${formatLsn(fromLsn)}`, `--end=${formatLsn(endLsn)}`);
    assert.ok(dumped.length > 20_000, `${dumped.length} records`);
    const kinds = new KindNames();
    for (const [index, line] of dumped.entries()) {
      const [, manager = '', total, xid, lsn = '', previous = '', type, rest = ''] =
        LINE.exec(line) ?? assert.fail(line);
      const record = records[index] ?? assert.fail(`the record at ${lsn} is missing`);
      const number = managers.indexOf(manager);
      assert.equal(record.head, `${lsnText(lsn)} ${lsnText(previous)} ${xid} ${number} ${total}`);
      assert.equal(record.blocks, blocksInText(rest), `the record at ${lsn}`);
      kinds.check(record.kind, `${manager} ${type}`, lsn);
    }
    assert.equal(records.length, dumped.length);
  });
});

async function parse(server: PostgresServer, directory: string, fromLsn: Lsn, endLsn: Lsn): Promise<DescribedRecord[]> {
  const records: DescribedRecord[] = [];
  const systemIdentifier = await server.systemIdentifier();
  const files = { directory, systemIdentifier, segmentBytes: SEGMENT_BYTES, fromLsn, endLsn };
  for await (const batch of parseWalFiles(files, 100_000)) records.push(...batch.records);
  return records;
}
