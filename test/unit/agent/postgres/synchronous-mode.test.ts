import assert from 'node:assert/strict';
import { synchronousProblems, type SynchronousFacts } from '../../../../agent/postgres/synchronous-mode.ts';

const right: SynchronousFacts = {
  inRecovery: false,
  fsync: true,
  standbyNames: 'tidemark',
  synchronousCommit: 'on',
  synchronousCommitSource: 'default',
  ownSettings: [],
  senderPid: 7,
  walsenders: [{ pid: 7, name: 'tidemark', syncState: 'sync' }],
};

function problems(changes: Partial<SynchronousFacts>): string {
  return synchronousProblems({ ...right, ...changes }, 'tidemark').join('; ');
}

const other = (pid: number, name: string, syncState = 'async') => ({ pid, name, syncState });

describe('the synchronous mode of a server', () => {
  it('is confirmed where every commit has to wait for the agent', () => {
    assert.equal(problems({}), '');
    assert.equal(problems({ synchronousCommit: 'remote_apply', standbyNames: 'FIRST 1 (Tidemark)' }), '');
    const quorum = [{ pid: 7, name: 'tidemark', syncState: 'quorum' }, other(8, 'b', 'quorum')];
    assert.equal(problems({ standbyNames: 'ANY 2 (tidemark, b)', walsenders: quorum }), '');
    assert.equal(problems({ walsenders: [...right.walsenders, other(9, 'pg_basebackup')] }), '');
    assert.equal(problems({ ownSettings: [{ role: 'app', database: null, value: 'remote_apply' }] }), '');
  });

  it('names each setting that lets a commit return earlier', () => {
    for (const [changes, expected] of [
      [{ fsync: false }, /fsync is off/],
      [{ synchronousCommit: 'remote_write' }, /synchronous_commit is remote_write/],
      [{ synchronousCommit: 'local' }, /synchronous_commit is local/],
      [{ synchronousCommitSource: 'user' }, /cannot be seen/],
      [{ synchronousCommitSource: 'database' }, /cannot be seen/],
      [{ ownSettings: [{ role: 'app', database: 'bank', value: 'off' }] }, /off for role app in database bank/],
      [{ ownSettings: [{ role: null, database: 'bank', value: 'local' }] }, /local for database bank/],
      [{ standbyNames: '' }, /empty: no commit waits/],
      [{ standbyNames: 'a b' }, /cannot be read/],
      [{ standbyNames: '*' }, /any standby may answer/],
      [{ standbyNames: 'other' }, /the agent is called tidemark/],
      [{ standbyNames: 'tidemark, other' }, /1 of 2 standbys are enough/],
      [{ standbyNames: 'FIRST 2 (tidemark, b, c)' }, /2 of 3 standbys are enough/],
      [{ standbyNames: 'ANY 1 (tidemark, b)' }, /1 of 2 standbys are enough/],
      [{ standbyNames: '2 (tidemark, TIDEMARK)' }, /stands twice/],
      [
        { walsenders: [...right.walsenders, other(8, 'Tidemark', 'potential')] },
        /more than one standby is called tidemark/,
      ],
      [
        { standbyNames: '2 (tidemark, b)', walsenders: [...right.walsenders, other(8, 'b'), other(9, 'b')] },
        /more than one standby is called b/,
      ],
      [{ walsenders: [{ pid: 7, name: 'tidemark', syncState: 'potential' }] }, /a standby that is potential/],
      [{ walsenders: [{ pid: 7, name: 'tidemark', syncState: 'async' }] }, /a standby that is async/],
      [{ walsenders: [{ pid: 7, name: 'tidemark', syncState: null }] }, /pg_monitor/],
      [{ walsenders: [], senderPid: null }, /no WAL is streamed/],
      [{ senderPid: 8 }, /no WAL is streamed/],
      [{ inRecovery: true }, /in recovery/],
    ] as const) {
      assert.match(problems(changes), expected);
    }
  });
});
