import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { POSTGRES_MAJORS } from '../../support/postgres-binaries.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { processesBelow } from '../../support/processes-below.ts';

describe('PostgresServer', () => {
  for (const major of POSTGRES_MAJORS) {
    it(`runs PostgreSQL ${major}, survives SIGKILL and leaves nothing`, async () => {
      let dataDirectory: string;
      {
        await using server = await PostgresServer.create({ major, walSegmentSizeMb: 1, checksums: major % 2 === 0 });
        dataDirectory = server.dataDirectory;
        assert.equal(Math.floor(Number(await server.value('SHOW server_version_num')) / 10_000), major);
        assert.equal(await server.value('SHOW wal_segment_size'), '1MB');
        assert.equal(await server.value('SHOW data_checksums'), major % 2 === 0 ? 'on' : 'off');
        await server.query('CREATE TABLE t (a int)');
        await server.query('INSERT INTO t VALUES (42)');
        await server.kill();
        assert.equal(server.running, false);
        await server.start();
        assert.equal(await server.value('SELECT a FROM t'), 42);
        await server.restart('immediate');
        assert.equal(await server.value('SELECT a FROM t'), 42);
      }
      assert.equal(existsSync(dataDirectory), false);
      assert.deepEqual(processesBelow(dataDirectory), []);
    });
  }

  for (const clockAheadMs of [5000, -5000]) {
    it(`has a clock of its own, ${clockAheadMs} ms ahead`, async () => {
      await using server = await PostgresServer.create({ clockAheadMs });
      const before = Date.now();
      const shown = Number(await server.value('SELECT extract(epoch FROM clock_timestamp()) * 1000'));
      const after = Date.now();
      // a few milliseconds are PostgreSQL's start, during which libfaketime finds its offset
      assert(shown >= before + clockAheadMs - 100 && shown <= after + clockAheadMs + 100, `${shown - before} ms`);
    });
  }

  it('tells what PostgreSQL said when it does not start', async () => {
    await assert.rejects(
      PostgresServer.create({ settings: { max_connections: 'many' } }),
      /invalid value for parameter "max_connections"/,
    );
  });
});
