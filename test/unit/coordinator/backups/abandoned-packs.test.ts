import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { AbandonedPacks, type BackupPeer } from '../../../../coordinator/backups/abandoned-packs.ts';
import { takeNodeBackup } from '../../../../coordinator/backups/node-backup.ts';
import { UnfinishedBackups } from '../../../../coordinator/backups/unfinished-backups.ts';
import { ObjectFetcher } from '../../../../coordinator/copies/object-fetcher.ts';
import { backupOf, isBackupManifest } from '../../../../coordinator/copies/mesh-objects.ts';
import { loadZstd, type Zstd } from '../../../../shared/compression/zstd.ts';
import { systemClock } from '../../../../shared/lifecycle/clock.ts';
import { silentLogger } from '../../../../shared/observability/logger.ts';
import { backupPrefix, manifestBelow } from '../../../../shared/repository/layout.ts';
import { baseBackupFiles, wholeBaseBackup } from '../../../support/made-base-backup.ts';
import { MemoryRepository } from '../../../support/memory-repository.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';
import { inEveryOrder, Turns } from '../../../support/turns.ts';

const PREFIX = backupPrefix('a', '77', 'b1');
const MANIFEST = manifestBelow(PREFIX);
const FRAMES = 5;
/** Three packs of the five frames. */
const PACK_BYTES_MAX = 50;
const logger = silentLogger();
const never = new AbortController().signal;

type Disk = Map<string, Buffer>;

function packsOn(disk: Disk): readonly string[] {
  return [...disk.keys()].filter((path) => path.startsWith(PREFIX) && path !== MANIFEST).sort();
}

/** A coordinator's process as far as base backups go, on a disk that outlives it. */
class Coordinator {
  readonly id: string;
  readonly disk: Disk;
  readonly repository: MemoryRepository;
  readonly unfinished: UnfinishedBackups;
  readonly fetcher: ObjectFetcher;
  /** A process that died goes on with nothing, and answers nobody. */
  isDead = false;
  /** Called right before a pack goes. */
  onDelete: () => void = () => {};
  readonly #turns: Turns;

  constructor(id: string, disk: Disk, turns: Turns) {
    this.id = id;
    this.disk = disk;
    this.#turns = turns;
    this.repository = new MemoryRepository(disk, async (step) => {
      await this.turn();
      if (step === 'delete') this.onDelete();
    });
    this.unfinished = new UnfinishedBackups({ repository: this.repository, logger });
    this.fetcher = new ObjectFetcher({ repository: this.repository, unfinished: this.unfinished, logger });
  }

  async turn(): Promise<void> {
    await this.#turns.take();
    if (this.isDead) await new Promise<never>(() => {});
  }

  abandoned(peers: () => readonly BackupPeer[] | null, copiesRequired = 1): AbandonedPacks {
    const { repository, unfinished } = this;
    const dataCenter = this.id;
    return new AbandonedPacks({
      dataCenter,
      copiesRequired,
      repository,
      unfinished,
      peers,
      clock: systemClock,
      logger,
    });
  }

  /** This coordinator, asked by another. */
  asPeer(): BackupPeer {
    const asked = async (): Promise<void> => {
      await this.#turns.take();
      if (this.isDead) throw new Error('it does not answer');
    };
    return {
      dataCenter: this.id,
      backupsTaken: async () => {
        await asked();
        return this.unfinished.taken;
      },
      hasManifest: async (prefix) => {
        await asked();
        return this.disk.has(manifestBelow(prefix));
      },
    };
  }

  /** What the mesh does with all that a peer offers at the moment. */
  async follow(peer: Coordinator, onStored: (path: string) => void = () => {}): Promise<void> {
    const stored = async (path: string): Promise<void> => onStored(path);
    for (const path of [...peer.disk.keys()].sort()) {
      await this.turn();
      const backup = backupOf(path) ?? assert.fail(path);
      const bytes = peer.disk.get(path);
      if (peer.isDead || bytes === undefined || !(await peer.unfinished.areWanted(backup))) continue;
      const object = { path, sizeBytes: bytes.length };
      if (isBackupManifest(path) && (await this.repository.stat(path)) === null) {
        await this.fetcher.fetchBackup(object, peer.repository, stored);
      } else if (await this.fetcher.fetch(object, peer.repository)) {
        onStored(path);
      }
    }
  }
}

