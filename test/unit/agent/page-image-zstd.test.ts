import assert from 'node:assert/strict';
import { PageImageZstd } from '../../../agent/change-sets/page-image-zstd.ts';
import type { SqlClient } from '../../../agent/postgres/sql-client.ts';

const server = (method: string | null) => ({ query: async () => [{ method }] }) as unknown as SqlClient;

describe('zstd for page images', () => {
  function images() {
    const loads: number[] = [];
    const made = new PageImageZstd(async () => {
      loads.push(1);
      return { decompress: (frame) => Buffer.from(frame) };
    });
    return { made, loads };
  }

  it('is loaded where the server writes such images', async () => {
    const { made, loads } = images();
    await made.prepare(server('zstd'));
    await made.prepare(server('zstd'));
    assert.equal(loads.length, 1);
    assert.deepEqual(made.decompress(Buffer.from('x'), 1), Buffer.from('x'));
    assert.equal(made.missed, false);
  });

  it('is not loaded elsewhere, says when it was missed, and is there the next time', async () => {
    const { made, loads } = images();
    for (const method of ['off', 'lz4', null]) await made.prepare(server(method));
    assert.equal(loads.length, 0);
    assert.equal(made.missed, false);
    assert.throws(() => made.decompress(Buffer.from('x'), 1), { code: 'TM-PG-001' });
    assert.equal(made.missed, true);
    await made.prepare(server('off'));
    assert.equal(made.missed, false);
    assert.deepEqual(made.decompress(Buffer.from('x'), 1), Buffer.from('x'));
  });
});
