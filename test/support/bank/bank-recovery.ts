import type { Client } from 'pg';
import { connectToShard, parseTransferGid, type BankLayout } from './bank-schema.ts';

/**
 * Finishes what dead clients left prepared, as a transaction manager does: committed if any branch was committed, else rolled
 * back. It touches nothing that somebody still works on, and decides only when every shard that takes part can be asked.
 */
export class BankRecovery {
  readonly #layout: BankLayout;
  readonly #inFlight: ReadonlySet<string>;
  readonly #leftoverAgeMs: number;
  readonly #connections = new Map<number, Client>();

  /** @param leftoverAgeMs how long a branch must have been prepared */
  constructor(layout: BankLayout, inFlight: ReadonlySet<string>, leftoverAgeMs: number) {
    this.#layout = layout;
    this.#inFlight = inFlight;
    this.#leftoverAgeMs = leftoverAgeMs;
  }

  /** One round over all shards; returns how many branches it finished. A shard that is down is left for later. */
  async run(): Promise<number> {
    let finished = 0;
    for (const shard of this.#layout.shards.keys()) {
      for (const gid of await this.#leftovers(shard)) {
        finished += (await this.#finish(shard, gid)) ? 1 : 0;
      }
    }
    return finished;
  }

  async #leftovers(shard: number): Promise<string[]> {
    // taken before the query: whoever ends its work meanwhile is looked at in the next round
    const busy = new Set(this.#inFlight);
    const rows = await this.#query<{ gid: string }>(
      shard,
      `SELECT gid FROM pg_prepared_xacts WHERE database = current_database()
         AND prepared <= clock_timestamp() - $1 * interval '1 millisecond'`,
      [this.#leftoverAgeMs],
    );
    return (rows ?? [])
      .map((row) => row.gid)
      .filter((gid) => {
        const parsed = parseTransferGid(gid);
        return parsed !== null && !busy.has(parsed.transferId);
      });
  }

  async #finish(shard: number, gid: string): Promise<boolean> {
    const parsed = parseTransferGid(gid);
    if (parsed === null || this.#inFlight.has(parsed.transferId)) return false;
    let committed = false;
    for (const other of parsed.shards) {
      const rows = await this.#query(other, 'SELECT FROM transfers WHERE id = $1', [parsed.transferId]);
      if (rows === null) return false;
      committed ||= rows.length > 0;
    }
    return (await this.#query(shard, `${committed ? 'COMMIT' : 'ROLLBACK'} PREPARED '${gid}'`)) !== null;
  }

  /** Null if the shard does not answer. */
  async #query<Row extends object>(shard: number, text: string, values?: unknown[]): Promise<Row[] | null> {
    try {
      const address = this.#layout.shards[shard];
      if (address === undefined) return null;
      let client = this.#connections.get(shard);
      if (client === undefined) {
        client = await connectToShard(address, { application_name: 'bank-recovery' });
        client.on('end', () => this.#connections.delete(shard));
        this.#connections.set(shard, client);
      }
      return (await client.query<Row>(text, values)).rows;
    } catch {
      return null;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((client) => client.end().catch(() => undefined)));
    this.#connections.clear();
  }
}
