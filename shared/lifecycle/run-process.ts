import { asTidemarkError } from '../errors/as-tidemark-error.ts';
import type { Logger } from '../observability/logger.ts';
import { systemClock } from './clock.ts';
import { expectManyListeners } from './expect-many-listeners.ts';
import { runServices } from './run-services.ts';
import type { Service } from './service.ts';
import { systemdNotifier } from './systemd-notify.ts';

export const STOP_TIMEOUT_MS = 10_000;

export interface ProcessSettings {
  readonly logger: Logger;
  /**
   * Opens what the process needs and returns its services in order of dependency. When it resolves the process is ready
   * (addresses are listened on). The signal is aborted when the process is told to stop meanwhile.
   */
  readonly start: (signal: AbortSignal) => Promise<readonly Service[]>;
  /** Puts down what `start` opened, also after a failure; within the same time limit as the services' end. */
  readonly close?: () => Promise<void>;
}

/**
 * The life of a process: started, ready, run until SIGTERM or SIGINT, services stopped in reverse order within 10 s. The
 * process ends here, with code 0 after a signal, else with the failure's exit code. A second signal ends it at once.
 */
export async function runProcess(settings: ProcessSettings): Promise<never> {
  const { logger } = settings;
  expectManyListeners();
  const systemd = systemdNotifier(process.env);
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      logger.warn({ signal: name }, 'second signal: ending at once');
      process.exit(1);
    }
    logger.info({ signal: name }, 'stopping');
    systemd.stopping();
    stop.abort(new DOMException(`received ${name}`, 'AbortError'));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  const onDefect = (error: unknown) => {
    logger.fatal({ err: error }, 'a defect: nobody handled this error');
    process.exit(1);
  };
  process.on('uncaughtException', onDefect);
  process.on('unhandledRejection', onDefect);

  let exitCode = 0;
  try {
    const services = await settings.start(stop.signal);
    systemd.ready();
    systemd.startWatchdog();
    logger.info({ services: services.map(({ name }) => name) }, 'ready');
    await runServices({
      services,
      signal: stop.signal,
      clock: systemClock,
      stopTimeoutMs: STOP_TIMEOUT_MS - 1_000,
      onFailure: (service, error) => {
        logger.error({ err: error, service: service.name }, 'a service cannot go on: stopping');
      },
    });
  } catch (error) {
    if (!(stop.signal.aborted && error === stop.signal.reason)) {
      logger.fatal({ err: error }, 'cannot go on');
      exitCode = asTidemarkError(error).exitCode;
    }
  }
  try {
    const late = systemClock.sleep(1_000).then(() => {
      logger.warn('not everything was put down in time');
    });
    await Promise.race([settings.close?.(), late]);
  } catch (error) {
    logger.error({ err: error }, 'could not put everything down');
    exitCode ||= 1;
  }
  systemd.close();
  logger.info({ exitCode }, 'stopped');
  process.exit(exitCode);
}
