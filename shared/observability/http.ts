import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkMetricsListen } from '../config/check-serving.ts';
import { TidemarkError } from '../errors/tidemark-error.ts';
import type { Service } from '../lifecycle/service.ts';
import { formatAddress, parseAddress } from '../rpc/address.ts';
import type { Metrics } from './metrics.ts';

/** Whether the process does its work; `problems` says in words why not. */
export interface Health {
  readonly ok: boolean;
  readonly problems: readonly string[];
}

interface HttpSettings {
  readonly metrics: Metrics;
  readonly health: () => Health;
  /** Allows to listen on more than loopback; there is no TLS here. */
  readonly insecure?: boolean;
}

/** `/metrics` for Prometheus and `/healthz` (200 or 503) for probes; nothing else, and nothing secret. */
export class ObservabilityHttp implements Service {
  readonly name = 'http';
  readonly #settings: HttpSettings;
  readonly #server: Server;

  constructor(settings: HttpSettings) {
    this.#settings = settings;
    this.#server = createServer({ requestTimeout: 10_000 }, (request, response) => {
      void this.#answer(request, response);
    });
  }

  /**
   * Listens on `host:port`; port 0 takes a free one. Returns the address with the real port.
   * @throws TidemarkError TM-CONFIG-001 if the address is not allowed or cannot be had
   */
  async listen(listen: string): Promise<string> {
    const { host, port } = parseAddress(listen);
    checkMetricsListen(listen, this.#settings.insecure === true);
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (cause) {
      throw new TidemarkError(
        'TM-CONFIG-001',
        `metrics.listen: cannot listen on ${listen}: ${(cause as Error).message}`,
        {
          hint: 'See whether another process has the port, and whether the address is one of this machine.',
          cause,
        },
      );
    }
    return formatAddress({ host, port: (this.#server.address() as AddressInfo).port });
  }

  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) {
      await once(signal, 'abort');
    }
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#server.listening) {
      this.#server.closeAllConnections();
      this.#server.close();
      await once(this.#server, 'close');
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/metrics') {
      try {
        const { contentType, body } = await this.#settings.metrics.read();
        response.writeHead(200, { 'content-type': contentType }).end(body);
      } catch (error) {
        response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`);
      }
    } else if (path === '/healthz') {
      const health = this.#settings.health();
      response.writeHead(health.ok ? 200 : 503, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ ok: health.ok, problems: health.problems })}\n`);
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics and /healthz\n');
    }
  }
}
