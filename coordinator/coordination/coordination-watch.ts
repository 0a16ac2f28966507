import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Coordination } from './coordination.ts';

const INTERVAL_MS = 1000;

interface CoordinationWatchOptions {
  readonly coordination: Coordination;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onLeaderChange: () => void;
}

/** Says in the log when the coordination service goes away and comes back, and counts changes of leader. */
export class CoordinationWatch implements Service {
  readonly name = 'coordination-watch';
  readonly #options: CoordinationWatchOptions;

  constructor(options: CoordinationWatchOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { coordination, clock, logger, onLeaderChange } = this.#options;
    let term = coordination.leader()?.term ?? 0n;
    const endChanges = coordination.onChange(() => {
      const leader = coordination.leader();
      if (leader !== null && leader.term !== term) {
        term = leader.term;
        onLeaderChange();
      }
    });
    let reachable: boolean | null = null;
    while (!signal.aborted) {
      await clock.sleep(INTERVAL_MS, signal).catch(() => undefined);
      const now = coordination.reachable();
      if (now !== reachable && !signal.aborted) {
        if (now) {
          logger.info({ kind: coordination.kind }, 'the coordination service answers');
        } else {
          logger.warn(
            { kind: coordination.kind, reason: coordination.problem() },
            'the coordination service does not answer: no names can be written',
          );
        }
        reachable = now;
      }
    }
    endChanges();
  }
}
