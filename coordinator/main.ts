#!/usr/bin/env node
import './rare-heap-search.ts';
import { loadConfig } from '../shared/config/load-config.ts';
import { exitWithError, parseProcessOptions } from '../shared/lifecycle/process-options.ts';
import { runProcess } from '../shared/lifecycle/run-process.ts';
import { createLogger } from '../shared/observability/logger.ts';
import { composeCoordinator } from './compose-coordinator.ts';
import { checkCoordinatorConfig } from './config/check-coordinator-config.ts';
import { coordinatorConfigSchema, type CoordinatorConfig } from './config/coordinator-config.ts';
import { makeNewRepository } from './own-repository.ts';

const PROGRAM = 'tidemark-coordinator';

const NEW_REPOSITORY = 'new-repository';

async function readConfig(): Promise<CoordinatorConfig> {
  try {
    const { configFile, check, flags } = parseProcessOptions(PROGRAM, process.argv.slice(2), {
      [NEW_REPOSITORY]: 'make the empty repository at repository.path, and end',
    });
    const config = loadConfig({
      schema: coordinatorConfigSchema,
      file: configFile ?? undefined,
      environment: process.env,
    });
    checkCoordinatorConfig(config);
    if (check) {
      process.stdout.write('The configuration is right.\n');
      process.exit(0);
    }
    if (flags.has(NEW_REPOSITORY)) {
      process.stdout.write(`${await makeNewRepository(config)} is a new, empty repository.\n`);
      process.exit(0);
    }
    return config;
  } catch (error) {
    return exitWithError(PROGRAM, error);
  }
}

const config = await readConfig();
const logger = createLogger({ name: 'coordinator', level: config.log.level });
const closers: (() => Promise<void> | void)[] = [];
await runProcess({
  logger,
  start: (signal) => composeCoordinator(config, logger, closers, signal),
  close: async () => {
    for (const close of closers.reverse()) await close();
  },
});
