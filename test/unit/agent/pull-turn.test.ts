import assert from 'node:assert/strict';
import { PullTurn } from '../../../agent/rpc/pull-turn.ts';

const never = new AbortController().signal;
const refused = { code: 'TM-LEAD-002' };

describe('PullTurn', () => {
  it('ends the call that is there and waits until it has left', async () => {
    const turns = new PullTurn();
    const first = await turns.enter(3n, never);
    let entered = false;
    const second = turns.enter(3n, never).then((turn) => {
      entered = true;
      return turn;
    });
    assert.ok(first.signal.aborted);
    await new Promise(setImmediate);
    assert.equal(entered, false);
    first.leave();
    (await second).leave();
  });

  it('refuses a lower term while a higher one streams', async () => {
    const turns = new PullTurn();
    const first = await turns.enter(3n, never);
    await assert.rejects(turns.enter(2n, never), refused);
    assert.equal(first.signal.aborted, false);
  });

  it('lets the last of several newcomers in', async () => {
    const turns = new PullTurn();
    const first = await turns.enter(3n, never);
    const second = turns.enter(4n, never);
    const third = turns.enter(4n, never);
    first.leave();
    await assert.rejects(second, refused);
    (await third).leave();
  });

  it('ends a call when a higher term begins elsewhere', async () => {
    const turns = new PullTurn();
    const first = await turns.enter(3n, never);
    turns.endBelow(3n);
    assert.equal(first.signal.aborted, false);
    turns.endBelow(4n);
    assert.ok(first.signal.aborted);
  });

  it('lets nobody in after it was stopped', async () => {
    const turns = new PullTurn();
    const first = await turns.enter(3n, never);
    const stopped = turns.stop();
    assert.ok(first.signal.aborted);
    first.leave();
    await stopped;
    await assert.rejects(turns.enter(9n, never), { code: 'TM-RPC-001' });
  });
});
