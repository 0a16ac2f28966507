import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Channel } from '../../shared/rpc/channel.ts';
import type { Output } from './output.ts';

/** What a command works with. */
export interface CommandContext {
  readonly output: Output;
  readonly clock: Clock;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** A coordinator that answers; always the same one. @throws TidemarkError TM-RPC-001 if none does */
  readonly coordinator: () => Promise<Channel>;
  /** Makes the next `coordinator` look anew for one that answers. */
  readonly forgetCoordinator: () => void;
}

/** Values by the option's long name in camelCase: text, true, or a list of texts. */
export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

interface OptionSpec {
  /** As commander has it: `--label <text>`, `--dry-run`. */
  readonly flags: string;
  readonly summary: string;
  /** May be given many times. */
  readonly repeatable?: boolean;
  readonly required?: boolean;
  readonly choices?: readonly string[];
  readonly default?: string;
}

export interface CommandSpec {
  /** `backup create` */
  readonly path: string;
  readonly summary: string;
  /** Further lines of the help. */
  readonly details?: string;
  /** All are required. */
  readonly arguments?: readonly { readonly name: string; readonly summary: string }[];
  readonly options?: readonly OptionSpec[];
  readonly run: (context: CommandContext, args: readonly string[], options: OptionValues) => Promise<void>;
}

export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function listOption(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value : [];
}

/** The only argument of a command that has one. */
export function onlyArgument(args: readonly string[]): string {
  return args[0] ?? '';
}
