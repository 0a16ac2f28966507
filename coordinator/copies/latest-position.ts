import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';
import { Wakeup } from '../journal/wakeup.ts';

/** A position that grows, sent on as often as the other side takes it: always the newest, each at most once. */
export class LatestPosition {
  readonly #changed = new Wakeup();
  #latest: Lsn = NO_LSN;

  offer(position: Lsn): void {
    if (position <= this.#latest) return;
    this.#latest = position;
    this.#changed.wake();
  }

  /** Sends until the signal is aborted. */
  async sendAll(send: (position: Lsn) => Promise<void>, signal: AbortSignal): Promise<void> {
    let sent: Lsn = NO_LSN;
    while (!signal.aborted) {
      if (this.#latest === sent) {
        await this.#changed.wait(signal);
      } else {
        sent = this.#latest;
        await send(sent);
      }
    }
  }
}
