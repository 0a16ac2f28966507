import assert from 'node:assert/strict';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Etcd3 } from 'etcd3';
import { ChildProcess } from '../../support/child-process.ts';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { TemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';

const CANDIDATE = fileURLToPath(new URL('../../support/etcd-candidate.js', import.meta.url));
const LEASE_TTL_MS = 2000;

describe('leaders that are killed or stopped', function () {
  this.timeout(180_000);

  for (const size of [1, 3] as const) {
    it(`are followed by one with a higher term, and never write again: ${size} etcd member(s)`, async () => {
      await using etcd = await EtcdCluster.create({ size });
      await using directory = TemporaryDirectory.create('candidates');
      const candidates = new Map<string, ChildProcess>();
      const start = async (id: string) => {
        candidates.set(
          id,
          await ChildProcess.start({
            name: id,
            command: process.execPath,
            args: ['--enable-source-maps', CANDIDATE, id, String(LEASE_TTL_MS), ...etcd.endpoints],
            directory: directory.path,
          }),
        );
      };
      await Promise.all(['a', 'b', 'c'].map(start));

      const raw = new Etcd3({ hosts: [...etcd.endpoints] });
      try {
        const beat = async () => {
          const text = await raw.get('/tidemark/test/names/beat').string();
          const [term, id] = (text ?? '').split(' ');
          return term === undefined || id === undefined ? null : { term: BigInt(term), id };
        };
        const leads = (after: bigint) =>
          waitFor(`a leader after term ${after}`, async () => {
            const now = await beat();
            return now !== null && now.term > after ? now : null;
          });
        let { term, id } = await leads(0n);

        await candidates.get(id)!.kill();
        const killed = id;
        ({ term, id } = await leads(term));
        await start(killed);

        const zombie = candidates.get(id)!;
        const zombieTerm = term;
        zombie.pause();
        ({ term, id } = await leads(term));
        zombie.resume();
        await zombie.waitForLine(new RegExp(`^lost ${zombieTerm}`));
        await waitFor('it was refused', () =>
          zombie.lines.filter((line) => line === `refused ${zombieTerm}: TM-LEAD-002`).length >= 3 ? true : null,
        );
        assert.ok(!zombie.lines.some((line) => line.startsWith(`written ${zombieTerm}`)));

        if (size === 3) {
          for (const member of etcd.members) {
            await member.kill();
            const before = await waitFor('etcd answers', beat);
            await waitFor('names are written', async () => {
              const now = await raw.get('/tidemark/test/names/beat').string();
              await waitFor('the next one', async () => (await raw.get('/tidemark/test/names/beat').string()) !== now);
              return true;
            });
            await member.start();
            await etcd.waitUntilHealthy();
            const after = await waitFor('etcd answers', beat);
            assert.ok(after.term >= before.term);
          }
        }
        await Promise.all([...candidates.values()].map((candidate) => candidate.kill()));
        await assertHistory(raw);
      } finally {
        raw.close();
        await Promise.all([...candidates.values()].map((candidate) => candidate[Symbol.asyncDispose]()));
      }
    });
  }
});

/** Every write that etcd ever took, in its order: terms never go down, and each belongs to one leader. */
async function assertHistory(raw: Etcd3): Promise<void> {
  const end = await raw.get('/tidemark/test/names/beat').exec();
  const last = end.kvs[0]!.mod_revision;
  const leaders = new Map<string, string>();
  let highest = 0n;
  let writes = 0;
  // Listeners stand before it connects: history comes at once.
  const watcher = raw.watch().key('/tidemark/test/names/beat').startRevision('1').watcher();
  try {
    await new Promise<void>((resolve, reject) => {
      watcher.on('error', reject);
      watcher.on('put', (kv) => {
        const [term = '', id = ''] = kv.value.toString().split(' ');
        writes += 1;
        if (BigInt(term) < highest) reject(new Error(`term ${term} wrote after ${highest}`));
        if ((leaders.get(term) ?? id) !== id) reject(new Error(`${id} and ${leaders.get(term)} led in term ${term}`));
        highest = BigInt(term);
        leaders.set(term, id);
        if (kv.mod_revision === last) resolve();
      });
    });
  } finally {
    await watcher.cancel();
  }
  assert.ok(leaders.size >= 3, `${leaders.size} leaders`);
  assert.ok(writes >= leaders.size, `${writes} writes`);
}
