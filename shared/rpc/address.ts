import { isIP } from 'node:net';
import { TidemarkError } from '../errors/tidemark-error.ts';

/** Where a process listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`; an IPv6 address stands in brackets.
 * @throws TidemarkError TM-USAGE-001 if the text has another form
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65535 || (match?.[1] !== undefined && isIP(host) !== 6)) {
    throw new TidemarkError('TM-USAGE-001', `${JSON.stringify(text)} is not an address`, {
      hint: 'An address looks like backup1.example:7400, 10.0.0.7:7400 or [fd00::7]:7400.',
    });
  }
  return { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
