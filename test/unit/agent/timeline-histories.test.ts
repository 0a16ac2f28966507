import assert from 'node:assert/strict';
import { leftBefore } from '../../../agent/wal-receiver/timeline-histories.ts';
import { lsn } from '../../../shared/postgres/lsn.ts';

const connection = (history: string | null) => ({
  timelineHistory: async () => (history === null ? null : Buffer.from(history)),
});
const HISTORY = '1\t0/3000000\tno recovery target specified\n\n3\t0/5000000\tno recovery target specified\n';

describe('where a server left a timeline', () => {
  it('is known when more of the timeline was read than the server ever had', async () => {
    const server = connection(HISTORY);
    assert.deepEqual(await leftBefore(server, 4, 1, lsn(0x3000001n)), { timeline: 3, startLsn: 0x3000000n });
    assert.deepEqual(await leftBefore(server, 4, 3, lsn(0x6000000n)), { timeline: 4, startLsn: 0x5000000n });
  });

  it('is nowhere before what was read, or the timeline is not in its history', async () => {
    const server = connection(HISTORY);
    assert.equal(await leftBefore(server, 4, 1, lsn(0x3000000n)), null);
    assert.equal(await leftBefore(server, 4, 2, lsn(0x6000000n)), null);
    assert.equal(await leftBefore(server, 4, 4, lsn(0x6000000n)), null);
    assert.equal(await leftBefore(server, 1, 2, lsn(0x6000000n)), null);
    assert.equal(await leftBefore(connection(null), 4, 1, lsn(0x6000000n)), null);
  });
});
