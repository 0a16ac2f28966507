import type { ClusterStatus, NodeStatus, TransactionProblems } from '../../shared/admin/status.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import { formatLsn, NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { statusFromMessage } from '../../shared/rpc/status-codec.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { CommandContext, CommandSpec } from './command.ts';
import { formatBytes, formatDuration, formatTime } from './format.ts';
import { describeClass } from './snapshot-view.ts';
import { printable, renderFields, renderTable } from './table.ts';

const WATCH_INTERVAL_MS = 1_000;
const DEADLINE_MS = 10_000;

export const statusCommands: readonly CommandSpec[] = [
  {
    path: 'status',
    summary: 'leader, nodes, lag, copies, last snapshot, recoverable window',
    options: [{ flags: '--watch', summary: 'show it again every second, until Ctrl-C' }],
    run: async (context, _args, options) => {
      if (options['watch'] === true) {
        await watch(context);
        return;
      }
      const status = await fetchStatus(context);
      context.output.result(status, () => renderStatus(status, nowUs(context)));
    },
  },
];

/** Goes on over failures that pass, such as a coordinator's end: that is when people watch. */
async function watch(context: CommandContext): Promise<void> {
  const { output, clock, signal } = context;
  while (!signal.aborted) {
    try {
      const status = await fetchStatus(context);
      output.clearScreen();
      output.resultLine(status, () => `${renderStatus(status, nowUs(context))}\n`);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof TidemarkError && error.retryable)) throw error;
      output.clearScreen();
      output.error(error);
      context.forgetCoordinator();
    }
    await clock.sleep(WATCH_INTERVAL_MS, signal).catch(() => {});
  }
}

async function fetchStatus({ coordinator, signal }: CommandContext): Promise<ClusterStatus> {
  const { admin } = await coordinator();
  return statusFromMessage(await callUnary(admin, 'GetStatus', {}, { deadlineMs: DEADLINE_MS, signal }));
}

function nowUs({ clock }: CommandContext): bigint {
  return BigInt(Math.round(clock.nowMs())) * 1000n;
}

export function renderStatus(status: ClusterStatus, nowUs: bigint): string {
  const { leader, lastSnapshot: snapshot, recoverable } = status;
  const ago = (timeUs: bigint) => `${formatDuration(Math.max(0, Number((nowUs - timeUs) / 1000n)))} ago`;
  const summary = renderFields([
    ['cluster', status.cluster],
    ['state', status.state],
    [
      'leader',
      leader === null
        ? 'none'
        : `${leader.coordinatorId} in ${leader.dataCenter} at ${leader.address}, term ${leader.term}`,
    ],
    ['coordination', `${status.coordination}, ${status.coordinationReachable ? 'reachable' : 'not reachable'}`],
    ['copies required', String(status.copiesRequired)],
    [
      'last snapshot',
      snapshot === null ? 'none' : `${snapshot.id}, ${describeClass(snapshot.class)}, ${ago(snapshot.timeUs)}`,
    ],
    [
      'recoverable',
      recoverable === null ? 'nothing yet' : `${formatTime(recoverable.fromUs)} to ${formatTime(recoverable.toUs)}`,
    ],
  ]);
  const parts = [summary];
  if (status.problems.length > 0) {
    parts.push(`problems\n${status.problems.map((problem) => `  - ${printable(problem)}\n`).join('')}`);
  }
  if (status.nodes.length > 0) {
    parts.push(renderNodes(status.nodes));
  }
  parts.push(...renderTransactions(status.transactions, ago));
  if (status.coordinators.length > 0) {
    parts.push(
      renderTable(
        [{ title: 'COORDINATOR' }, { title: 'DATA CENTRE' }, { title: 'ADDRESS' }, { title: 'STATE' }],
        status.coordinators.map((one) => [
          one.coordinatorId,
          one.dataCenter,
          one.address,
          one.leader ? 'leader' : one.reachable ? 'follower' : 'not reachable',
        ]),
      ),
    );
  }
  return parts.join('\n');
}

function renderNodes(nodes: readonly NodeStatus[]): string {
  const someSynchronous = nodes.some(({ synchronous }) => synchronous !== 'off');
  return renderTable(
    [
      { title: 'NODE' },
      { title: 'STATE' },
      { title: 'TIMELINE', align: 'right' },
      { title: 'FLUSHED' },
      { title: 'ACKNOWLEDGED' },
      { title: 'LAG', align: 'right' },
      { title: 'WAITING', align: 'right' },
      { title: 'COPIES (LAG)' },
      { title: 'LAST BACKUP' },
      ...(someSynchronous ? [{ title: 'SYNCHRONOUS' }] : []),
    ],
    nodes.map((node) => [
      node.node,
      node.state,
      String(node.timeline),
      position(node.flushLsn),
      position(node.acknowledgedLsn),
      formatBytes(node.lagBytes),
      formatDuration(node.lagMs),
      node.copies
        .map((copy) => `${copy.dataCenter} ${copy.connected ? formatBytes(copy.lagBytes) : 'away'}`)
        .join(', ') || '-',
      node.lastBackupId || 'none',
      ...(someSynchronous ? [node.synchronous] : []),
    ]),
  );
}

/** So many of each are shown; `--json` has all. */
const TRANSACTIONS_SHOWN = 20;

function renderTransactions(
  { broken, longPrepared }: TransactionProblems,
  ago: (timeUs: bigint) => string,
): readonly string[] {
  const parts: string[] = [];
  if (broken.length > 0) {
    parts.push(
      renderTable(
        [{ title: 'BROKEN TRANSACTION' }, { title: 'FOUND' }, { title: 'BRANCHES' }, { title: 'REASON' }],
        broken
          .slice(0, TRANSACTIONS_SHOWN)
          .map(({ gid, foundAtUs, branches, reason }) => [
            gid || '-',
            ago(foundAtUs),
            branches.map(({ node, xid, state }) => `${node} ${xid} ${state}`).join(', '),
            reason,
          ]),
      ),
    );
  }
  if (longPrepared.length > 0) {
    parts.push(
      renderTable(
        [{ title: 'PREPARED FOR LONG' }, { title: 'NODE' }, { title: 'XID', align: 'right' }, { title: 'SINCE' }],
        longPrepared
          .slice(0, TRANSACTIONS_SHOWN)
          .map(({ gid, node, xid, preparedAtUs }) => [gid, node, String(xid), ago(preparedAtUs)]),
      ),
    );
  }
  return parts;
}

function position(lsn: Lsn): string {
  return lsn === NO_LSN ? '-' : formatLsn(lsn);
}
