/** How long to wait before the next attempt: exponential, with full jitter, so that many clients do not come at once. */

export interface BackoffOptions {
  /** Ceiling of the first wait, in ms; it doubles with each failed attempt. */
  readonly baseMs: number;
  /** Ceiling of every wait, in ms. */
  readonly maxMs: number;
  /** Ceiling at least, in ms, where the server objected to something; of that wait, half is never cut short. */
  readonly carefulMs: number;
}

export const BACKOFF: BackoffOptions = { baseMs: 500, maxMs: 30_000, carefulMs: 10_000 };

/** When a server wants to see a client again: soon, whatever failed before; as usual; or not soon. */
export type Haste = "soon" | "usual" | "careful";

/**
 * What a close code asks of a client that comes back.
 *
 * 1012: the server restarts, come back soon. 1003, 1007, 1008, 1009: it objected to what was sent; 1013: it is overloaded.
 */
export function hasteOf(code: number): Haste {
  if (code === 1012) return "soon";
  return [1003, 1007, 1008, 1009, 1013].includes(code) ? "careful" : "usual";
}

export class Backoff {
  #failed = 0;

  /** @param random gives numbers in [0, 1) */
  constructor(
    private readonly options: BackoffOptions = BACKOFF,
    private readonly random: () => number = Math.random,
  ) {}

  /** Attempts that failed in a row. */
  get failed(): number {
    return this.#failed;
  }

  /** The connection proved good: the next wait is a first one again. */
  succeeded(): void {
    this.#failed = 0;
  }

  /** Milliseconds to wait before the next attempt. */
  next(haste: Haste): number {
    if (haste === "soon") this.#failed = 0;
    const { baseMs, maxMs, carefulMs } = this.options;
    const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(this.#failed, 30));
    this.#failed += 1;
    if (haste !== "careful") return this.random() * ceiling;
    const careful = Math.max(ceiling, carefulMs);
    return careful / 2 + (this.random() * careful) / 2;
  }
}
