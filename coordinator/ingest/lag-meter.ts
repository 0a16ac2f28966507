import { NO_LSN, type Lsn } from '../../shared/postgres/lsn.ts';

const SAMPLES_MAX = 512;

/** How far something lags behind a server's WAL: in bytes, and in time since the server first had what is still missing. */
export class LagMeter {
  /** Positions that the server was seen at, with the first moment for each; increasing. */
  #samples: { readonly lsn: Lsn; readonly atMs: number }[] = [];
  #serverLsn: Lsn = NO_LSN;

  /** @param atMs on a monotonic scale */
  seen(serverLsn: Lsn, atMs: number): void {
    if (serverLsn <= this.#serverLsn) return;
    this.#serverLsn = serverLsn;
    // Where there are too many, every other one goes: the lag becomes coarser, never smaller than it is.
    if (this.#samples.length >= SAMPLES_MAX) this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#samples.push({ lsn: serverLsn, atMs });
  }

  /** The server's highest position that was seen. */
  get serverLsn(): Lsn {
    return this.#serverLsn;
  }

  /** Everything up to `reachedLsn` is there: it need not be measured any more. */
  reached(reachedLsn: Lsn): void {
    const first = this.#samples.findIndex(({ lsn }) => lsn > reachedLsn);
    this.#samples = first === -1 ? [] : this.#samples.slice(first);
  }

  bytes(reachedLsn: Lsn): number {
    return this.#serverLsn > reachedLsn ? Number(this.#serverLsn - reachedLsn) : 0;
  }

  ms(reachedLsn: Lsn, nowMs: number): number {
    const oldest = this.#samples.find(({ lsn }) => lsn > reachedLsn);
    return oldest === undefined ? 0 : Math.max(0, nowMs - oldest.atMs);
  }
}
