import { Command, CommanderError, Option } from 'commander';
import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { packageVersion } from '../../shared/lifecycle/process-options.ts';
import type { TlsFiles } from '../../shared/rpc/tls.ts';
import type { CommandContext, CommandSpec, OptionValues } from './command.ts';
import { COMMAND_GROUPS, COMMANDS } from './commands.ts';
import { CoordinatorConnection } from './coordinator-connection.ts';
import { Output, type TextStream } from './output.ts';

/** Where coordinators listen unless they are told otherwise. */
const COORDINATOR_DEFAULT = '127.0.0.1:7400';

export interface CliEnvironment {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly commands?: readonly CommandSpec[];
}

/** Runs one command line. Returns the exit code: 0 done, 1 failed, 2 usage or configuration, 3 not reachable, 4 damage found. */
export async function runCli(cli: CliEnvironment): Promise<number> {
  const { stdout, stderr, clock } = cli;
  // Known before the command line is: its own errors come in the wished form too.
  const json = cli.args.includes('--json');
  const output = new Output({ stdout, stderr, json, nowMs: () => clock.monotonicMs() });
  try {
    const program = buildProgram(cli, output);
    await program.parseAsync([...cli.args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : report(output, usageError(error, cli));
    }
    return report(output, cli.signal.aborted ? interrupted(error) : error);
  } finally {
    output.endProgress();
  }
}

function buildProgram(cli: CliEnvironment, output: Output): Command {
  const program = new Command('tidemark')
    .description('Backs up a distributed SQL database built on PostgreSQL as one database, and restores it as one.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option(
      '--coordinator <addresses>',
      `HOST:PORT of coordinators, with commas between (TIDEMARK_COORDINATOR; default ${COORDINATOR_DEFAULT})`,
    )
    .option('--tls-ca <file>', 'authority of the coordinators’ certificates (TIDEMARK_TLS_CA_FILE)')
    .option('--tls-cert <file>', 'own certificate (TIDEMARK_TLS_CERT_FILE)')
    .option('--tls-key <file>', 'own private key (TIDEMARK_TLS_KEY_FILE)')
    .option('--tls-server-name <name>', 'name in their certificates, if not the host (TIDEMARK_TLS_SERVER_NAME)')
    .option('--json', 'print one JSON document; errors are JSON too, on stderr');
  prepare(program, cli);
  const groups = new Map<string, Command>();
  for (const spec of cli.commands ?? COMMANDS) {
    const words = spec.path.split(' ');
    const [first = '', second] = words;
    let parent = program;
    if (second !== undefined) {
      const existing = groups.get(first);
      parent = existing ?? prepare(program.command(first).description(COMMAND_GROUPS[first] ?? ''), cli);
      groups.set(first, parent);
    }
    addCommand(parent, second ?? first, spec, cli, output);
  }
  return program;
}

function addCommand(parent: Command, name: string, spec: CommandSpec, cli: CliEnvironment, output: Output): void {
  const command = prepare(parent.command(name).description(spec.summary), cli);
  if (spec.details !== undefined) {
    command.addHelpText('after', `\n${spec.details}`);
  }
  for (const argument of spec.arguments ?? []) {
    command.argument(`<${argument.name}>`, argument.summary);
  }
  for (const option of spec.options ?? []) {
    const made = new Option(option.flags, option.summary);
    if (option.repeatable === true) {
      made.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
    }
    if (option.choices !== undefined) {
      made.choices(option.choices);
    }
    if (option.default !== undefined) {
      made.default(option.default);
    }
    command.addOption(made.makeOptionMandatory(option.required === true));
  }
  command.action(async () => {
    const connection = new CoordinatorConnection({
      ...connectionSettings(command.optsWithGlobals(), cli.environment),
      signal: cli.signal,
    });
    const context: CommandContext = {
      output,
      clock: cli.clock,
      signal: cli.signal,
      coordinator: () => connection.channel(),
      forgetCoordinator: () => connection.forget(),
    };
    try {
      await spec.run(context, command.args, command.opts());
    } finally {
      connection.close();
    }
  });
}

/** Makes commander throw instead of ending the process, and write where we say. */
function prepare(command: Command, { stdout }: CliEnvironment): Command {
  return command
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: () => {} })
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false);
}

function connectionSettings(options: OptionValues, environment: CliEnvironment['environment']) {
  const value = (name: string, variable: string): string | undefined => {
    const given = options[name];
    return typeof given === 'string' ? given : environment[variable];
  };
  // The agent beside it may have the list in its environment already.
  const listed = value('coordinator', 'TIDEMARK_COORDINATOR') ?? environment['TIDEMARK_COORDINATORS'];
  const addresses = (listed ?? COORDINATOR_DEFAULT)
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  const caFile = value('tlsCa', 'TIDEMARK_TLS_CA_FILE');
  const certFile = value('tlsCert', 'TIDEMARK_TLS_CERT_FILE');
  const keyFile = value('tlsKey', 'TIDEMARK_TLS_KEY_FILE');
  const serverName = value('tlsServerName', 'TIDEMARK_TLS_SERVER_NAME');
  let tls: TlsFiles | undefined;
  if (caFile !== undefined && certFile !== undefined && keyFile !== undefined) {
    tls = { caFile, certFile, keyFile, ...(serverName === undefined ? {} : { serverName }) };
  } else if (caFile !== undefined || certFile !== undefined || keyFile !== undefined) {
    throw new TidemarkError('TM-USAGE-001', 'TLS needs all of --tls-ca, --tls-cert and --tls-key');
  }
  return { addresses, tls };
}

function usageError(error: CommanderError, cli: CliEnvironment): TidemarkError {
  if (error.code === 'commander.help') {
    const [group] = cli.args.filter((arg) => Object.hasOwn(COMMAND_GROUPS, arg));
    const paths = (cli.commands ?? COMMANDS).map(({ path }) => path);
    const offered = group === undefined ? paths : paths.filter((path) => path.startsWith(`${group} `));
    return new TidemarkError('TM-USAGE-001', 'no command is named', {
      hint: `One of: ${offered.join(', ')}. See tidemark --help.`,
    });
  }
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replace(/^\(|\)$/g, '');
  return new TidemarkError('TM-USAGE-001', first, {
    hint: [suggestion, 'See tidemark --help.'].filter((part) => part !== '').join(' '),
  });
}

function interrupted(cause: unknown): TidemarkError {
  return new TidemarkError('TM-RPC-003', 'interrupted', {
    hint: 'What was asked of a coordinator has been cancelled; see tidemark status.',
    cause,
  });
}

function report(output: Output, error: unknown): number {
  output.error(error);
  return asTidemarkError(error).exitCode;
}
