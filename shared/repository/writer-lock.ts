import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { isErrno, storageError } from './posix-paths.ts';

const LOCK_PREFIX = '.lock-';
/** The kernel's limit for a socket's path is 107 bytes. */
const SOCKET_PATH_BYTES_MAX = 100;

/**
 * At most one process holds the lock of a directory. Each candidate announces itself first, by a listening Unix socket in
 * the directory, and then looks whether another one is alive; of two, the one that looks later sees the other, so that both
 * may give way but never both go on. The kernel closes the socket of a killed process, whatever kills it and
 * in whichever container it lives, so that nothing stale needs a person. Other hosts are told apart by what a lock's name says of
 * them: those cannot be asked, and are believed.
 */
export class WriterLock {
  readonly #server: Server;
  readonly #directory: FileHandle;

  private constructor(server: Server, directory: FileHandle) {
    this.#server = server;
    this.#directory = directory;
  }

  /**
   * Takes the lock or fails at once.
   * @throws TidemarkError TM-REPO-001 if another process has it
   */
  static async acquire(directory: string): Promise<WriterLock> {
    const host = await hostKeys();
    const own = `${LOCK_PREFIX}${host.name}-${host.boot}-${randomBytes(8).toString('hex')}`;
    let handle: FileHandle | undefined;
    let server: Server | undefined;
    try {
      handle = await open(directory, 'r');
      server = await listen(socketPath(directory, handle, own));
      const stale = await findStale(directory, handle, own, host);
      for (const name of stale) await rm(join(directory, name), { force: true });
      return new WriterLock(server, handle);
    } catch (error) {
      if (server !== undefined) await close(server);
      await handle?.close();
      throw storageError(error, `lock ${directory}`);
    }
  }

  async release(): Promise<void> {
    await close(this.#server);
    await this.#directory.close();
  }
}

interface HostKeys {
  readonly name: string;
  readonly boot: string;
}

async function hostKeys(): Promise<HostKeys> {
  const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);
  // The same in all containers of a host, and another one after each start of its kernel.
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => hostname());
  return { name: short(hostname()), boot: short(boot.trim()) };
}

/** @throws TidemarkError TM-REPO-001 if one of the other candidates is alive or cannot be asked */
async function findStale(directory: string, handle: FileHandle, own: string, host: HostKeys): Promise<string[]> {
  const stale: string[] = [];
  for (const name of await readdir(directory)) {
    if (!name.startsWith(LOCK_PREFIX) || name === own) continue;
    const [hostName, boot] = name.slice(LOCK_PREFIX.length).split('-');
    if (boot === host.boot) {
      if (await isAlive(socketPath(directory, handle, name))) {
        throw new TidemarkError('TM-REPO-001', `${directory} is in use by another process on this host`, {
          hint: 'Give each coordinator a directory of its own, or stop the other one.',
        });
      }
    } else if (hostName !== host.name) {
      throw new TidemarkError('TM-REPO-001', `${directory} is in use by a process on another host`, {
        hint: `Give each coordinator a directory of its own. If that host is gone for good, remove ${join(directory, name)}.`,
      });
    }
    stale.push(name);
  }
  return stale;
}

/** A directory with a long path is reached through this process's open handle of it. */
function socketPath(directory: string, handle: FileHandle, name: string): string {
  const path = join(directory, name);
  return Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX ? path : `/proc/self/fd/${handle.fd}/${name}`;
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.unref();
  return server;
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

async function isAlive(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      resolve(!isErrno(error, 'ECONNREFUSED', 'ENOENT'));
    });
  });
}
