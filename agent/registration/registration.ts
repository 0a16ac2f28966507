import { TidemarkError } from '../../shared/errors/tidemark-error.ts';
import type { Clock } from '../../shared/lifecycle/clock.ts';
import type { Service } from '../../shared/lifecycle/service.ts';
import type { Logger } from '../../shared/observability/logger.ts';
import type { Instance } from '../../shared/postgres/instance.ts';
import { openChannel, type Channel } from '../../shared/rpc/channel.ts';
import { instanceToMessage } from '../../shared/rpc/instance-codec.ts';
import { callUnary } from '../../shared/rpc/streams.ts';
import type { TlsFiles } from '../../shared/rpc/tls.ts';

export interface RegistrationSettings {
  /** Of coordinators, tried in turn; at least one. */
  readonly addresses: readonly string[];
  readonly tls?: TlsFiles | undefined;
  readonly describe: () => Promise<Instance>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const CALL_TIMEOUT_MS = 5_000;
const RETRY_INTERVAL_MS = 1_000;
const HEARTBEAT_MIN_MS = 100;
const HEARTBEAT_MAX_MS = 60_000;

/**
 * Keeps the agent known: calls one coordinator as often as it asks for, and the next one when that fails. Which of them leads does not
 * matter, since each passes a registration on.
 */
export class Registration implements Service {
  readonly name = 'registration';
  readonly #settings: RegistrationSettings;
  #channel: Channel | null = null;
  #index = 0;
  #registered = false;
  /** The last refusal that was said, so that the log is not filled with it. */
  #refusal = '';

  constructor(settings: RegistrationSettings) {
    this.#settings = settings;
  }

  /** Whether the last call succeeded. */
  get registered(): boolean {
    return this.#registered;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { addresses, clock } = this.#settings;
    try {
      for (let failures = 0; !signal.aborted;) {
        const intervalMs = await this.#register(signal);
        failures = intervalMs === null ? failures + 1 : 0;
        if (intervalMs === null && failures % addresses.length !== 0) continue;
        await clock.sleep(intervalMs ?? RETRY_INTERVAL_MS, signal).catch(() => undefined);
      }
    } finally {
      this.#channel?.close();
    }
  }

  /** One heartbeat. Milliseconds until the next one is due; null if it failed. */
  async #register(signal: AbortSignal): Promise<number | null> {
    const { addresses, tls, describe, logger } = this.#settings;
    const address = addresses[this.#index % addresses.length];
    if (address === undefined) throw new TidemarkError('TM-CONFIG-001', 'coordinators: at least one address is needed');
    try {
      const instance = instanceToMessage(await describe());
      this.#channel ??= openChannel(address, { tls });
      const response = await callUnary(
        this.#channel.registry,
        'Register',
        { instance, forwarded: false },
        { deadlineMs: CALL_TIMEOUT_MS, signal },
      );
      if (!this.#registered) logger.info({ coordinator: address, leader: response?.leaderId }, 'registered');
      this.#registered = true;
      this.#refusal = '';
      return Math.min(Math.max(response?.heartbeatIntervalMs ?? 0, HEARTBEAT_MIN_MS), HEARTBEAT_MAX_MS);
    } catch (error) {
      if (signal.aborted) return null;
      const refusal = error instanceof Error ? error.message : String(error);
      const level = refusal === this.#refusal ? 'debug' : 'warn';
      logger[level]({ err: error, coordinator: address }, 'this coordinator does not take the registration');
      this.#refusal = refusal;
      this.#registered = false;
      this.#channel?.close();
      this.#channel = null;
      this.#index += 1;
      return null;
    }
  }
}
