import { checkReadable, checkServing } from '../../shared/config/check-serving.ts';
import type { AgentConfig } from './agent-config.ts';

/**
 * What can be known of a configuration without doing anything, beyond its schema.
 * @throws TidemarkError TM-CONFIG-001, TM-CONFIG-002
 */
export function checkAgentConfig(config: AgentConfig): void {
  // Nobody is told the address of an agent that only restores: the one who restores names it.
  checkServing(config.restore_only ? { ...config, advertise: config.advertise ?? config.listen } : config);
  checkReadable('postgres.password_file', config.postgres.password_file);
}
