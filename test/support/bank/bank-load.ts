import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from 'pg';
import { BankClient } from './bank-client.ts';
import { BankRecovery } from './bank-recovery.ts';
import { connectToShard, type BankLayout } from './bank-schema.ts';
import { SeededRandom } from './seeded-random.ts';

export interface BankLoadOptions {
  readonly seed: number;
  /** Begins the ids of all transfers: another one for each load on the same bank. Default `t`. */
  readonly name?: string;
  /** Default 6. */
  readonly clients?: number;
  /** All clients together; left out: as many as they can. */
  readonly transfersPerSecond?: number;
  /** Default 0.6. */
  readonly acrossProbability?: number;
  /** Default 0.01. */
  readonly abandonProbability?: number;
  /** Default 40. */
  readonly noteLength?: number;
  /** How long a branch stays in doubt before the recovery finishes it; default 1500. */
  readonly leftoverAgeMs?: number;
}

/** A transfer that a client was told is done. */
export interface Acknowledgement {
  readonly transferId: string;
  /** By this process's clock. */
  readonly atMs: number;
}

/** A transfer that a client began, whatever became of it. */
export interface Attempt {
  readonly transferId: string;
  /** By this process's clock, before its first command. */
  readonly atMs: number;
}

const RECOVERY_INTERVAL_MS = 250;
const RETRY_MS = 50;
const ORDER_PAUSE_MS = 20;
// The longer ones show whether what a bounded snapshot may mix up stays within its bound.
const ORDER_GAPS_MS = [0, 0, 0, 0, 20, 50, 100, 200] as const;

/** Clients, order writers and a recovery at work on a bank until stopped. A shard that is down is waited for. */
export class BankLoad implements AsyncDisposable {
  readonly acknowledged: Acknowledgement[] = [];
  readonly attempts: Attempt[] = [];
  /** Clients that died on purpose. */
  abandoned = 0;
  refused = 0;
  unknown = 0;
  /** The highest `n` that each order writer was told is committed on both its shards. */
  readonly orderAcknowledged: number[];
  readonly #layout: BankLayout;
  readonly #options: BankLoadOptions;
  readonly #stopping = new AbortController();
  readonly #inFlight = new Set<string>();
  readonly #work: Promise<unknown>[] = [];
  readonly #startedAt = performance.now();
  #paced = 0;

  constructor(layout: BankLayout, options: BankLoadOptions) {
    this.#layout = layout;
    this.#options = options;
    this.orderAcknowledged = layout.shards.map(() => 0);
    // everybody who pauses listens to it
    setMaxListeners(0, this.#stopping.signal);
    for (let number = 0; number < (options.clients ?? 6); number++) this.#work.push(this.#runClient(number));
    for (const writer of layout.shards.keys()) this.#work.push(this.#runOrderWriter(writer));
    this.#work.push(this.#runRecovery());
  }

  get running(): boolean {
    return !this.#stopping.signal.aborted;
  }

  async #runClient(number: number): Promise<void> {
    const options = this.#options;
    const client = new BankClient({
      layout: this.#layout,
      name: `${options.name ?? 't'}${number}`,
      random: new SeededRandom(options.seed * 1009 + number),
      abandonProbability: options.abandonProbability ?? 0.01,
      acrossProbability: this.#layout.shards.length > 1 ? (options.acrossProbability ?? 0.6) : 0,
      noteLength: options.noteLength ?? 40,
      inFlight: this.#inFlight,
      onBegin: (transferId) => this.attempts.push({ transferId, atMs: Date.now() }),
    });
    try {
      while (this.running) {
        await this.#pace();
        if (!this.running) break;
        try {
          const outcome = await client.transfer();
          if (outcome.kind === 'acknowledged') {
            this.acknowledged.push({ transferId: outcome.transferId, atMs: Date.now() });
          } else this[outcome.kind] += 1;
        } catch {
          await this.#pause(RETRY_MS);
        }
      }
    } finally {
      await client.close();
    }
  }

  async #pace(): Promise<void> {
    const rate = this.#options.transfersPerSecond;
    if (rate === undefined) return;
    const dueAt = this.#startedAt + (this.#paced++ / rate) * 1000;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await this.#pause(waitMs);
  }

  /** Writes n on its own shard and, when that is committed and the gap has passed, on the next one. */
  async #runOrderWriter(writer: number): Promise<void> {
    const shards = [writer, (writer + 1) % this.#layout.shards.length];
    const clients: (Client | null)[] = [null, null];
    let n: number | null = null;
    while (this.running) {
      try {
        for (const [position, shard] of shards.entries()) {
          const client = (clients[position] ??= await this.#openShard(shard));
          if (position === 0 && n === null) {
            const { rows } = await client.query<{ last: string }>(
              'SELECT coalesce(max(n), 0) AS last FROM order_log WHERE writer = $1',
              [writer],
            );
            // the first one again: its second row may be missing
            n = Math.max(1, Number(rows[0]?.last));
          }
          const gapMs = position === 0 ? 0 : (ORDER_GAPS_MS[(n ?? 0) % ORDER_GAPS_MS.length] ?? 0);
          if (gapMs > 0) await this.#pause(gapMs);
          await client.query('INSERT INTO order_log VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [writer, n, gapMs]);
        }
        this.orderAcknowledged[writer] = n ?? 0;
        n = (n ?? 0) + 1;
        await this.#pause(ORDER_PAUSE_MS);
      } catch {
        await endAll(clients);
        clients.fill(null);
        await this.#pause(RETRY_MS);
      }
    }
    await endAll(clients);
  }

  async #openShard(shard: number): Promise<Client> {
    const address = this.#layout.shards[shard];
    if (address === undefined) throw new Error(`no shard ${shard}`);
    return await connectToShard(address, { application_name: 'order-writer' });
  }

  async #runRecovery(): Promise<void> {
    const recovery = new BankRecovery(this.#layout, this.#inFlight, this.#options.leftoverAgeMs ?? 1500);
    while (this.running) {
      await this.#pause(RECOVERY_INTERVAL_MS);
      if (this.running) await recovery.run();
    }
    await recovery.close();
  }

  async #pause(durationMs: number): Promise<void> {
    await delay(durationMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  /** Ends all clients after their current transfer. What dead ones left in doubt stays so. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function endAll(clients: readonly (Client | null)[]): Promise<void> {
  const open = clients.filter((client) => client !== null);
  await Promise.all(open.map((client) => client.end().catch(() => undefined)));
}
