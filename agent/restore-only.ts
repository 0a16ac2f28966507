import path from 'node:path';
import { parseArgs } from 'node:util';
import { ZstdPool } from '../shared/compression/zstd-pool.ts';
import { TidemarkError } from '../shared/errors/tidemark-error.ts';
import { systemClock } from '../shared/lifecycle/clock.ts';
import { exitWithError } from '../shared/lifecycle/process-options.ts';
import { runProcess } from '../shared/lifecycle/run-process.ts';
import { createLogger } from '../shared/observability/logger.ts';
import { protocol } from '../shared/rpc/proto.ts';
import { RpcServer } from '../shared/rpc/server.ts';
import { openBackupSource } from './restore/backup-source.ts';
import { restoreTargetHandlers } from './restore/restore-target-service.ts';
import { RestoreTarget } from './restore/restore-target.ts';
import { RpcService } from './rpc/rpc-service.ts';

export const RESTORE_ONLY = '--restore-only';

interface RestoreOnlyOptions {
  readonly node: string;
  readonly listen: string;
  readonly stateDirectory: string;
  readonly binDirectory: string | undefined;
  readonly superuser: string;
}

/** A restore of gigabytes reads its WAL for long without an end in sight, but never without a step. */
const STALL_TIMEOUT_MS = 15 * 60_000;

/** @throws TidemarkError TM-USAGE-001 */
function parseOptions(args: readonly string[]): RestoreOnlyOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'restore-only': { type: 'boolean' },
        node: { type: 'string', default: 'restore' },
        listen: { type: 'string', default: '127.0.0.1:0' },
        'state-directory': { type: 'string' },
        'bin-directory': { type: 'string' },
        superuser: { type: 'string', default: 'postgres' },
      },
    });
    if (values['state-directory'] === undefined) {
      throw new Error('--state-directory is missing');
    }
    return {
      node: values.node,
      listen: values.listen,
      stateDirectory: path.resolve(values['state-directory']),
      binDirectory: values['bin-directory'],
      superuser: values.superuser,
    };
  } catch (cause) {
    throw new TidemarkError('TM-USAGE-001', (cause as Error).message, { cause });
  }
}

/**
 * The agent as `tidemark repository restore` starts it: only the target of a restore, without a configuration. Its first line on
 * stdout is JSON with the address where it listens. It ends when stdin does, so that it never outlives who started it.
 */
export async function runRestoreOnly(args: readonly string[]): Promise<never> {
  let options: RestoreOnlyOptions;
  try {
    options = parseOptions(args);
  } catch (error) {
    return exitWithError('tidemark-agent', error);
  }
  const zstd = new ZstdPool({ workers: 1, level: 1 });
  return runProcess({
    logger: createLogger({ name: 'restore', level: 'warn' }),
    start: async () => {
      const restores = new RestoreTarget({
        stateDirectory: options.stateDirectory,
        superuser: options.superuser,
        binDirectory: options.binDirectory,
        openSource: (source) => openBackupSource(source, undefined),
        zstd,
        workers: 2,
        clock: systemClock,
        stallTimeoutMs: STALL_TIMEOUT_MS,
      });
      const server = new RpcServer();
      server.addService(protocol.RestoreTarget.service, { ...restoreTargetHandlers(restores, options.node) });
      const address = await server.listen(options.listen);
      process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM'));
      process.stdin.resume();
      process.stdout.write(`${JSON.stringify({ address })}\n`);
      return [new RpcService(server)];
    },
    close: () => zstd.close(),
  });
}
