import { once } from 'node:events';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { RpcServer } from '../../shared/rpc/server.ts';

/** The gRPC server's life, after it listens. */
export class RpcService implements Service {
  readonly name = 'rpc';
  readonly #server: RpcServer;

  constructor(server: RpcServer) {
    this.#server = server;
  }

  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await once(signal, 'abort');
    await this.#server.stop();
  }
}
