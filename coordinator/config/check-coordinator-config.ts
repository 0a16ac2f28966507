import { checkReadable, checkServing } from '../../shared/config/check-serving.ts';
import type { CoordinatorConfig } from './coordinator-config.ts';

/**
 * What can be known of a configuration without doing anything, beyond its schema.
 * @throws TidemarkError TM-CONFIG-001, TM-CONFIG-002
 */
export function checkCoordinatorConfig(config: CoordinatorConfig): void {
  checkServing(config);
  const { tls, password_file } = config.coordination;
  checkReadable('coordination.tls.ca_file', tls?.ca_file);
  checkReadable('coordination.tls.cert_file', tls?.cert_file);
  checkReadable('coordination.tls.key_file', tls?.key_file);
  checkReadable('coordination.password_file', password_file);
}
