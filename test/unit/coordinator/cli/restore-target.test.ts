import assert from 'node:assert/strict';
import {
  checkNodesDiffer,
  parseLocalTarget,
  parseSettings,
  parseTablespaces,
  parseTarget,
} from '../../../../coordinator/cli/restore-target.ts';

describe('--target', () => {
  const good: readonly (readonly [string, ReturnType<typeof parseTarget>])[] = [
    [
      'shard-1=10.0.0.7:7401:/srv/pg/new:5433',
      { node: 'shard-1', agentAddress: '10.0.0.7:7401', directory: '/srv/pg/new', port: 5433 },
    ],
    ['a=host:1:/d', { node: 'a', agentAddress: 'host:1', directory: '/d', port: 0 }],
    ['a=host:/d:6000', { node: 'a', agentAddress: 'host:7401', directory: '/d', port: 6000 }],
    ['a=[fd00::7]:7:/d e/f', { node: 'a', agentAddress: '[fd00::7]:7', directory: '/d e/f', port: 0 }],
    ['a=[::1]:/d', { node: 'a', agentAddress: '[::1]:7401', directory: '/d', port: 0 }],
    ['a=h:1:/d=x:y', { node: 'a', agentAddress: 'h:1', directory: '/d=x:y', port: 0 }],
    ['a=h:1:/d:1:2', { node: 'a', agentAddress: 'h:1', directory: '/d:1', port: 2 }],
  ];
  for (const [text, expected] of good) {
    it(`reads ${text}`, () => {
      assert.deepEqual(parseTarget(text), expected);
    });
  }

  const bad = [
    '',
    'a',
    'a=',
    'a=/d',
    'a=host',
    'a=host:1',
    'a=host:1:relative',
    'a=host:99999:/d',
    'a=host:1:/d:70000',
    'a=host:1:/d:0',
    'a=host:1:/',
    'a=host:1:/d/../e',
    'a b=host:1:/d',
    '../a=host:1:/d',
    'a=[zz]:1:/d',
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseTarget(text), { code: 'TM-USAGE-001', exitCode: 2 });
    });
  }

  it('refuses a node that is named twice', () => {
    checkNodesDiffer([{ node: 'a' }, { node: 'b' }]);
    assert.throws(() => checkNodesDiffer([{ node: 'a' }, { node: 'b' }, { node: 'a' }]), { message: /node a twice/ });
  });
});

describe('other options of a restore', () => {
  it('reads targets on this machine', () => {
    assert.deepEqual(parseLocalTarget('a=/d:5433'), { node: 'a', directory: '/d', port: 5433 });
    assert.deepEqual(parseLocalTarget('a=/d'), { node: 'a', directory: '/d', port: 0 });
    assert.throws(() => parseLocalTarget('a=host:1:/d'), { code: 'TM-USAGE-001' });
  });

  it('reads tablespaces', () => {
    const parsed = parseTablespaces(['a:1=/x', 'a:2=/y', 'b:1=/z']);
    assert.deepEqual(parsed.get('a'), { '1': '/x', '2': '/y' });
    assert.deepEqual(parsed.get('b'), { '1': '/z' });
    assert.throws(() => parseTablespaces(['a=/x']), { code: 'TM-USAGE-001' });
  });

  it('reads settings', () => {
    assert.deepEqual(parseSettings(['a=1', 'citus.x=a=b', 'c=']), { a: '1', 'citus.x': 'a=b', c: '' });
    assert.throws(() => parseSettings(['1=a']), { code: 'TM-USAGE-001' });
  });
});
