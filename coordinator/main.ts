#!/usr/bin/env node
import './rare-heap-search.ts';
import { loadConfig } from '../shared/config/load-config.ts';
import { exitWithError, parseProcessOptions } from '../shared/lifecycle/process-options.ts';
import { runProcess } from '../shared/lifecycle/run-process.ts';
import { createLogger } from '../shared/observability/logger.ts';
import { composeCoordinator } from './compose-coordinator.ts';
import { checkCoordinatorConfig } from './config/check-coordinator-config.ts';
import { coordinatorConfigSchema, type CoordinatorConfig } from './config/coordinator-config.ts';

const PROGRAM = 'tidemark-coordinator';

function readConfig(): CoordinatorConfig {
  try {
    const { configFile, check } = parseProcessOptions(PROGRAM, process.argv.slice(2));
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
    return config;
  } catch (error) {
    return exitWithError(PROGRAM, error);
  }
}

const config = readConfig();
const logger = createLogger({ name: 'coordinator', level: config.log.level });
const closers: (() => Promise<void> | void)[] = [];
await runProcess({
  logger,
  start: () => composeCoordinator(config, logger, closers),
  close: async () => {
    for (const close of closers.reverse()) await close();
  },
});
