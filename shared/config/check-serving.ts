import { accessSync, constants } from 'node:fs';
import { TidemarkError } from '../errors/tidemark-error.ts';
import { isLoopback, parseAddress } from '../rpc/address.ts';
import { clientCredentials, serverCredentials, type TlsFiles } from '../rpc/tls.ts';

/** What agent and coordinator have in common: where they listen, and how. */
export interface ServingConfig {
  readonly listen: string;
  readonly advertise?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  readonly insecure: boolean;
  readonly metrics: { readonly listen?: string | undefined; readonly insecure: boolean };
}

/** @throws TidemarkError TM-CONFIG-001 unless there is TLS, only this machine can reach the address, or it is wanted so */
export function checkListen(
  listen: string,
  settings: { readonly tls?: TlsFiles | undefined; readonly insecure?: boolean | undefined },
): void {
  if (settings.tls === undefined && settings.insecure !== true && !isLoopback(parseAddress(listen).host)) {
    throw new TidemarkError('TM-CONFIG-001', `listen: ${listen} is open to others, and there is no TLS`, {
      hint: 'Set tls.ca_file, tls.cert_file and tls.key_file; or insecure: true if the network itself is trusted.',
    });
  }
}

/** @throws TidemarkError TM-CONFIG-001 unless only this machine can reach the address, or it is wanted so */
export function checkMetricsListen(listen: string, insecure: boolean): void {
  if (!insecure && !isLoopback(parseAddress(listen).host)) {
    throw new TidemarkError('TM-CONFIG-001', `metrics.listen: ${listen} is open to others`, {
      hint: 'Set metrics.insecure: true if that is wanted.',
    });
  }
}

/**
 * What the schema cannot say: that the addresses are allowed, that others can be told one of them, and that the TLS files are there and
 * fit together. Nothing is opened.
 * @throws TidemarkError TM-CONFIG-001, TM-CONFIG-002
 */
export function checkServing(config: ServingConfig): void {
  checkListen(config.listen, config);
  if (config.metrics.listen !== undefined) {
    checkMetricsListen(config.metrics.listen, config.metrics.insecure);
  }
  const { host } = parseAddress(config.listen);
  if (config.advertise === undefined && (host === '0.0.0.0' || host === '::')) {
    throw new TidemarkError('TM-CONFIG-001', `advertise is missing: nobody can call ${config.listen}`, {
      hint: 'Set advertise to the host:port at which others reach this process.',
    });
  }
  serverCredentials(config.tls);
  clientCredentials(config.tls);
}

/** @throws TidemarkError TM-CONFIG-002 if the file that the key names cannot be read */
export function checkReadable(key: string, file: string | undefined): void {
  try {
    if (file !== undefined) accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new TidemarkError('TM-CONFIG-002', `${key}: cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
