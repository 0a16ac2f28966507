import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath as healthProtoPath } from 'grpc-health-check';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { checkListen } from '../config/check-serving.ts';
import { formatAddress, parseAddress } from './address.ts';
import { RECEIVE_BYTES_MAX } from './channel.ts';
import { withFramesInReusedSpace } from './frame-serializer.ts';
import { packageDefinition } from './proto.ts';
import { serverCredentials, type TlsFiles } from './tls.ts';

export interface RpcServerSettings {
  readonly tls?: TlsFiles | undefined;
  /** Allows to listen without TLS on more than loopback. */
  readonly insecure?: boolean | undefined;
}

const HEALTH = 'grpc.health.v1.Health';

// The library would write to stderr by itself what is thrown here anyway. GRPC_VERBOSITY brings it back.
if (process.env['GRPC_VERBOSITY'] === undefined) {
  grpc.setLogVerbosity(grpc.logVerbosity.NONE);
}

/**
 * A gRPC server with health and reflection. Without TLS nobody but this machine can reach it, unless it was told that this is wanted.
 */
export class RpcServer {
  readonly #server = new grpc.Server({
    'grpc.max_receive_message_length': RECEIVE_BYTES_MAX,
    'grpc.max_send_message_length': RECEIVE_BYTES_MAX,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    // grpc-js knows which sessions to cut off at forceShutdown only while channelz keeps them.
    'grpc.enable_channelz': 1,
  });
  readonly #health = new HealthImplementation({ '': 'NOT_SERVING' });
  readonly #services: string[] = [];
  readonly #settings: RpcServerSettings;
  readonly #stopping = new AbortController();
  #address: string | null = null;

  constructor(settings: RpcServerSettings = {}) {
    this.#settings = settings;
  }

  /** Aborted when `stop` begins. A call that would go on for ever ends itself then. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** host:port with the real port; null before `listen`. */
  get address(): string | null {
    return this.#address;
  }

  /** Adds a service, for example `addService(protocol.Agent.service, handlers)`. Before `listen`. */
  addService(definition: grpc.ServiceDefinition, implementation: grpc.UntypedServiceImplementation): void {
    this.#server.addService(withFramesInReusedSpace(definition), implementation);
    const [method] = Object.values(definition);
    const name = method?.path.split('/')[1];
    if (name !== undefined) {
      this.#services.push(name);
    }
  }

  /** Says whether a service (or with '' the process) serves; for load balancers and probes. */
  setServing(service: string, serving: boolean): void {
    this.#health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /**
   * Listens on `host:port`; port 0 takes a free one. Returns the address with the real port.
   * @throws TidemarkError TM-CONFIG-001 if the address is not allowed or cannot be had
   */
  async listen(listen: string): Promise<string> {
    const { host, port } = parseAddress(listen);
    checkListen(listen, this.#settings);
    const health = loadSync(healthProtoPath, { longs: String, enums: String, defaults: true, oneofs: true });
    this.#health.addToServer(this.#server);
    new ReflectionService({ ...packageDefinition, ...health }, { services: [...this.#services, HEALTH] }).addToServer(
      this.#server,
    );
    const credentials = serverCredentials(this.#settings.tls);
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(formatAddress({ host, port }), credentials, (error, actualPort) => {
        if (error === null) {
          resolve(actualPort);
        } else {
          reject(
            new TidemarkError('TM-CONFIG-001', `listen: cannot listen on ${listen}: ${reasonOf(error)}`, {
              hint: 'See whether another process has the port, and whether the address is one of this machine.',
              cause: error,
            }),
          );
        }
      });
    });
    for (const service of ['', ...this.#services]) {
      this.setServing(service, true);
    }
    this.#address = formatAddress({ host, port: bound });
    return this.#address;
  }

  /** Takes no new calls and waits for the running ones; after `graceMs` they are cut off. */
  async stop(graceMs = 3_000): Promise<void> {
    for (const service of ['', ...this.#services]) {
      this.setServing(service, false);
    }
    this.#stopping.abort(new TidemarkError('TM-RPC-001', 'the server is stopping'));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#server.forceShutdown();
        resolve();
      }, graceMs);
      this.#server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** The system's words out of grpc-js' own. */
function reasonOf({ message }: Error): string {
  return /errors: \[(.+)\]$/.exec(message)?.[1] ?? message;
}
