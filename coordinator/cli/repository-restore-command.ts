import path from 'node:path';
import type { RestoreRequest, RestoreTargetSpec } from '../../shared/admin/restore.ts';
import { planFromRepository } from '../../shared/cluster-restore/bare-repository.ts';
import { matchTargets } from '../../shared/cluster-restore/cluster-restore.ts';
import { summarizePlan } from '../../shared/cluster-restore/plan-summary.ts';
import { runRestore } from '../../shared/cluster-restore/run-restore.ts';
import { assert } from '../../shared/errors/assert.ts';
import type { RestorePlan } from '../../shared/restore-plan/restore-plan.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { openChannel } from '../../shared/rpc/channel.ts';
import { listOption, textOption, type CommandContext, type CommandSpec, type OptionValues } from './command.ts';
import { findLocalUser, LocalAgent } from './local-agents.ts';
import { withRepository } from './repository-commands.ts';
import { commonRestoreRequest, followRestore, RESTORE_OPTIONS } from './restore-command.ts';
import { checkNodesDiffer, parseLocalTarget, parseTablespaces } from './restore-target.ts';
import { renderPlan, renderReport } from './restore-view.ts';

export const repositoryRestoreCommands: readonly CommandSpec[] = [
  {
    path: 'repository restore',
    summary: 'restore the whole cluster from one repository, on this machine',
    details:
      'Nothing else has to run. All nodes stand at the cut before any is promoted, as with tidemark restore. An interrupted restore\n' +
      'goes on when the same command is given again: what is known of it lies beside each target in DIR.tidemark, with the log of\n' +
      'the server.',
    options: [
      { flags: '--path <directory>', summary: 'the repository', required: true },
      {
        flags: '--target <target>',
        summary: 'NODE=DIR[:PORT], once for each node; PORT as backed up if it is left out',
        repeatable: true,
        required: true,
      },
      ...RESTORE_OPTIONS,
      { flags: '--bin-directory <directory>', summary: 'where postgres lies; left out: where distributions put it' },
      { flags: '--superuser <name>', summary: 'a superuser of the restored cluster', default: 'postgres' },
      { flags: '--run-as <user>', summary: 'owner of the restored servers; needed as root, and only then' },
    ],
    run: async (context, _args, options) => {
      const request = localRequest(options, context.clock);
      await withRepository(options, async (repository, zstd) => {
        const plan = await planFromRepository(repository, zstd, request, (id, reason) => {
          context.output.note(`snapshot ${id} is passed over: ${reason.message}`);
        });
        matchTargets(plan, request.targets);
        if (options['dryRun'] === true) {
          const summary = summarizePlan(plan, request.targets, []);
          context.output.result(summary, () => renderPlan(summary));
          return;
        }
        await restore(context, { plan, request, repositoryPath: repository.root, options });
      });
    },
  },
];

interface LocalRestore {
  readonly plan: RestorePlan;
  readonly request: RestoreRequest;
  readonly repositoryPath: string;
  readonly options: OptionValues;
}

async function restore(
  { output, clock, signal }: CommandContext,
  { plan, request, repositoryPath, options }: LocalRestore,
): Promise<void> {
  const user = await findLocalUser(textOption(options, 'runAs'));
  const agents = new Map<string, LocalAgent>();
  try {
    for (const { node, agentAddress, directory } of request.targets) {
      signal.throwIfAborted();
      const agent = await LocalAgent.start({
        node,
        directory,
        user,
        binDirectory: textOption(options, 'binDirectory'),
        superuser: textOption(options, 'superuser'),
      });
      agents.set(agentAddress, agent);
    }
    const dial = (name: string) => {
      const agent = agents.get(name);
      assert(agent !== undefined, `${name} is one of the agents`);
      return openChannel(agent.address);
    };
    const source = { kind: 'repository', path: repositoryPath } as const;
    const events = runRestore({ plan, request, source, dial, clock, dataCenters: [] }, signal);
    const report = await followRestore(events, output);
    output.result(report, () => renderReport(report));
  } finally {
    await Promise.all([...agents.values()].map((agent) => agent.stop()));
  }
}

/** Agents are named after their nodes: their ports differ each time, and the same restore must be known again. */
function localRequest(options: OptionValues, clock: Clock): RestoreRequest {
  const tablespaces = parseTablespaces(listOption(options, 'tablespace'));
  const targets = listOption(options, 'target').map((text): RestoreTargetSpec => {
    const target = parseLocalTarget(text);
    return {
      ...target,
      directory: path.resolve(target.directory),
      agentAddress: `local:${target.node}`,
      tablespaceDirectories: tablespaces.get(target.node) ?? {},
    };
  });
  checkNodesDiffer(targets);
  return { ...commonRestoreRequest(options, clock), targets };
}
