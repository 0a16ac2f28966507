import { TidemarkError } from '../errors/tidemark-error.ts';
import type { Clock } from './clock.ts';
import type { Service } from './service.ts';

export interface RunServicesSettings {
  /** In order of dependency: the last one is stopped first. */
  readonly services: readonly Service[];
  /** Stops everything. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** For all of them together. */
  readonly stopTimeoutMs: number;
  /** Called when the first service has failed, before the others are stopped. */
  readonly onFailure?: (service: Service, error: unknown) => void;
}

/**
 * Runs all services until `signal` is aborted or one of them ends by itself; then stops them one after the other, the last one
 * first, each only after its followers have ended: so nobody loses what it stands on.
 * @throws the first failure; TM-INTERNAL-001 if a service ended unasked or did not stop in time
 */
export async function runServices(settings: RunServicesSettings): Promise<void> {
  const { clock, signal, stopTimeoutMs } = settings;
  let failure: { readonly error: unknown } | null = null;
  const fail = (service: Service, error: unknown) => {
    if (failure === null) {
      failure = { error };
      settings.onFailure?.(service, error);
    }
  };
  const ending = new AbortController();
  const running = settings.services.map((service) => {
    const controller = new AbortController();
    const work = async () => {
      try {
        await service.run(controller.signal);
        if (!controller.signal.aborted) {
          fail(service, new TidemarkError('TM-INTERNAL-001', `${service.name} ended although nobody asked it to`));
        }
      } catch (error) {
        // What an abort makes a service throw is its end, not its failure.
        if (!controller.signal.aborted || !isReason(error, controller.signal)) {
          fail(service, error);
        }
      } finally {
        ending.abort();
      }
    };
    return { service, controller, ended: work() };
  });

  if (running.length > 0) {
    await aborted(AbortSignal.any([signal, ending.signal]));
  }

  const deadline = new AbortController();
  const timedOut = clock.sleep(stopTimeoutMs, deadline.signal).then(
    () => 'late' as const,
    () => 'stopped' as const,
  );
  try {
    for (const { service, controller, ended } of running.reverse()) {
      controller.abort(new DOMException(`${service.name} was told to stop`, 'AbortError'));
      if ((await Promise.race([ended, timedOut])) === 'late') {
        throw new TidemarkError('TM-INTERNAL-001', `${service.name} did not stop within ${stopTimeoutMs} ms`);
      }
    }
  } finally {
    deadline.abort();
  }
  const failed = failure as { readonly error: unknown } | null;
  if (failed !== null) {
    throw failed.error;
  }
}

function isReason(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError');
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    await new Promise<void>((resolve) => {
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
    });
  }
}
