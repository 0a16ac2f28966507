import assert from 'node:assert/strict';
import type { CoordinatorInfo, LeaderInfo } from '../../../../coordinator/coordination/coordination.ts';
import { livingBackupPeers } from '../../../../coordinator/copies/backup-peers.ts';
import { Peers } from '../../../../coordinator/copies/peers.ts';

function coordinator(coordinatorId: string): CoordinatorInfo {
  return { coordinatorId, dataCenter: coordinatorId, address: '127.0.0.1:1' };
}

/** As the coordinator east sees it: the data centres of those that are asked. */
function asked(alive: readonly string[], leader: string | null, reachable = true): readonly string[] | null {
  const coordination = {
    coordinators: () => alive.map(coordinator),
    leader: (): LeaderInfo | null => (leader === null ? null : { ...coordinator(leader), term: 1n }),
    reachable: () => reachable,
    onChange: () => () => {},
  };
  const peers = new Peers({ coordination, coordinatorId: 'east', channel: {} });
  try {
    return livingBackupPeers(coordination, peers)?.map(({ dataCenter }) => dataCenter) ?? null;
  } finally {
    peers.close();
  }
}

describe('the coordinators that are asked before packs are removed', () => {
  it('are all others that are alive, the leader among them', () => {
    assert.deepEqual(asked(['east', 'west', 'north'], 'west'), ['west', 'north']);
    assert.deepEqual(asked(['east'], 'east'), []);
  });

  it('are not known while nobody leads, the leader or this one is not seen, or nothing was heard lately', () => {
    assert.equal(asked(['east', 'north'], null), null);
    assert.equal(asked(['east', 'north'], 'west'), null);
    assert.equal(asked([], 'east'), null);
    assert.equal(asked(['west'], 'west'), null);
    assert.equal(asked(['east', 'west'], 'west', false), null);
  });
});
