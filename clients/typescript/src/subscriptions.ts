/** Who watches which instruments: the exchange knows one list for a connection, a program has many who ask. */

/** The most instruments that the exchange takes on one connection. */
export const SUBSCRIPTIONS_MAX = 1_000;

export class Subscriptions {
  readonly #watchers = new Map<string, number>();

  /** The list as the exchange takes it. */
  get insList(): string {
    return [...this.#watchers.keys()].join(",");
  }

  /** Watch these; returns what ends it. Throws RangeError for a name that can be none, or where there are too many. */
  add(instruments: readonly string[]): () => void {
    const wanted = new Set(instruments);
    for (const name of wanted) {
      if (!/^[^\s,]{1,128}$/.test(name)) throw new RangeError(`${JSON.stringify(name)} is no name of an instrument`);
    }
    const total = new Set([...this.#watchers.keys(), ...wanted]).size;
    if (total > SUBSCRIPTIONS_MAX) {
      throw new RangeError(`${total} instruments, where ${SUBSCRIPTIONS_MAX} can be watched`);
    }
    for (const name of wanted) this.#watchers.set(name, (this.#watchers.get(name) ?? 0) + 1);
    return () => {
      for (const name of wanted) this.#release(name);
      wanted.clear(); // ending twice is ending once
    };
  }

  #release(name: string): void {
    const watchers = (this.#watchers.get(name) ?? 0) - 1;
    if (watchers > 0) this.#watchers.set(name, watchers);
    else this.#watchers.delete(name);
  }
}
