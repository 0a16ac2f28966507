import assert from 'node:assert/strict';
import { coordinatorConfigSchema } from '../../../../coordinator/config/coordinator-config.ts';

const base = { cluster: 'bank', id: 'east', data_center: 'east', repository: { path: '/r' } };

function problems(coordination: Record<string, unknown>, rest: Record<string, unknown> = {}): string[] {
  const result = coordinatorConfigSchema.safeParse({ ...base, coordination, ...rest });
  return result.success ? [] : result.error.issues.map(({ path }) => path.join('.'));
}

describe('coordinator configuration', () => {
  it('needs little', () => {
    const config = coordinatorConfigSchema.parse({
      ...base,
      coordination: { kind: 'etcd', endpoints: ['http://127.0.0.1:2379'] },
    });
    assert.equal(config.snapshots.interval, 10_000);
    assert.equal(config.coordination.lease_ttl, 10_000);
    assert.equal(config.copies.required, 1);
    assert.deepEqual(problems({ kind: 'embedded', directory: '/d' }), []);
  });

  it('names the key that is missing or does not fit', () => {
    const https = ['https://a:2379'];
    assert.deepEqual(problems({ kind: 'embedded' }), ['coordination.directory']);
    assert.deepEqual(problems({ kind: 'etcd' }), ['coordination.endpoints']);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: ['a:2379'] }), ['coordination.endpoints.0']);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: [...https, 'http://b:2379'] }), ['coordination.endpoints']);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: ['http://b:2379'], tls: { ca_file: 'x' } }), [
      'coordination.endpoints',
    ]);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: https, user: 'tidemark' }), ['coordination.password_file']);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: https, tls: { ca_file: 'x', cert_file: 'y' } }), [
      'coordination.tls',
    ]);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: https, lease_ttl: '1s' }), ['coordination.lease_ttl']);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: https, prefix: 'tidemark' }), ['coordination.prefix']);
    assert.deepEqual(problems({ kind: 'etcd', endpoints: https }, { copies: { required: 0 } }), ['copies.required']);
  });

  it('takes the ways in which branches are matched, and says which one cannot be used', () => {
    const match = (...choices: readonly unknown[]) =>
      problems({ kind: 'embedded', directory: '/d' }, { transactions: { match: choices } });
    assert.deepEqual(match('citus', { pattern: '^(?<transaction>.+)-' }, 'same'), []);
    assert.deepEqual(match('citrus'), ['transactions.match.0']);
    assert.deepEqual(match({ pattern: '^(.+)-' }), ['transactions.match.0.pattern']);
    assert.deepEqual(match('same', 'xa'), ['transactions.match']);
    assert.deepEqual(match(), ['transactions.match']);
  });
});
