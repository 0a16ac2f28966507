import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy that a test makes bad: it delays, limits, swallows or cuts. Settings count at once, for open connections too. What it
 * holds back in each direction is bounded by the sockets' own buffers: it stops reading.
 */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** One way, in milliseconds. */
  delayMs = 0;
  /** Each connection, each way; null: no limit. */
  bytesPerSecond: number | null = null;
  #blackhole = false;
  #refusing = false;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** Listens on a free port of 127.0.0.1. */
  static async create(target: { readonly host?: string; readonly port: number }): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new TcpProxy(server, { host: target.host ?? '127.0.0.1', port: target.port });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets every open connection; new ones are welcome. */
  cut(): void {
    for (const pair of this.#pairs) this.#destroy(pair);
  }

  /** Resets every connection and refuses new ones until `heal`. */
  refuse(): void {
    this.#refusing = true;
    this.cut();
  }

  /** Keeps connections open but lets no byte through until `heal`, as a cable that was pulled does. */
  blackhole(): void {
    this.#blackhole = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** No more refusing and swallowing; delay and limit stay. */
  heal(): void {
    this.#refusing = false;
    this.#blackhole = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = createConnection({ ...this.#target, allowHalfOpen: true });
    const pair = [client, upstream] as const;
    this.#pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', () => this.#destroy(pair));
      socket.on('close', () => this.#destroy(pair));
    }
    this.#relay(client, upstream);
    this.#relay(upstream, client);
    if (this.#blackhole) for (const socket of pair) socket.pause();
  }

  #relay(from: Socket, to: Socket): void {
    let freeAtMs = performance.now();
    let waiting = Promise.resolve();
    from.on('data', (chunk: Buffer) => {
      const nowMs = performance.now();
      const transferMs = this.bytesPerSecond === null ? 0 : (chunk.length / this.bytesPerSecond) * 1000;
      freeAtMs = Math.max(freeAtMs, nowMs) + transferMs;
      const waitMs = freeAtMs - nowMs + this.delayMs;
      if (transferMs > 0) from.pause();
      // one after the other, so that a changed delay never reorders bytes
      waiting = waiting.then(async () => {
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs - (performance.now() - nowMs)));
        if (to.destroyed) return;
        if (!to.write(chunk)) {
          from.pause();
          to.once('drain', () => this.#resume(from));
        } else if (transferMs > 0) this.#resume(from);
      });
    });
    from.on('end', () => {
      void waiting.then(() => to.end());
    });
  }

  #resume(socket: Socket): void {
    if (!this.#blackhole) socket.resume();
  }

  #destroy(pair: readonly [Socket, Socket]): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of pair) if (!socket.destroyed) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
