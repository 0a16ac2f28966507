import type { RestoreEvent, RestoreReport, RestoreRequest } from '../../shared/admin/restore.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import {
  restoreEventFromMessage,
  restorePlanFromMessage,
  restoreRequestToMessage,
} from '../../shared/rpc/restore-codec.ts';
import { callStream, callUnary } from '../../shared/rpc/streams.ts';
import { listOption, textOption, type CommandSpec, type OptionValues } from './command.ts';
import type { Output } from './output.ts';
import { parsePastTime } from './past-time.ts';
import { checkNodesDiffer, parseSettings, parseTablespaces, parseTarget } from './restore-target.ts';
import { renderPlan, renderReport } from './restore-view.ts';

const PLAN_DEADLINE_MS = 120_000;

/** The options that both ways to restore have. */
export const RESTORE_OPTIONS = [
  { flags: '--snapshot <id>', summary: 'which one; latest, if nothing is said: the last complete one' },
  {
    flags: '--time <time>',
    summary: "instead of a snapshot: the state at this time by the leader's clock, RFC 3339 with its zone",
  },
  { flags: '--dry-run', summary: 'print the plan and end' },
  { flags: '--pause', summary: 'stop when all nodes stand at the cut; nothing is promoted' },
  { flags: '--tablespace <spec>', summary: 'NODE:OID=DIR, where a tablespace goes; may be repeated', repeatable: true },
  {
    flags: '--assert <sql>',
    summary:
      'SQL that must give true before the cluster is opened; "DATABASE: SELECT …" names another database than postgres; may be repeated',
    repeatable: true,
  },
  { flags: '--set <setting>', summary: 'NAME=VALUE for the restored servers; may be repeated', repeatable: true },
] as const;

export const restoreCommands: readonly CommandSpec[] = [
  {
    path: 'restore',
    summary: 'restore the whole cluster to one snapshot, or to any time',
    details:
      'Every node of the snapshot needs a --target. All nodes stand at the cut before any is promoted; transactions in doubt are\n' +
      'finished as the snapshot says; only then are the servers opened. If any node fails, none is opened.',
    options: [
      {
        flags: '--target <target>',
        summary: 'NODE=AGENT:DIR[:PORT], once for each node; PORT as backed up if it is left out',
        repeatable: true,
        required: true,
      },
      ...RESTORE_OPTIONS,
    ],
    run: async ({ coordinator, output, clock, signal }, _args, options) => {
      const request = restoreRequest(options, clock);
      const { admin } = await coordinator();
      const message = restoreRequestToMessage(request);
      if (options['dryRun'] === true) {
        const settings = { deadlineMs: PLAN_DEADLINE_MS, signal };
        const plan = restorePlanFromMessage(await callUnary(admin, 'PlanRestore', message, settings));
        output.result(plan, () => renderPlan(plan));
        return;
      }
      const events = callStream(admin, 'Restore', message, { signal });
      const report = await followRestore(
        (async function* () {
          for await (const event of events) {
            yield restoreEventFromMessage(event);
          }
        })(),
        output,
      );
      output.result(report, () => renderReport(report));
    },
  },
];

function restoreRequest(options: OptionValues, clock: Clock): RestoreRequest {
  const tablespaces = parseTablespaces(listOption(options, 'tablespace'));
  const targets = listOption(options, 'target').map((text) => {
    const target = parseTarget(text);
    return { ...target, tablespaceDirectories: tablespaces.get(target.node) ?? {} };
  });
  checkNodesDiffer(targets);
  return { ...commonRestoreRequest(options, clock), targets };
}

/** What the options say that both ways to restore have. @throws TidemarkError TM-USAGE-001 */
export function commonRestoreRequest(options: OptionValues, clock: Clock): Omit<RestoreRequest, 'targets'> {
  const snapshotId = textOption(options, 'snapshot');
  const time = textOption(options, 'time');
  if (snapshotId !== undefined && time !== undefined) {
    throw new TidemarkError('TM-USAGE-001', '--snapshot and --time cannot be given together');
  }
  return {
    snapshotId: snapshotId ?? 'latest',
    ...(time === undefined ? {} : { timeUs: BigInt(parsePastTime(time, clock)) }),
    pause: options['pause'] === true,
    assertions: listOption(options, 'assert'),
    settings: parseSettings(listOption(options, 'set')),
  };
}

/** Shows progress until the report comes. @throws TidemarkError TM-RPC-003 if none does */
export async function followRestore(
  events: AsyncIterable<RestoreEvent | null>,
  output: Output,
): Promise<RestoreReport> {
  let report: RestoreReport | null = null;
  for await (const event of events) {
    if (event?.kind === 'progress') {
      output.progress(event.progress);
    } else if (event?.kind === 'report') {
      report = event.report;
    }
  }
  if (report === null) {
    throw new TidemarkError('TM-RPC-003', 'the restore ended without a report');
  }
  return report;
}
