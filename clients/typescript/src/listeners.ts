/** Callbacks that do not disturb each other. */

export type Listener<T> = (value: T) => void;

/** What happens with an exception of a callback. */
export type OnListenerError = (error: unknown) => void;

/** Let the error surface as an uncaught one, as the platform does for its own events: the step itself went well. */
export const throwLater: OnListenerError = (error) => {
  queueMicrotask(() => {
    throw error;
  });
};

export class Listeners<T> {
  readonly #listeners = new Set<{ readonly call: Listener<T> }>();

  constructor(private readonly onError: OnListenerError = throwLater) {}

  /** Add a callback, the same one twice if wanted; returns what removes it. */
  add(call: Listener<T>): () => void {
    const entry = { call };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** Call all of them, but for those that one before has removed. */
  tell(value: T): void {
    for (const entry of [...this.#listeners]) {
      if (!this.#listeners.has(entry)) continue;
      try {
        entry.call(value);
      } catch (error) {
        this.onError(error);
      }
    }
  }
}
