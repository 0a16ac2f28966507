import { Client, type ClientConfig } from 'pg';

/** How a shard is reached. The bank's tables lie in a database of its own there. */
export interface ShardAddress {
  readonly host: string;
  readonly port: number;
}

export const BANK_DATABASE = 'bank';
export const OPENING_BALANCE = 1000;

/**
 * A bank whose accounts lie on several PostgreSQL servers: account `a` on shard `a % shards`. Each transfer leaves a row in `transfers` on
 * each shard that takes part in it, so "whole or absent" can be seen; each account's balance must follow from these rows. In
 * `order_log` one writer per shard writes `n` first there and, when that is committed and `gap_ms` have passed, on the next shard.
 */
export interface BankLayout {
  readonly shards: readonly ShardAddress[];
  readonly accounts: number;
  /**
   * What a transfer's branches are called: the same everywhere (the default), or each by its own name with the transfer's in it, as
   * pgjdbc calls the branches of an XA transaction.
   */
  readonly gids?: GidForm;
}

export type GidForm = 'same' | 'xa';

const TABLES = `
  CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 80);
  CREATE TABLE transfers (
    id text PRIMARY KEY, amount bigint NOT NULL, from_account int NOT NULL, to_account int NOT NULL, note text NOT NULL);
  CREATE TABLE order_log (writer int, n bigint, gap_ms int NOT NULL, PRIMARY KEY (writer, n));
`;

/** A connection to the bank on a shard, which the caller ends. A connection that breaks while idle raises nothing. */
export async function connectToShard(shard: ShardAddress, options: ClientConfig = {}): Promise<Client> {
  const client = new Client({
    ...shard,
    user: 'postgres',
    database: BANK_DATABASE,
    connectionTimeoutMillis: 5000,
    ...options,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Makes the bank's database, tables and accounts on every shard. */
export async function createBank(layout: BankLayout): Promise<void> {
  await Promise.all(
    layout.shards.map(async (shard, number) => {
      const administrator = await connectToShard(shard, { database: 'postgres' });
      try {
        await administrator.query(`CREATE DATABASE ${BANK_DATABASE}`);
      } finally {
        await administrator.end();
      }
      const client = await connectToShard(shard);
      try {
        await client.query(TABLES);
        await client.query(
          `INSERT INTO accounts SELECT id, ${OPENING_BALANCE} FROM generate_series(0, $1::int - 1) id WHERE id % $2 = $3`,
          [layout.accounts, layout.shards.length, number],
        );
      } finally {
        await client.end();
      }
    }),
  );
}

export function shardOf(account: number, layout: BankLayout): number {
  return account % layout.shards.length;
}

const XA_FORMAT = 4711;

/** What a transfer's branch on one shard is called in PostgreSQL: the name tells a recovery which shards take part. */
export function transferGid(
  { gids }: Pick<BankLayout, 'gids'>,
  transferId: string,
  shards: readonly number[],
  shard: number,
): string {
  const name = `bank:${transferId}:${shards.join(':')}`;
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return gids === 'xa' ? `${XA_FORMAT}_${base64(name)}_${base64(`branch ${shard}`)}` : name;
}

/** Undoes {@link transferGid}; null for somebody else's. */
export function parseTransferGid(gid: string): { transferId: string; shards: number[] } | null {
  const [format, global = ''] = gid.split('_');
  const name = format === String(XA_FORMAT) ? Buffer.from(global, 'base64').toString() : gid;
  const [prefix, transferId, ...shards] = name.split(':');
  if (prefix !== 'bank' || transferId === undefined || shards.length === 0) return null;
  return { transferId, shards: shards.map(Number) };
}
