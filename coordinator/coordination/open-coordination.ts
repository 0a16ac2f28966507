import { readFileSync } from 'node:fs';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { CoordinatorConfig } from '../config/coordinator-config.ts';
import type { Coordination, CoordinatorInfo } from './coordination.ts';
import { EmbeddedCoordination } from './embedded-coordination.ts';
import { EtcdCoordination } from './etcd-coordination.ts';

const CALL_TIMEOUT_MS = 3_000;

interface CoordinationSettings {
  readonly config: CoordinatorConfig;
  readonly self: CoordinatorInfo;
  readonly clock: Clock;
}

/**
 * The coordination that the configuration names; not started yet.
 * @throws TidemarkError TM-CONFIG-002 if a file that it names cannot be read
 */
export function openCoordination({ config, self, clock }: CoordinationSettings): Coordination {
  const { kind, directory, endpoints, prefix, lease_ttl, tls, user, password_file } = config.coordination;
  if (kind === 'embedded') {
    return new EmbeddedCoordination({ self, directory: directory ?? '' });
  }
  return new EtcdCoordination({
    self,
    cluster: config.cluster,
    prefix,
    leaseTtlMs: lease_ttl,
    clock,
    access: {
      endpoints,
      callTimeoutMs: CALL_TIMEOUT_MS,
      ...(tls === undefined
        ? {}
        : {
            tls: {
              ca: readConfigured('tls.ca_file', tls.ca_file),
              ...(tls.cert_file === undefined ? {} : { cert: readConfigured('tls.cert_file', tls.cert_file) }),
              ...(tls.key_file === undefined ? {} : { key: readConfigured('tls.key_file', tls.key_file) }),
            },
          }),
      ...(user === undefined || password_file === undefined
        ? {}
        : { auth: { username: user, password: passwordFrom(password_file) } }),
    },
  });
}

function passwordFrom(file: string): string {
  return readConfigured('password_file', file)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

function readConfigured(key: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new TidemarkError('TM-CONFIG-002', `coordination.${key}: cannot read ${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
