import type { LeaderView } from '../../shared/admin/status.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { leaderFromMessage } from '../../shared/rpc/status-codec.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { CommandSpec } from './command.ts';
import { renderFields } from './table.ts';

export const leaderCommands: readonly CommandSpec[] = [
  {
    path: 'leader show',
    summary: 'show which coordinator leads',
    run: async ({ coordinator, output, signal }) => {
      const { admin } = await coordinator();
      const leader = required(
        leaderFromMessage(await callUnary(admin, 'GetLeader', {}, { deadlineMs: 10_000, signal })),
      );
      output.result(leader, () => renderLeader(leader));
    },
  },
  {
    path: 'leader resign',
    summary: 'make the leader give its place up, and show who follows',
    run: async ({ coordinator, output, signal }) => {
      const { admin } = await coordinator();
      const leader = required(
        leaderFromMessage(await callUnary(admin, 'ResignLeader', {}, { deadlineMs: 40_000, signal })),
      );
      output.result(leader, () => renderLeader(leader));
    },
  },
];

function required(leader: LeaderView | null): LeaderView {
  if (leader === null) {
    throw new TidemarkError('TM-LEAD-001', 'there is no leader at the moment');
  }
  return leader;
}

function renderLeader(leader: LeaderView): string {
  return renderFields([
    ['leader', leader.coordinatorId],
    ['data centre', leader.dataCenter],
    ['address', leader.address],
    ['term', String(leader.term)],
  ]);
}
