import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { formatLsn, lsn, maxLsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import { segmentName } from '../../../shared/postgres/wal-segment.ts';
import { AgentProcess } from '../../support/agent-process.ts';
import { SeededRandom, seedFromEnvironment } from '../../support/bank/seeded-random.ts';
import { PostgresServer } from '../../support/postgres-server.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { WalLoad } from '../../support/wal-load.ts';
import { WalPuller } from '../../support/wal-puller.ts';

const MIB = 1024 * 1024;
const SETTINGS = { wal_keep_size: '2GB', max_wal_size: '2GB', wal_level: 'replica' };

/** Compares what was pulled with the server's own segment files. */
function assertEqualsSegments(server: PostgresServer, puller: WalPuller, segmentBytes: number): void {
  const content = puller.content();
  let compared = 0;
  for (let at = puller.startLsn; at < puller.endLsn; at = lsn(at + BigInt(segmentBytes))) {
    const file = path.join(server.dataDirectory, 'pg_wal', segmentName(1, at, segmentBytes));
    assert.ok(existsSync(file), `${file} was kept by the server`);
    const offset = Number(at - puller.startLsn);
    const mine = content.subarray(offset, offset + segmentBytes);
    assert.ok(mine.equals(readFileSync(file).subarray(0, mine.length)), `${formatLsn(at)} as in ${file}`);
    compared += 1;
  }
  assert.ok(compared > 1);
}

/** The ends of transactions as PostgreSQL reads them out of its own WAL. */
async function transactionRecords(server: PostgresServer, from: Lsn, to: Lsn): Promise<string[]> {
  await server.query('CREATE EXTENSION IF NOT EXISTS pg_walinspect');
  const rows = await server.query<{ start_lsn: string; record_type: string }>(
    `SELECT start_lsn::text, record_type FROM pg_get_wal_records_info($1, $2)
     WHERE resource_manager = 'Transaction' AND end_lsn <= $2
       AND record_type IN ('COMMIT', 'ABORT', 'PREPARE', 'COMMIT_PREPARED', 'ABORT_PREPARED')`,
    [formatLsn(from), formatLsn(to)],
  );
  return rows.map((row) => `${formatLsn(parseLsn(row.start_lsn))} ${row.record_type}`);
}

/** Where two lists part, with what each goes on with; null if they are the same. */
function firstDifference(mine: readonly string[], theirs: readonly string[]): object | null {
  const index = mine.findIndex((item, place) => item !== theirs[place]);
  if (index === -1 && mine.length === theirs.length) return null;
  const at = index === -1 ? mine.length : index;
  return { at, mine: mine.slice(at, at + 3), theirs: theirs.slice(at, at + 3) };
}

const RECORD_TYPES = {
  commit: 'COMMIT',
  abort: 'ABORT',
  prepare: 'PREPARE',
  'commit-prepared': 'COMMIT_PREPARED',
  'rollback-prepared': 'ABORT_PREPARED',
} as const;

for (const major of [18, 15] as const) {
  describe(`the agent's stream of WAL, PostgreSQL ${major}`, function () {
    this.timeout(180_000);

    it('goes on after every fault where it was, byte for byte', async function () {
      const seed = seedFromEnvironment();
      const random = new SeededRandom(seed);
      console.log(`      TIDEMARK_TEST_SEED=${seed}`);
      await using directory = TemporaryDirectory.create('aw');
      await using server = await PostgresServer.create({ major, walSegmentSizeMb: 1, settings: SETTINGS });
      await using agent = await AgentProcess.prepare(directory, { node: 'n1', postgres: server });
      await agent.start();
      const systemIdentifier = await server.systemIdentifier();
      const puller = new WalPuller(agent.address, { node: 'n1', systemIdentifier, timeline: 1 });
      const load = new WalLoad(server, random);
      await load.prepare();

      const test = { over: false };
      let term = 1n;
      let callController = new AbortController();
      let lastError: unknown;
      const pulling = (async () => {
        let skipped = 0;
        while (!test.over) {
          callController = new AbortController();
          try {
            await puller.pull({
              term,
              signal: callController.signal,
              acknowledge: () => {
                skipped += 1;
                return random.next() < 0.3 || skipped > 20 ? ((skipped = 0), true) : false;
              },
            });
          } catch (error) {
            lastError = error;
            if (error instanceof assert.AssertionError) throw error;
          }
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })();
      pulling.catch(() => undefined);
      const loading = load.run();

      const faults = {
        'kill the agent': async () => {
          await agent.kill();
          await agent.start();
        },
        'end the walsender': async () => {
          await server.query('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
        },
        'end the call': async () => {
          callController.abort(new Error('the test ends this call'));
        },
        'restart PostgreSQL': async () => {
          await server.restart('fast');
        },
        'crash PostgreSQL': async () => {
          await server.kill();
          await server.start();
        },
        'another leader': async () => {
          term += 1n;
          callController.abort(new Error('another leader'));
        },
      };
      let endLsn: Lsn;
      try {
        await waitFor('the slot', () => puller.acknowledgedLsn > 0n).catch((error: unknown) => {
          throw new Error(`${String(error)} ${String(lastError)}\n${agent.logTail().slice(-1500)}`);
        });
        for (let round = 0; round < 14; round++) {
          const name = random.pick(Object.keys(faults) as (keyof typeof faults)[]);
          await faults[name]();
          const goal = lsn(puller.acknowledgedLsn + BigInt(1 + random.below(2 * MIB)));
          await waitFor(`WAL goes on after: ${name}`, () => puller.acknowledgedLsn >= goal, {
            timeoutMs: 60_000,
          }).catch((error: unknown) => {
            throw new Error(
              `seed ${seed}, round ${round}: ${String(error)} ${String(lastError)}\n${agent.logTail().slice(-1500)}`,
            );
          });
          const restart = await server.value('SELECT restart_lsn::text FROM pg_replication_slots');
          assert.ok(parseLsn(restart) <= puller.acknowledgedLsn, 'the slot keeps what was not acknowledged');
        }
        load.stop();
        await loading;
        endLsn = parseLsn(await server.value('SELECT pg_switch_wal()::text'));
        await waitFor('all of it arrives', () => puller.endLsn >= endLsn);
      } finally {
        load.stop();
        test.over = true;
        callController.abort(new Error('the test is over'));
        await Promise.all([loading, pulling]);
      }
      assertEqualsSegments(server, puller, MIB);
      // The slot may have been made after the first records of the load.
      const fromLsn = maxLsn(load.startLsn, puller.startLsn);
      const events = puller.events.filter(
        (event) => event.seeded !== true && event.lsn >= fromLsn && event.endLsn <= endLsn,
      );
      const mine = events.flatMap(({ lsn, kind }) =>
        kind === 'decision-row' || kind === 'restart' || kind === 'beginning'
          ? []
          : [`${formatLsn(lsn)} ${RECORD_TYPES[kind]}`],
      );
      const theirs = await transactionRecords(server, fromLsn, endLsn);
      assert.deepEqual(firstDifference(mine, theirs), null);
      assert.ok(events.some((event) => event.kind === 'commit-prepared'));
      console.log(`      ${puller.calls} calls, ${puller.content().length} bytes, ${events.length} transaction events`);
    });
  });
}
