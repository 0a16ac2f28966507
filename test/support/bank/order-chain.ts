import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { connectToShard, type BankLayout, type ShardAddress } from './bank-schema.ts';

interface Link {
  /** By this process's monotonic clock: before the commit was asked for, and after it was told. */
  readonly begunAtMs: number;
  readonly doneAtMs: number;
}

/**
 * One client that commits 1, 2, 3 … on one shard after the other, each as soon as the one before is committed, with nothing that the shards
 * share. So at every instant a beginning of the chain is there, and two shards that are restored to moments that lie
 * apart by more than a commit takes show a hole in it. With a pause it rests after each round over the shards.
 */
export class OrderChain implements AsyncDisposable {
  readonly #clients: readonly Client[];
  readonly #pauseMs: () => number;
  readonly #links: Link[] = [];
  #stopping = false;
  readonly #work: Promise<void>;

  private constructor(clients: readonly Client[], pauseMs: () => number) {
    this.#clients = clients;
    this.#pauseMs = pauseMs;
    this.#work = this.#run();
  }

  /** @param pauseMs how long it rests each time; left out: never */
  static async start({ shards }: BankLayout, pauseMs = (): number => 0): Promise<OrderChain> {
    const clients: Client[] = [];
    for (const shard of shards) {
      const client = await connectToShard(shard, { application_name: 'order-chain' });
      clients.push(client);
      await client.query('CREATE TABLE order_chain (n bigint PRIMARY KEY)');
    }
    return new OrderChain(clients, pauseMs);
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const begunAtMs = performance.now();
      await this.#clients[n % this.#clients.length]?.query('INSERT INTO order_chain VALUES ($1)', [n]);
      this.#links.push({ begunAtMs, doneAtMs: performance.now() });
      const pauseMs = n % this.#clients.length === this.#clients.length - 1 ? this.#pauseMs() : 0;
      if (pauseMs > 0) await delay(pauseMs);
    }
  }

  /**
   * Reads the chain on restored shards.
   * @returns how many links are there, and the longest time that lies between the end of one that is missing and the beginning of one
   * that is there: 0 if none is missing. A state at one instant shows 0, one with a bound at most that.
   */
  async inspect(shards: readonly ShardAddress[]): Promise<{ readonly links: number; readonly reorderedMs: number }> {
    const there = new Set<number>();
    for (const shard of shards) {
      const client = await connectToShard(shard);
      try {
        const { rows } = await client.query<{ n: string }>('SELECT n FROM order_chain');
        for (const row of rows) there.add(Number(row.n));
      } finally {
        await client.end();
      }
    }
    const last = this.#links[Math.max(-1, ...there)];
    const missing = this.#links.find((_, n) => !there.has(n));
    const gapMs = last === undefined || missing === undefined ? 0 : last.begunAtMs - missing.doneAtMs;
    return { links: there.size, reorderedMs: Math.max(0, gapMs) };
  }

  /** Ends the chain after its current link. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => undefined);
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
  }
}
