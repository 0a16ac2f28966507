import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { TidemarkError } from '../errors/tidemark-error.ts';

const NAME_PREFIX = 'lock.';

/**
 * One process at a time holds a directory. Whoever wants it listens on a socket with a name of its own in it, and only then looks
 * at the others: if one of them is alive, it gives up. So of two that meet, the later one sees the earlier. The kernel says
 * who is alive, in whatever container it runs or while it is stopped, and forgets a killed holder at once.
 */
export class DirectoryLock {
  readonly directory: string;
  readonly #server: Server;
  readonly #descriptor: number;

  private constructor(directory: string, server: Server, descriptor: number) {
    this.directory = directory;
    this.#server = server;
    this.#descriptor = descriptor;
  }

  /**
   * Makes the directory where it is missing, and takes it. Two that try in the same moment may both be refused.
   * @throws TidemarkError TM-REPO-010 if another process holds it
   */
  static async acquire(directory: string): Promise<DirectoryLock> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const descriptor = openSync(directory, 'r');
    // A socket's path has room for 107 bytes; through the descriptor the directory's own length does not count.
    const addressOf = (name: string) =>
      process.platform === 'linux' ? `/proc/self/fd/${descriptor}/${name}` : path.join(directory, name);
    const own = `${NAME_PREFIX}${randomUUID()}`;
    let server: Server | undefined;
    try {
      server = await listen(addressOf(own));
      const others = (await readdir(directory)).filter((name) => name.startsWith(NAME_PREFIX) && name !== own);
      for (const other of others) {
        if (await isAlive(addressOf(other))) {
          throw new TidemarkError('TM-REPO-010', `${directory} is in use by another process`);
        }
      }
      for (const other of others) {
        await rm(path.join(directory, other), { force: true });
      }
      return new DirectoryLock(directory, server, descriptor);
    } catch (error) {
      if (server !== undefined) {
        await closeServer(server);
      }
      closeSync(descriptor);
      throw error;
    }
  }

  async release(): Promise<void> {
    if (this.#server.listening) {
      // Closing removes the socket's name, by the path through the descriptor: so that one goes last.
      await closeServer(this.#server);
      closeSync(this.#descriptor);
    }
  }
}

function listen(address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(address, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** A refused connection means that nobody listens any more. Anything else is taken for life: the safe side. */
function isAlive(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
