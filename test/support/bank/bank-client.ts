import { DatabaseError, type Client } from 'pg';
import { connectToShard, shardOf, transferGid, type BankLayout } from './bank-schema.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What became of one attempted transfer. */
export type TransferOutcome =
  | { readonly kind: 'acknowledged'; readonly transferId: string }
  | { readonly kind: 'refused' } // rolled back: a lock was not to be had
  | { readonly kind: 'abandoned' } // the client died in the middle, on purpose
  | { readonly kind: 'unknown' }; // a shard failed in the middle

interface Transfer {
  readonly id: string;
  readonly amount: number;
  readonly fromAccount: number;
  readonly toAccount: number;
}

interface BankClientOptions {
  readonly layout: BankLayout;
  /** Begins the ids of all its transfers. */
  readonly name: string;
  readonly random: SeededRandom;
  /** How often it dies between PREPARE and COMMIT PREPARED, or between two COMMIT PREPAREDs. */
  readonly abandonProbability: number;
  /** How many of its transfers cross shards. */
  readonly acrossProbability: number;
  /** Characters of a note in each transfer's rows, to make more WAL. */
  readonly noteLength: number;
  /** Transfers that somebody still works on; a recovery leaves them alone. */
  readonly inFlight: Set<string>;
  /** Before the first command of a transfer. */
  readonly onBegin?: (transferId: string) => void;
}

// A branch in doubt keeps its accounts locked until it is resolved.
const LOCK_TIMEOUT_MS = 300;

/**
 * One client: one transfer at a time. It never breaks a connection on which a command is under way, so that a command of a dead
 * client cannot take effect after somebody decided about its transfer.
 */
export class BankClient {
  readonly #options: BankClientOptions;
  readonly #connections = new Map<number, Client>();
  #count = 0;

  constructor(options: BankClientOptions) {
    this.#options = options;
  }

  /** @throws Error if a shard cannot be connected to */
  async transfer(): Promise<TransferOutcome> {
    const { random, layout } = this.#options;
    const across = random.chance(this.#options.acrossProbability);
    const fromAccount = random.below(layout.accounts);
    const toAccount = this.#otherAccount(fromAccount, across);
    this.#count += 1;
    const transfer = {
      id: `${this.#options.name}-${this.#count}`,
      amount: 1 + random.below(100),
      fromAccount,
      toAccount,
    };
    this.#options.onBegin?.(transfer.id);
    return across ? await this.#transferAcross(transfer) : await this.#transferWithin(transfer);
  }

  #otherAccount(account: number, onOtherShard: boolean): number {
    const { random, layout } = this.#options;
    for (;;) {
      const other = random.below(layout.accounts);
      if (other !== account && (shardOf(other, layout) !== shardOf(account, layout)) === onOtherShard) return other;
    }
  }

  async #transferWithin(transfer: Transfer): Promise<TransferOutcome> {
    const shard = shardOf(transfer.fromAccount, this.#options.layout);
    const client = await this.#connection(shard);
    try {
      await client.query('BEGIN');
      // in account order, so that two clients never wait for each other
      const changes = [
        { account: transfer.fromAccount, amount: -transfer.amount },
        { account: transfer.toAccount, amount: transfer.amount },
      ].sort((a, b) => a.account - b.account);
      for (const { account, amount } of changes) await addToBalance(client, account, amount);
      await this.#insertTransfer(client, transfer);
      await client.query('COMMIT');
      return { kind: 'acknowledged', transferId: transfer.id };
    } catch (error) {
      return await this.#giveUp([shard], error);
    }
  }

