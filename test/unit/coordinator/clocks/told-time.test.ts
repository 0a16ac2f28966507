import assert from 'node:assert/strict';
import { ClockWatch } from '../../../../coordinator/clocks/clock-watch.ts';
import type { Leadership } from '../../../../coordinator/coordination/coordination.ts';
import { lsn, type Lsn } from '../../../../shared/postgres/lsn.ts';

const BEGIN_MS = Date.UTC(2026, 10, 22, 12);
const at = (position: number): Lsn => lsn(BigInt(position));

/** Two nodes, each read once a second; where they stood, and a null where one did not answer. */
class Watched {
  readonly watch: ClockWatch;
  readonly #positions = new Map<string, number | null>();
  #ms = 0;

  constructor() {
    this.watch = new ClockWatch({
      coordinatorId: 'east',
      nodes: () => [{ node: 'a' }, { node: 'b' }],
      sampler: () => ({
        sample: (node) => {
          const position = this.#positions.get(node) ?? null;
          if (position === null) throw new Error('it is away');
          const nodeTimeUs = BigInt(BEGIN_MS + this.#ms) * 1000n;
          return Promise.resolve({
            ...this.stream(node),
            insertLsn: at(position),
            nodeTimeUs,
            synchronous: false,
            around: { beforeUs: 0, afterUs: 0 },
            agentClock: null,
          });
        },
      }),
      clock: { nowMs: () => BEGIN_MS + this.#ms, monotonicMs: () => this.#ms, sleep: (ms) => this.#sleep(ms) },
    });
  }

  #rounds: (readonly [number | null, number | null])[] = [];
  #stop = new AbortController();

  stream(node: string) {
    return { node, systemIdentifier: '70', timeline: 1 };
  }

  async read(...rounds: readonly (readonly [number | null, number | null])[]): Promise<void> {
    this.#rounds = [...rounds];
    this.#stop = new AbortController();
    this.#next();
    await this.watch.run({ term: 7n } as Leadership, this.#stop.signal);
  }

  /** In milliseconds since the beginning. */
  told(acknowledged: readonly [number, number], canDeclare = true): number | null {
    const nodes = ['a', 'b'].map((node, index) => ({
      stream: this.stream(node),
      acknowledgedLsn: at(acknowledged[index] ?? 0),
    }));
    const us = this.watch.toldUntilUs(nodes, canDeclare);
    return us === null ? null : Math.ceil(Number(us) / 1000) - BEGIN_MS;
  }

  #next(): void {
    const [a, b] = this.#rounds.shift() ?? [null, null];
    this.#positions.set('a', a);
    this.#positions.set('b', b);
  }

  #sleep(ms: number): Promise<void> {
    // Nodes are not asked all at once.
    if (ms < 1000) return Promise.resolve();
    if (this.#rounds.length === 0) {
      this.#stop.abort();
    } else {
      this.#ms += 1000;
      this.#next();
    }
    return Promise.resolve();
  }
}

describe('the last time that can be told', () => {
  it('is the last reading of every node up to which all is acknowledged, while all answer', async () => {
    const watched = new Watched();
    await watched.read([100, 100], [200, 100], [300, 110]);
    assert.equal(watched.told([0, 0]), null);
    assert.equal(watched.told([150, 100]), 0);
    assert.equal(watched.told([250, 105]), 1000);
    assert.equal(watched.told([250, 110]), 1000);
    assert.equal(watched.told([300, 110]), 2000);
    assert.equal(watched.told([300, 110], false), null, 'nothing lies in a copy yet');
  });

  it('is what the copies tell where a node does not answer, or nothing can be declared', async () => {
    const watched = new Watched();
    await watched.read([100, 100], [200, 200], ...Array.from({ length: 8 }, () => [900, null] as const));
    watched.watch.take(watched.stream('a'), at(110));
    watched.watch.take(watched.stream('a'), at(950));
    watched.watch.take(watched.stream('b'), at(210));
    assert.equal(watched.told([950, 205]), null, 'the WAL beside which it lies is not acknowledged');
    assert.equal(watched.told([950, 210]), 1000);
    assert.equal(watched.told([950, 210], false), 1000);
  });
});
