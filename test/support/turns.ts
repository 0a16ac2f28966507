/** Gives the index of one of `count` (at least one). */
export type Pick = (count: number) => number;

/** Steps of work that goes on side by side: each waits here until the test lets it go on, so the test decides over their order. */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  take(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets one step after the other go on, until none waits any more. */
  async run(pick: Pick, afterEach: () => void): Promise<void> {
    for (;;) {
      // Whatever goes on without a turn has done so when this returns.
      await new Promise<void>((resolve) => setImmediate(resolve));
      afterEach();
      if (this.#waiting.length === 0) return;
      this.#waiting.splice(pick(this.#waiting.length), 1)[0]?.();
    }
  }
}

/** Runs the same work in every order that its picks allow; returns how many there are. */
export async function inEveryOrder(work: (pick: Pick) => Promise<void>, ordersMax: number): Promise<number> {
  let picked: { index: number; readonly count: number }[] = [];
  for (let orders = 1; orders <= ordersMax; orders++) {
    let at = 0;
    await work((count) => {
      const known = picked[at];
      const choice = known ?? { index: 0, count };
      if (choice.count !== count) throw new Error('the same picks led to something else');
      if (known === undefined) picked.push(choice);
      at += 1;
      return choice.index;
    });
    while (picked.length > 0 && (picked.at(-1)?.index ?? 0) + 1 === picked.at(-1)?.count) picked = picked.slice(0, -1);
    const last = picked.at(-1);
    if (last === undefined) return orders;
    last.index += 1;
  }
  throw new Error(`there are more than ${ordersMax} orders`);
}
