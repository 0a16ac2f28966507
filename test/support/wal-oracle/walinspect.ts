import assert from 'node:assert/strict';
import { formatLsn, parseLsn, type Lsn } from '../../../shared/postgres/lsn.ts';
import type { PostgresServer } from '../postgres-server.ts';
import { blocksInText, blockText, lsnText, type DescribedRecord, type KindNames } from './described-record.ts';

/** From this major on there is pg_get_wal_block_info. */
const BLOCK_INFO_MAJOR = 16;

/** One row a line, so that millions of rows are few values. */
const RECORDS_SQL = `
  SELECT string_agg(concat_ws(E'\\t', r.start_lsn, r.end_lsn, r.prev_lsn, r.xid, m.rm_id, r.record_length,
           r.main_data_length, r.fpi_length, r.resource_manager || ' ' || r.record_type, r.block_ref), E'\\n')
    FROM pg_get_wal_records_info($1, $2) r JOIN pg_get_wal_resource_managers() m ON m.rm_name = r.resource_manager`;

const BLOCKS_SQL = `
  SELECT string_agg(concat_ws(E'\\t', start_lsn, reltablespace, reldatabase, relfilenode, relforknumber, relblocknumber,
           coalesce(block_data_length, 0), coalesce(block_fpi_length, 0), record_type), E'\\n')
    FROM pg_get_wal_block_info($1, $2, false)`;

/** Compares parsed records with what pg_walinspect says of the same WAL, a run at a time. Counts; the first difference is an error. */
export class WalinspectOracle {
  readonly #server: PostgresServer;
  readonly #kinds: KindNames;
  records = 0;
  blocks = 0;
  images = 0;

  constructor(server: PostgresServer, kinds: KindNames) {
    this.#server = server;
    this.#kinds = kinds;
  }

  async compare(found: readonly DescribedRecord[]): Promise<void> {
    const [first] = found;
    const last = found.at(-1);
    if (first === undefined || last === undefined) return;
    const range = [formatLsn(first.lsn), last.end];
    const lines = linesOf(await this.#server.value<string | null>(RECORDS_SQL, range));
    const blocks = this.#server.major >= BLOCK_INFO_MAJOR ? await this.#readBlocks(range) : null;
    for (const [index, line] of lines.entries()) {
      const [start, end, previous, xid, manager, length, mainData, images, name, ref] = line.split('\t');
      const record = found[index];
      const where = lsnText(start ?? '');
      assert.ok(record !== undefined, `the record at ${where} is missing`);
      assert.equal(record.head, `${where} ${lsnText(previous ?? '')} ${xid} ${manager} ${length}`);
      assert.equal(record.end, lsnText(end ?? ''), `the end of the record at ${where}`);
      assert.equal(record.bytes, `${mainData} ${images}`, `the record at ${where}`);
      this.#kinds.check(record.kind, name ?? '', where);
      if (blocks === null) {
        assert.equal(record.blocks, blocksInText(ref ?? ''), `the record at ${where}`);
      } else {
        const expected = blocks.get(where);
        assert.equal(record.blocks, expected?.blocks.join(', ') ?? '', `the record at ${where}`);
        assert.equal(record.blockBytes, expected?.bytes.join(', ') ?? '', `the record at ${where}`);
      }
      if (record.blocks !== '') {
        const list = record.blocks.split(', ');
        this.blocks += list.length;
        this.images += list.filter((block) => block.endsWith(' image')).length;
      }
    }
    assert.equal(found.length, lines.length, `records from ${range.join(' to ')}`);
    this.records += lines.length;
  }

  async #readBlocks(range: readonly string[]) {
    const blocks = new Map<string, { readonly blocks: string[]; readonly bytes: string[] }>();
    for (const line of linesOf(await this.#server.value<string | null>(BLOCKS_SQL, range))) {
      const [start, tablespace, database, relation, fork, block, data, image] = line.split('\t');
      const where = lsnText(start ?? '');
      const record = blocks.get(where) ?? { blocks: [], bytes: [] };
      blocks.set(where, record);
      record.blocks.push(
        blockText(`${tablespace}/${database}/${relation}`, Number(fork), Number(block), image !== '0'),
      );
      record.bytes.push(`${data}+${image}`);
    }
    return blocks;
  }
}

function linesOf(text: string | null): string[] {
  return text === null ? [] : text.split('\n');
}

/** The end of the WAL that is surely written. */
export async function flushedLsn(server: PostgresServer): Promise<Lsn> {
  await server.query('SELECT pg_switch_wal()');
  return parseLsn(await server.value('SELECT pg_current_wal_flush_lsn()::text'));
}
