import { readFileSync } from 'node:fs';
import * as grpc from '@grpc/grpc-js';
import { TidemarkError } from '../errors/tidemark-error.ts';

/** PEM files. Both sides show a certificate and demand one of the other that `caFile` vouches for. */
export interface TlsFiles {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The name that peers' certificates carry, when it is not the host that is dialled. */
  readonly serverName?: string;
}

/** @throws TidemarkError TM-CONFIG-002 if a file cannot be read, TM-CONFIG-001 if it is not a usable PEM file */
export function clientCredentials(tls: TlsFiles | undefined): grpc.ChannelCredentials {
  if (tls === undefined) {
    return grpc.credentials.createInsecure();
  }
  const { ca, cert, key } = readFiles(tls);
  return usable(tls, () => grpc.credentials.createSsl(ca, key, cert));
}

/** @throws TidemarkError TM-CONFIG-002 if a file cannot be read, TM-CONFIG-001 if it is not a usable PEM file */
export function serverCredentials(tls: TlsFiles | undefined): grpc.ServerCredentials {
  if (tls === undefined) {
    return grpc.ServerCredentials.createInsecure();
  }
  const { ca, cert, key } = readFiles(tls);
  return usable(tls, () => grpc.ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], true));
}

function readFiles(tls: TlsFiles): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readPem(tls.caFile), cert: readPem(tls.certFile), key: readPem(tls.keyFile) };
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new TidemarkError('TM-CONFIG-002', `cannot read the TLS file ${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function usable<T>(tls: TlsFiles, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new TidemarkError('TM-CONFIG-001', `the TLS files do not fit together: ${(cause as Error).message}`, {
      hint: `Check ${tls.caFile}, ${tls.certFile} and ${tls.keyFile}.`,
      cause,
    });
  }
}