  async #transferAcross(transfer: Transfer): Promise<TransferOutcome> {
    const { layout, random, inFlight, abandonProbability } = this.#options;
    const branches = [
      { shard: shardOf(transfer.fromAccount, layout), account: transfer.fromAccount, amount: -transfer.amount },
      { shard: shardOf(transfer.toAccount, layout), account: transfer.toAccount, amount: transfer.amount },
    ].sort((a, b) => a.shard - b.shard);
    const shards = branches.map((branch) => branch.shard);
    const parts: { readonly client: Client; readonly gid: string }[] = [];
    for (const shard of shards) {
      const gid = transferGid(layout, transfer.id, shards, shard);
      parts.push({ client: await this.#connection(shard), gid });
    }
    inFlight.add(transfer.id);
    try {
      try {
        for (const [position, branch] of branches.entries()) {
          const { client } = parts[position] as (typeof parts)[number];
          await client.query('BEGIN');
          await addToBalance(client, branch.account, branch.amount);
          await this.#insertTransfer(client, transfer);
        }
      } catch (error) {
        return await this.#giveUp(shards, error);
      }
      const die = random.chance(abandonProbability) ? random.pick(['prepared', 'half-committed'] as const) : null;
      const prepared = parts.map(({ client, gid }) => client.query(`PREPARE TRANSACTION '${gid}'`));
      if (!(await allDone(prepared))) {
        return this.#abandon(shards, 'unknown');
      }
      if (die === 'prepared') return this.#abandon(shards, 'abandoned');
      const order = random.chance(0.5) ? parts : [...parts].reverse();
      const commit = ({ client, gid }: (typeof parts)[number]) => client.query(`COMMIT PREPARED '${gid}'`);
      if (die === 'half-committed') {
        const first = order[0] as (typeof parts)[number];
        return this.#abandon(shards, (await allDone([commit(first)])) ? 'abandoned' : 'unknown');
      }
      const done = random.chance(0.5)
        ? await allDone(order.map(commit))
        : (await allDone(order.slice(0, 1).map(commit))) && (await allDone(order.slice(1).map(commit)));
      return done ? { kind: 'acknowledged', transferId: transfer.id } : this.#abandon(shards, 'unknown');
    } finally {
      inFlight.delete(transfer.id);
    }
  }

  async #insertTransfer(client: Client, transfer: Transfer): Promise<void> {
    await client.query({
      name: 'insert-transfer',
      text: 'INSERT INTO transfers VALUES ($1, $2, $3, $4, $5)',
      values: [
        transfer.id,
        transfer.amount,
        transfer.fromAccount,
        transfer.toAccount,
        noise(this.#options.random, this.#options.noteLength),
      ],
    });
  }

  async #connection(shard: number): Promise<Client> {
    const existing = this.#connections.get(shard);
    if (existing !== undefined) return existing;
    const address = this.#options.layout.shards[shard];
    if (address === undefined) throw new Error(`no shard ${shard}`);
    const client = await connectToShard(address, {
      lock_timeout: LOCK_TIMEOUT_MS,
      application_name: this.#options.name,
    });
    client.on('end', () => {
      if (this.#connections.get(shard) === client) this.#connections.delete(shard);
    });
    this.#connections.set(shard, client);
    return client;
  }

  /** Nothing was prepared yet. After an error of a statement the connection is still good. */
  async #giveUp(shards: readonly number[], error: unknown): Promise<TransferOutcome> {
    if (!(error instanceof DatabaseError) || error.severity !== 'ERROR') return this.#abandon(shards, 'unknown');
    const clients = shards.map((shard) => this.#connections.get(shard)).filter((client) => client !== undefined);
    const done = await allDone(clients.map((client) => client.query('ROLLBACK')));
    return done ? { kind: 'refused' } : this.#abandon(shards, 'unknown');
  }

  /** Leaves everything as it is, like a client that died. No command is under way. */
  #abandon(shards: readonly number[], kind: 'abandoned' | 'unknown'): TransferOutcome {
    for (const shard of shards) {
      const client = this.#connections.get(shard);
      this.#connections.delete(shard);
      if (client !== undefined) destroyConnection(client);
    }
    return { kind };
  }

  async close(): Promise<void> {
    const clients = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
}

/** Cuts the socket without a word to the server. */
export function destroyConnection(client: Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}

async function addToBalance(client: Client, account: number, amount: number): Promise<void> {
  await client.query({
    name: 'add-to-balance',
    text: 'UPDATE accounts SET balance = balance + $1 WHERE id = $2',
    values: [amount, account],
  });
}

/** Waits for all of them, whatever becomes of each. */
async function allDone(commands: readonly Promise<unknown>[]): Promise<boolean> {
  const results = await Promise.allSettled(commands);
  return results.every((result) => result.status === 'fulfilled');
}

function noise(random: SeededRandom, length: number): string {
  let text = '';
  while (text.length < length) text += random.next().toString(36).slice(2);
  return text.slice(0, length);
}
