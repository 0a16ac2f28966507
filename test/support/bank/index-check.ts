import { Client } from 'pg';
import { hasProgram, debianProgram } from '../debian-packages.ts';
import { runToEnd } from '../child-process.ts';
import { TemporaryDirectory } from '../temporary-directory.ts';
import { BANK_DATABASE, connectToShard, type ShardAddress } from './bank-schema.ts';

/**
 * Looks for damage in every table and B-tree of the bank's database: by pg_amcheck where it is installed, else by the functions
 * of amcheck that it calls. Returns what was found; empty if all is well.
 */
export async function findDamage(shard: ShardAddress): Promise<string[]> {
  const client = await connectToShard(shard);
  try {
    await client.query('CREATE EXTENSION IF NOT EXISTS amcheck');
    return hasProgram('pg_amcheck') ? await runAmcheck(shard) : await callAmcheck(client);
  } finally {
    await client.end();
  }
}

async function runAmcheck(shard: ShardAddress): Promise<string[]> {
  await using directory = TemporaryDirectory.create('amcheck');
  try {
    await runToEnd({
      name: 'pg_amcheck',
      command: debianProgram('pg_amcheck'),
      directory: directory.path,
      args: [
        `--host=${shard.host}`,
        `--port=${shard.port}`,
        '--username=postgres',
        '--heapallindexed',
        '--rootdescend',
        BANK_DATABASE,
      ],
    });
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

async function callAmcheck(client: Client): Promise<string[]> {
  const heap = await client.query<{ problem: string }>(`
    SELECT c.relname || ': ' || v.msg AS problem
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL verify_heapam(c.oid) v
     WHERE c.relkind = 'r' AND c.relpersistence = 'p'`);
  const problems = heap.rows.map((row) => row.problem);
  const indexes = await client.query<{ oid: number; name: string }>(`
    SELECT c.oid, c.relname AS name FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
     WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relpersistence = 'p' AND i.indisready AND i.indisvalid`);
  for (const { oid, name } of indexes.rows) {
    try {
      await client.query('SELECT bt_index_parent_check($1, true, true)', [oid]);
    } catch (error) {
      problems.push(`${name}: ${String(error)}`);
    }
  }
  return problems;
}