describe('the packs of base backups that were not finished', () => {
  let zstd: Zstd;
  let whole: ReadonlyMap<string, Buffer>;
  before(async () => {
    zstd = await loadZstd();
    const turns = new Turns();
    const taker = new Coordinator('east', new Map(), turns);
    await Promise.all([
      take(taker, async () => {}),
      turns.run(
        () => 0,
        () => {},
      ),
    ]);
    whole = new Map(taker.disk);
    assert.equal(packsOn(taker.disk).length, 3);
  });

  /** @param copied resolves once another coordinator holds it */
  async function take(
    { repository, unfinished }: Coordinator,
    copied: (path: string) => Promise<void>,
    { signal = never, fails = false } = {},
  ): Promise<void> {
    await takeNodeBackup({
      id: 'b1',
      node: 'a',
      systemIdentifier: '77',
      parts: fails ? baseBackupFiles(zstd, FRAMES) : wholeBaseBackup(zstd, FRAMES),
      repository,
      unfinished,
      copies: {
        waitForObject: async (path) => {
          await copied(path);
          return [];
        },
        objectCopies: () => [],
        waitForAcknowledged: async () => {},
      },
      holdsWal: () => true,
      zstd: { compress: async (content) => ({ frame: zstd.compress(content, 1) }) },
      clock: { ...systemClock, nowMs: () => 0 },
      signal,
      onProgress: () => {},
      packBytesMax: PACK_BYTES_MAX,
    });
  }

  function checkWhole({ id, disk }: Coordinator): void {
    if (!disk.has(MANIFEST)) return;
    for (const [path, bytes] of whole) {
      if (path !== MANIFEST) assert.ok(disk.get(path)?.equals(bytes), `${id} has the manifest, and not ${path}`);
    }
  }

  it('are not removed while their manifest is being fetched, in any order of the steps', async () => {
    const orders = await inEveryOrder(async (pick) => {
      const turns = new Turns();
      const source = new MemoryRepository(new Map(whole));
      const copy = new Coordinator('west', new Map([...whole].filter(([path]) => path.endsWith('0.pack'))), turns);
      const manifest = { path: MANIFEST, sizeBytes: whole.get(MANIFEST)?.length ?? 0 };
      const work = Promise.all([
        copy.turn().then(() => copy.fetcher.fetchBackup(manifest, source, async () => {})),
        // Worse than can be: the source is not asked.
        copy.turn().then(() => copy.unfinished.removeAbandoned(PREFIX)),
        copy.turn().then(() => copy.unfinished.removeAbandoned(PREFIX)),
      ]);
      await turns.run(pick, () => checkWhole(copy));
      assert.ok((await work)[0]);
      assert.deepEqual(new Map(copy.disk), whole);
    }, 100_000);
    assert.ok(orders > 1, String(orders));
  });

  it('are not removed by the one who takes it, in any order of the steps', async () => {
    const orders = await inEveryOrder(async (pick) => {
      const turns = new Turns();
      const taker = new Coordinator('east', new Map(), turns);
      const finish = async (): Promise<void> => {
        const ended = taker.unfinished.begin(PREFIX);
        for (const [path, bytes] of whole) await taker.repository.create(path, bytes);
        ended();
      };
      const sweep = taker.abandoned(() => []).sweep(never);
      const work = Promise.all([finish(), sweep]);
      await turns.run(pick, () => checkWhole(taker));
      await work;
      assert.deepEqual(new Map(taker.disk), whole);
    }, 100_000);
    assert.ok(orders > 10, String(orders));
  });

  it('stay while a coordinator is silent, while too few answer, while nobody knows who is there; then they go', async () => {
    const turns = { take: async () => {} } as unknown as Turns;
    const copy = new Coordinator('west', new Map([...whole].filter(([path]) => path !== MANIFEST)), turns);
    copy.disk.set(`${PREFIX}a note`, Buffer.from('not ours'));
    const other = new Coordinator('east', new Map(), turns);
    other.isDead = true;
    await assert.rejects(copy.abandoned(() => [other.asPeer()]).sweep(never), /does not answer/);
    await copy.abandoned(() => [], 2).sweep(never);
    await copy.abandoned(() => null).sweep(never);
    other.isDead = false;
    const ended = other.unfinished.begin(PREFIX);
    await copy.abandoned(() => [other.asPeer()], 2).sweep(never);
    ended();
    other.disk.set(MANIFEST, Buffer.from('manifest'));
    await copy.abandoned(() => [other.asPeer()], 2).sweep(never);
    assert.equal(packsOn(copy.disk).length, 4);
    other.disk.clear();
    await copy.abandoned(() => [other.asPeer()], 2).sweep(never);
    assert.deepEqual([...copy.disk.keys()], [`${PREFIX}a note`]);
  });

  it('go everywhere or become whole everywhere, whoever dies, fails, is cut off or sweeps, and when', async () => {
    const outcomes = new Map<string, number>();
    const scenario = fc.record({
      seed: fc.nat(),
      end: fc.constantFrom('whole', 'fails', 'aborted', 'crash'),
      /** At which step the end comes that comes from outside. */
      endStep: fc.nat(300),
      /** Paused or cut off from the coordination service, so that nobody asks the taker. */
      isCutOff: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ seed, end, endStep, isCutOff }) => {
        const random = new SeededRandom(seed);
        const turns = new Turns();
        const disks = ['east', 'west', 'north'].map((id) => ({ id, disk: new Map<string, Buffer>() }));
        let all = disks.map(({ id, disk }) => new Coordinator(id, disk, turns));
        const [taker] = all;
        assert.ok(taker !== undefined);
        const abort = new AbortController();
        const stored = new Set<string>();
        const copied = async (path: string): Promise<void> => {
          while (!stored.has(path)) {
            await taker.turn();
            abort.signal.throwIfAborted();
          }
        };
        let isEnded = false;
        const livesOn = (one: Coordinator): boolean => !isEnded && !one.isDead;
        const following = async (one: Coordinator, peer: Coordinator): Promise<void> => {
          while (livesOn(one)) {
            await one.turn();
            await one.follow(peer, (path) => peer === taker && stored.add(path));
          }
        };
        const sweeping = async (one: Coordinator): Promise<void> => {
          const others = all.filter((other) => other !== one && !(isCutOff && other === taker));
          one.onDelete = () => {
            const askable = others.filter((other) => !other.isDead);
            assert.ok(
              !askable.some((other) => other.unfinished.taken.includes(PREFIX)),
              'a backup that is being taken loses packs',
            );
          };
          const abandoned = one.abandoned(() => others.map((other) => other.asPeer()));
          while (livesOn(one)) {
            await one.turn();
            await abandoned.sweep(never).catch((error: unknown) => assert.match(String(error), /does not answer/));
          }
        };
        const work = (): void => {
          for (const one of all) {
            sweeping(one).catch(failed);
            for (const peer of all) if (peer !== one) following(one, peer).catch(failed);
          }
        };
        const problems: unknown[] = [];
        const failed = (error: unknown): void => void problems.push(error);
        work();
        let isTaken = true;
        void take(taker, copied, { signal: abort.signal, fails: end === 'fails' }).then(
          () => (isTaken = false),
          () => (isTaken = false),
        );
        let steps = 0;
        let lastSteps = 0;
        await turns.run(
          (count) => random.below(count),
          () => {
            steps += 1;
            for (const one of all) checkWhole(one);
            if (steps === endStep && end === 'aborted') abort.abort(new Error('no leader any more'));
            if (steps === endStep && end === 'crash') {
              taker.isDead = true;
              isTaken = false;
            }
            if (!isTaken || steps > 5_000) lastSteps += 1;
            if (lastSteps > 200) isEnded = true;
          },
        );
        // All are there again, each with what is on its disk.
        all = disks.map(({ id, disk }) => new Coordinator(id, disk, turns));
        for (let again = 0; again < 2; again++) {
          for (const one of all) {
            const others = all.filter((other) => other !== one);
            const settle = async (): Promise<void> => {
              for (const other of others) await one.follow(other);
              await one.abandoned(() => others.map((other) => other.asPeer())).sweep(never);
            };
            await Promise.all([
              settle(),
              turns.run(
                () => 0,
                () => checkWhole(one),
              ),
            ]);
          }
        }
        assert.deepEqual(problems, []);
        const left = all.map(({ disk }) => (disk.has(MANIFEST) ? 'whole' : `${packsOn(disk).length} packs`));
        assert.equal(new Set(left).size, 1, left.join());
        assert.notEqual(left[0]?.replace(/[123]/, 'some'), 'some packs');
        if (end === 'whole') assert.equal(left[0], 'whole');
        const outcome = `${end}: ${left[0]}`;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }),
      { numRuns: 150, endOnFailure: true },
    );
    // Each of these ends was met.
    for (const outcome of ['whole: whole', 'fails: 0 packs', 'aborted: 0 packs', 'crash: 0 packs', 'crash: whole']) {
      assert.ok(outcomes.has(outcome), `never ${outcome}`);
    }
  });
});
