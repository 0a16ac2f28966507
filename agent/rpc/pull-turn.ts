import { TidemarkError } from '../../shared/errors/tidemark-error.ts';

/** The right to stream, until `signal` is aborted; `leave` is called when nothing of the call runs any more. */
export interface Turn {
  readonly signal: AbortSignal;
  leave(): void;
}

interface Current {
  readonly term: bigint;
  readonly controller: AbortController;
  readonly left: Promise<void>;
}

/**
 * One call at a time uses the slot. A newcomer ends the one that is there, unless its term is lower, and waits until that one has left; of
 * several newcomers the last one wins.
 */
export class PullTurn {
  #current: Current | null = null;
  #newest = 0;
  #stopped = false;

  /**
   * @param signal the newcomer's own; its turn ends with it
   * @throws TidemarkError TM-LEAD-002 if another call came after this one, or one with a higher term is there
   */
  async enter(term: bigint, signal: AbortSignal): Promise<Turn> {
    const number = ++this.#newest;
    while (this.#current !== null) {
      if (this.#current.term > term) throw superseded(`term ${this.#current.term} streams already`);
      this.#current.controller.abort(superseded(`another call with term ${term} took its place`));
      await this.#current.left;
      if (number !== this.#newest) throw superseded('a later call took its place');
    }
    if (this.#stopped) throw new TidemarkError('TM-RPC-001', 'the agent is stopping');
    signal.throwIfAborted();
    const controller = new AbortController();
    let resolveLeft = (): void => undefined;
    const left = new Promise<void>((resolve) => {
      resolveLeft = resolve;
    });
    const current: Current = { term, controller, left };
    this.#current = current;
    return {
      signal: AbortSignal.any([signal, controller.signal]),
      leave: () => {
        if (this.#current === current) this.#current = null;
        resolveLeft();
      },
    };
  }

  /** Ends a call of a lower term. */
  endBelow(term: bigint): void {
    if (this.#current !== null && this.#current.term < term) {
      this.#current.controller.abort(superseded(`term ${term} has begun`));
    }
  }

  /** Ends the call that is there, and lets no other one in. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#current?.controller.abort(new TidemarkError('TM-RPC-001', 'the agent is stopping'));
    await this.#current?.left;
  }
}

function superseded(why: string): TidemarkError {
  return new TidemarkError('TM-LEAD-002', `this call may not stream WAL: ${why}`);
}
