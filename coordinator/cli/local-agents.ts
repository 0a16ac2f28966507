import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 12_000;
/** A path, not an import: the command line and the agent know nothing of each other. */
const AGENT_PROGRAM = fileURLToPath(new URL('../../agent/main.js', import.meta.url));
const readySchema = z.object({ address: z.string() });

/** Whom agents and restored servers run as; null: as this process. */
export interface LocalUser {
  readonly uid: number;
  readonly gid: number;
}

export interface LocalAgentOptions {
  readonly node: string;
  readonly directory: string;
  readonly binDirectory: string | undefined;
  readonly superuser: string | undefined;
  readonly user: LocalUser | null;
}

/**
 * Finds whom to run as. PostgreSQL refuses to run as root, so root has to name somebody.
 * @throws TidemarkError TM-USAGE-001
 */
export async function findLocalUser(name: string | undefined): Promise<LocalUser | null> {
  const isRoot = process.getuid?.() === 0;
  if (name === undefined) {
    if (isRoot) {
      throw new TidemarkError('TM-USAGE-001', 'PostgreSQL does not run as root', {
        hint: 'Name the owner of the restored servers: --run-as postgres.',
      });
    }
    return null;
  }
  if (!isRoot) {
    throw new TidemarkError('TM-USAGE-001', '--run-as is for root only');
  }
  try {
    const ask = promisify(execFile);
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await ask('id', [flag, '--', name])).stdout)),
    );
    if (uid === undefined || gid === undefined || !Number.isInteger(uid) || uid === 0) {
      throw new Error('it is root');
    }
    return { uid, gid };
  } catch (cause) {
    throw new TidemarkError('TM-USAGE-001', `--run-as ${JSON.stringify(name)} is no user to run PostgreSQL as`, {
      cause,
    });
  }
}

/**
 * An agent of this command, the target of one node's restore. What it knows of the restore lies beside the target directory, so
 * that the same command given again goes on. Its stdin is the rope: when this process ends, however it ends, so does the agent.
 */
export class LocalAgent {
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
  }

  /** @throws TidemarkError TM-RPC-001 if it does not come up, with what it said */
  static async start(options: LocalAgentOptions): Promise<LocalAgent> {
    const { node, directory, user, binDirectory, superuser } = options;
    const stateDirectory = `${directory}.tidemark`;
    await makeDirectory(stateDirectory, user);
    // Root may make what its user may not.
    if (user !== null && !existsSync(directory)) {
      await makeDirectory(directory, user);
    }
    const args = [
      AGENT_PROGRAM,
      '--restore-only',
      `--node=${node}`,
      '--listen=127.0.0.1:0',
      `--state-directory=${stateDirectory}`,
      ...(binDirectory === undefined ? [] : [`--bin-directory=${binDirectory}`]),
      ...(superuser === undefined ? [] : [`--superuser=${superuser}`]),
    ];
    const child = spawn(process.execPath, args, {
      cwd: stateDirectory,
      stdio: ['pipe', 'pipe', 'pipe'],
      // Ctrl-C is for this process alone; the agent is told in order.
      detached: true,
      ...(user === null ? {} : user),
    });
    try {
      return new LocalAgent(child, await readAddress(node, child));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Ends the agent. The restored server lives on, with its log in the state directory. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      child.stdin?.end();
      await exited;
      clearTimeout(timer);
    }
  }
}

async function makeDirectory(directory: string, user: LocalUser | null): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined && user !== null) {
      await chown(directory, user.uid, user.gid);
    }
  } catch (cause) {
    throw new TidemarkError('TM-USAGE-001', `${directory} cannot be made: ${(cause as Error).message}`, {
      hint: 'Choose a target whose parent directory you may write.',
      cause,
    });
  }
}

/** The first line that the agent prints. */
async function readAddress(node: string, child: ChildProcess): Promise<string> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const { stdout } = child;
  if (stdout === null) {
    throw new TidemarkError('TM-INTERNAL-001', 'an agent was started without its output');
  }
  const lines = createInterface({ input: stdout });
  const ended = new AbortController();
  const failed = (why: string) => {
    ended.abort(new TidemarkError('TM-RPC-001', `the agent for ${node} ${why}: ${said.trim()}`, { retryable: false }));
  };
  const timer = setTimeout(() => failed('does not come up'), START_TIMEOUT_MS);
  child.once('error', (error) => failed(`cannot be started (${error.message})`));
  child.once('close', (code) => failed(`ended at once (${code})`));
  try {
    const [line] = (await once(lines, 'line', { signal: ended.signal })) as [string];
    return readySchema.parse(JSON.parse(line)).address;
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}
