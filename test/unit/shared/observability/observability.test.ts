import assert from 'node:assert/strict';
import { TidemarkError } from '../../../../shared/errors/tidemark-error.ts';
import { ObservabilityHttp, type Health } from '../../../../shared/observability/http.ts';
import { createLogger } from '../../../../shared/observability/logger.ts';
import { Metrics } from '../../../../shared/observability/metrics.ts';

describe('Metrics', () => {
  it('shows what was set, added and observed, and only that', async () => {
    const metrics = new Metrics({ runtime: false });
    metrics.set('tidemark_node_lag_bytes', { node: 'shard-1' }, 42);
    metrics.add('tidemark_wal_received_bytes_total', { node: 'shard-1' }, 10);
    metrics.add('tidemark_wal_received_bytes_total', { node: 'shard-1' });
    metrics.observe('tidemark_journal_sync_seconds', {}, 0.004);
    metrics.countError(new TidemarkError('TM-PG-001', 'x'));
    metrics.countError(new Error('y'));
    const { body } = await metrics.read();
    const samples = body
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#') && !line.includes('_bucket'));
    assert.deepEqual(samples.sort(), [
      'tidemark_errors_total{code="TM-INTERNAL-001"} 1',
      'tidemark_errors_total{code="TM-PG-001"} 1',
      'tidemark_journal_sync_seconds_count 1',
      'tidemark_journal_sync_seconds_sum 0.004',
      'tidemark_node_lag_bytes{node="shard-1"} 42',
      'tidemark_wal_received_bytes_total{node="shard-1"} 11',
    ]);
  });

  it('asks for values that are only true now, and forgets', async () => {
    const metrics = new Metrics({ runtime: false });
    let age = 0;
    metrics.beforeReading(() => {
      metrics.set('tidemark_last_complete_snapshot_age_seconds', {}, ++age);
    });
    assert.match((await metrics.read()).body, /age_seconds 1\n/);
    assert.match((await metrics.read()).body, /age_seconds 2\n/);
    metrics.set('tidemark_node_lag_bytes', { node: 'gone' }, 1);
    metrics.remove('tidemark_node_lag_bytes', { node: 'gone' });
    assert.doesNotMatch((await metrics.read()).body, /gone/);
  });

  it('bounds the series of a metric', async () => {
    const metrics = new Metrics({ runtime: false });
    for (let index = 0; index < 1_500; index++) {
      metrics.set('tidemark_node_lag_bytes', { node: `n${index}` }, 1);
    }
    assert.equal((await metrics.read()).body.split('\n').filter((line) => line.startsWith('tidemark_')).length, 1_000);
  });
});

describe('ObservabilityHttp', () => {
  it('serves metrics and health', async () => {
    let health: Health = { ok: true, problems: [] };
    const http = new ObservabilityHttp({ metrics: new Metrics(), health: () => health });
    const base = `http://${await http.listen('127.0.0.1:0')}`;
    try {
      const metrics = await fetch(`${base}/metrics`);
      assert.equal(metrics.status, 200);
      assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      assert.match(await metrics.text(), /process_resident_memory_bytes/);

      assert.equal((await fetch(`${base}/healthz`)).status, 200);
      health = { ok: false, problems: ['etcd does not answer'] };
      const sick = await fetch(`${base}/healthz`);
      assert.equal(sick.status, 503);
      assert.deepEqual(await sick.json(), health);

      assert.equal((await fetch(`${base}/other`)).status, 404);
      assert.equal((await fetch(`${base}/metrics`, { method: 'POST' })).status, 405);
    } finally {
      const stop = new AbortController();
      stop.abort();
      await http.run(stop.signal);
    }
  });

  it('is not open to others unasked', async () => {
    const http = new ObservabilityHttp({
      metrics: new Metrics({ runtime: false }),
      health: () => ({ ok: true, problems: [] }),
    });
    await assert.rejects(http.listen('0.0.0.0:0'), { code: 'TM-CONFIG-001' });
  });
});

describe('createLogger', () => {
  it('writes one object a line, errors by code and without noise', () => {
    const lines: string[] = [];
    const logger = createLogger({ name: 'agent', level: 'info', destination: { write: (line) => lines.push(line) } });
    const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    logger.error(
      { err: new TidemarkError('TM-PG-001', 'shard-1 is away', { cause }), node: 'shard-1' },
      'cannot stream',
    );
    logger.debug('not shown');
    assert.equal(lines.length, 1);
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.equal(line['level'], 'error');
    assert.equal(line['name'], 'agent');
    assert.equal(line['msg'], 'cannot stream');
    const error = line['err'] as { code: string; stack?: string; hint: string; cause: { code: string } };
    assert.equal(error.code, 'TM-PG-001');
    assert.equal(error.stack, undefined);
    assert.equal(error.cause.code, 'ECONNREFUSED');
  });
});
