import type { Lsn } from '../../shared/postgres/lsn.ts';
import type { ChangeSet, WalStreamKey } from '../../shared/wal/change-set.ts';
import { Wakeup } from './wakeup.ts';
import type { WalStore } from './wal-store.ts';

/**
 * Of frames of one stream that may wait to become durable: enough for several syncs of a slow disk, and so little that most of them are gone
 * before V8 takes them for long-lived, which makes it search its whole heap again and again.
 */
export const IN_FLIGHT_BYTES_MAX = 12 * 1024 * 1024;

interface IntakeOptions {
  readonly store: WalStore;
  readonly stream: WalStreamKey;
  readonly segmentBytes: number;
  /** Bytes of frames that may wait to become durable. */
  readonly inFlightBytesMax: number;
  /** The copy's durable position, after each change set that was stored or compared. */
  readonly onDurable: (durableLsn: Lsn) => void;
  /** An append was refused; nothing that is added afterwards will be stored. */
  readonly onFailure: (error: unknown) => void;
}

/** Feeds a WalStore from a stream that is pulled: whoever adds waits while too much is not durable, and so stops reading. */
export class BoundedIntake {
  readonly #options: IntakeOptions;
  readonly #changed = new Wakeup();
  #inFlightBytes = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Resolves when the next one may be added. @throws what an earlier append was refused with */
  async add(changeSet: ChangeSet, signal: AbortSignal): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    void this.#append(changeSet);
    await this.#until(() => this.#inFlightBytes < this.#options.inFlightBytesMax, signal);
  }

  /** Resolves when everything that was added is durable. @throws what an append was refused with */
  async drained(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#inFlightBytes === 0, signal);
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      if (condition()) return;
      signal.throwIfAborted();
      await this.#changed.wait(signal);
    }
  }

  async #append(changeSet: ChangeSet): Promise<void> {
    const { store, stream, segmentBytes, onDurable, onFailure } = this.#options;
    const bytes = changeSet.frame.length;
    this.#inFlightBytes += bytes;
    try {
      await store.append(stream, segmentBytes, changeSet);
      const position = store.position(stream);
      if (position !== null) onDurable(position.durableLsn);
    } catch (error) {
      if (this.#failure === null) {
        this.#failure = { error };
        onFailure(error);
      }
    } finally {
      this.#inFlightBytes -= bytes;
      this.#changed.wake();
    }
  }
}
