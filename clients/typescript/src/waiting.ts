/** Waits for something that callbacks tell of. */

import { TimeoutError } from "./errors.js";

/** What a condition gives once it holds. */
export type Truthful<T> = Exclude<T, undefined | null | false>;

/** What a wait needs to know of the one who waits. */
export interface Surroundings {
  /** Call this whenever the condition may have changed; returns what ends it. */
  watch(ask: () => void): () => void;
  /** Why nothing will change any more; undefined as long as something may. */
  whyOver(): Error | undefined;
}

/**
 * Resolve with what `condition` gives once that is other than undefined, null and false.
 *
 * Rejects with TimeoutError after `timeoutMs` (undefined: never), with `whyOver()` where nothing will change, and with what
 * the condition throws. Nothing is left behind in any case.
 */
export function until<T>(
  condition: () => T,
  timeoutMs: number | undefined,
  surroundings: Surroundings,
): Promise<Truthful<T>> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isDone = false;
    const end = surroundings.watch(() => ask());
    const done = (settle: () => void): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      end();
      settle();
    };
    const ask = (): void => {
      try {
        const answer = condition();
        const over = surroundings.whyOver();
        if (holds(answer)) done(() => resolve(answer));
        else if (over !== undefined) done(() => reject(over));
      } catch (error) {
        done(() => reject(error));
      }
    };
    ask();
    if (isDone || timeoutMs === undefined) return;
    timer = setTimeout(() => {
      done(() => reject(new TimeoutError(`not within ${timeoutMs} ms: ${String(condition).slice(0, 200)}`)));
    }, timeoutMs);
  });
}

function holds<T>(answer: T): answer is Truthful<T> {
  return answer !== undefined && answer !== null && answer !== false;
}
