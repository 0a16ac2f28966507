import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { asTidemarkError } from '../errors/as-tidemark-error.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';

/** What the command lines of `tidemark-agent` and `tidemark-coordinator` have in common. */
export interface ProcessOptions {
  /** `--config FILE`; null if everything comes from the environment. */
  readonly configFile: string | null;
  /** `--check`: read the configuration, say whether it is right, and end. */
  readonly check: boolean;
  /** Of the program's own flags, those that are set. */
  readonly flags: ReadonlySet<string>;
}

/**
 * Reads `--config FILE` (or TIDEMARK_CONFIG), `--check` and the program's own flags; answers `--help` and `--version` and ends
 * the process.
 * @param flags of this program alone, without the dashes, and what each does
 * @throws TidemarkError TM-USAGE-001
 */
export function parseProcessOptions(
  program: string,
  args: readonly string[],
  flags: Readonly<Record<string, string>> = {},
): ProcessOptions {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string', short: 'c' },
        check: { type: 'boolean', default: false },
        ...Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'boolean' } as const])),
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'V', default: false },
      },
    }));
  } catch (cause) {
    throw new TidemarkError('TM-USAGE-001', (cause as Error).message, { hint: `See ${program} --help.`, cause });
  }
  if (values.help) {
    const lines = {
      '-c, --config FILE': 'the configuration, YAML; every option has a variable TIDEMARK_… too',
      '    --check': 'say whether the configuration is right, and end',
      ...Object.fromEntries(Object.entries(flags).map(([name, what]) => [`    --${name}`, what])),
      '-V, --version': 'print the version',
      '-h, --help': 'print this',
    };
    const usage = ['check', ...Object.keys(flags)].map((name) => `--${name}`).join(' | ');
    const help = Object.entries(lines).map(([option, what]) => `  ${option.padEnd(20)}  ${what}\n`);
    process.stdout.write(`Usage: ${program} --config FILE [${usage}]\n\n${help.join('')}`);
    process.exit(0);
  }
  if (values.version) {
    process.stdout.write(`${packageVersion()}\n`);
    process.exit(0);
  }
  const set: Readonly<Record<string, unknown>> = values;
  return {
    configFile: values.config ?? process.env['TIDEMARK_CONFIG'] ?? null,
    check: values.check,
    flags: new Set(Object.keys(flags).filter((name) => set[name] === true)),
  };
}

/** The version in package.json, from the sources, from dist/ and from an installed package alike. */
export function packageVersion(): string {
  for (let directory = import.meta.dirname; ; directory = path.dirname(directory)) {
    try {
      const content = JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as {
        name?: string;
        version?: string;
      };
      if (content.name === 'tidemark') {
        return content.version ?? 'unknown';
      }
    } catch {
      // Not here: look further up.
    }
    if (path.dirname(directory) === directory) {
      return 'unknown';
    }
  }
}

/** For a process that cannot begin: the error for a person on stderr, and the code's exit status. */
export function exitWithError(program: string, error: unknown): never {
  const known = asTidemarkError(error);
  process.stderr.write(`${program}: ${known.message} (${known.code})\nhint: ${known.hint}\n`);
  if (known.code === 'TM-INTERNAL-001' && known.cause instanceof Error) {
    process.stderr.write(`${known.cause.stack}\n`);
  }
  process.exit(known.exitCode);
}
