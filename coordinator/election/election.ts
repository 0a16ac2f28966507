import { asTidemarkError } from '../../shared/errors/as-tidemark-error.ts';
import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import { Backoff } from '../../shared/lifecycle/retry.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import { untilAborted } from '../../shared/lifecycle/until-aborted.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Coordination, Leadership } from '../coordination/coordination.ts';
import type { TermStore } from '../../shared/term/term-store.ts';
import type { LeaderDuty } from './leader-duty.ts';

/** A leadership that lasted this long was a good one: what failed before it is forgotten. */
const GOOD_LEADERSHIP_MS = 60_000;
const DEFAULT_STAND_BACK_MS = 2_000;
const DEFAULT_DUTY_STOP_MS = 15_000;

interface ElectionOptions {
  readonly coordination: Coordination;
  readonly terms: TermStore;
  /** Started in this order, all side by side. */
  readonly duties: readonly LeaderDuty[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** After a leadership this coordinator does not stand for so long, so that another one takes over. */
  readonly standBackMs?: number;
  /** For all duties to end after a leadership; longer than that, the process ends instead. */
  readonly dutyStopMs?: number;
  /** For the metric of errors by code. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Stands for leader again and again, and runs the duties for as long as each leadership lasts. A term is on the own disk before
 * any duty acts in it. All duties of one leadership have ended before the next campaign begins. A duty that fails gives
 * the leadership up, after which this coordinator stands back for longer and longer: better another leader than one that leads
 * and does not do all of it.
 */
export class Election implements Service {
  readonly name = 'election';
  readonly #options: ElectionOptions;
  readonly #failures: Backoff;
  #leadership: Leadership | null = null;
  #standBackMs = 0;

  constructor(options: ElectionOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#failures = new Backoff({ clock, random, initialMs: this.#standBack * 2, maxMs: 60_000 });
  }

  /** This coordinator's own leadership, while its duties run; null while it does not lead. */
  current(): Leadership | null {
    return this.#leadership !== null && !this.#leadership.signal.aborted ? this.#leadership : null;
  }

  /** @throws TidemarkError TM-LEAD-001 if this coordinator does not lead */
  async resign(): Promise<void> {
    const leadership = this.current();
    if (leadership === null) {
      throw new TidemarkError('TM-LEAD-001', 'this coordinator does not lead');
    }
    await leadership.resign();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { coordination, terms, clock, logger } = this.#options;
    const endRaised = terms.onRaised((term) => this.#leadership?.notifyHigherTerm(term));
    const endChanges = coordination.onChange(() => {
      const leader = coordination.leader();
      if (leader !== null && leader.term > terms.highest) {
        logger.info({ leader: leader.coordinatorId, term: leader.term.toString() }, 'a leader was elected');
        terms.observe(leader.term).catch((error: unknown) => this.#report(error, 'a term cannot be written down'));
      }
    });
    try {
      while (!signal.aborted) {
        if (this.#standBackMs > 0) {
          await clock.sleep(this.#standBackMs, signal);
          this.#standBackMs = 0;
        }
        const leadership = await coordination.campaign({ termMin: terms.highest, signal });
        await this.#lead(leadership, signal);
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    } finally {
      endRaised();
      endChanges();
    }
  }

  get #standBack(): number {
    return this.#options.standBackMs ?? DEFAULT_STAND_BACK_MS;
  }

  async #lead(leadership: Leadership, stop: AbortSignal): Promise<void> {
    const { terms, duties, clock, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    const term = leadership.term.toString();
    const over = new AbortController();
    const running: Promise<void>[] = [];
    this.#leadership = leadership;
    try {
      await terms.observe(leadership.term);
      logger.info({ term, duties: duties.map(({ name }) => name) }, 'leading');
      for (const duty of duties) {
        running.push(this.#perform(duty, leadership, over.signal));
      }
      await untilAborted(stop, leadership.signal);
    } catch (error) {
      this.#report(error, 'this coordinator cannot lead');
      this.#failed();
    }
    const reason: unknown = leadership.signal.aborted ? leadership.signal.reason : stop.reason;
    over.abort(reason);
    logger.info({ term, reason: reason instanceof Error ? reason.message : undefined }, 'leading no more');
    try {
      await this.#allEnded(running);
    } finally {
      await leadership.resign();
      this.#leadership = null;
    }
    // Whoever has just lost or given up the leadership is not the best to have it next.
    this.#standBackMs = Math.max(this.#standBackMs, this.#standBack);
    if (clock.monotonicMs() - startedMs > GOOD_LEADERSHIP_MS) {
      this.#failures.reset();
    }
  }

  /** Runs one duty; never rejects. One that ends before it was told to ends the leadership. */
  async #perform(duty: LeaderDuty, leadership: Leadership, over: AbortSignal): Promise<void> {
    let failure: unknown;
    try {
      await duty.run(leadership, over);
      if (over.aborted || leadership.signal.aborted) {
        return;
      }
      failure = new TidemarkError('TM-INTERNAL-001', `the duty ${duty.name} ended although nobody asked it to`);
    } catch (error) {
      if (over.aborted || leadership.signal.aborted) {
        if (error !== over.reason && error !== leadership.signal.reason) {
          this.#options.logger.debug({ err: error, duty: duty.name }, 'a duty ended with an error');
        }
        return;
      }
      failure = error;
    }
    this.#report(failure, `the duty ${duty.name} failed: giving the leadership up`);
    this.#failed();
    await leadership.resign();
  }

  /** @throws TidemarkError TM-INTERNAL-001 if a duty goes on and on: this process must not lead, nor wait for ever */
  async #allEnded(running: readonly Promise<void>[]): Promise<void> {
    const { clock, dutyStopMs = DEFAULT_DUTY_STOP_MS } = this.#options;
    const ended = new AbortController();
    const late = clock.sleep(dutyStopMs, ended.signal).then(
      () => true,
      () => false,
    );
    const isLate = await Promise.race([late, Promise.all(running).then(() => false)]);
    ended.abort();
    if (isLate) {
      throw new TidemarkError('TM-INTERNAL-001', `a duty did not end within ${dutyStopMs} ms of its leadership`);
    }
  }

  #failed(): void {
    this.#standBackMs = Math.max(this.#standBackMs, this.#failures.nextMs());
  }

  #report(error: unknown, what: string): void {
    this.#options.logger.error({ err: error, code: asTidemarkError(error).code }, what);
    this.#options.onError?.(error);
  }
}
