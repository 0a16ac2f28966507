import type { Service } from '../../shared/lifecycle/service.ts';
import { untilAborted } from '../../shared/lifecycle/until-aborted.ts';
import type { RpcServer } from '../../shared/rpc/server.ts';

/** The gRPC server's life, after it listens. */
export class RpcService implements Service {
  readonly name = 'rpc';
  readonly #server: RpcServer;

  constructor(server: RpcServer) {
    this.#server = server;
  }

  async run(signal: AbortSignal): Promise<void> {
    await untilAborted(signal);
    await this.#server.stop();
  }
}
