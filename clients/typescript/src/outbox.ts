/**
 * Orders and cancels that the picture does not show the outcome of yet.
 *
 * A line can break between an order and its answer, and nobody then knows whether the order arrived. What is kept here
 * is sent again after the next login: the exchange gives the first outcome to an order id that it knows, so nobody
 * is filled twice. What is too old by then is given up instead: an order of long ago may not be wanted any more.
 */

import { QueueFullError } from "./errors.js";
import type { Notice } from "./tree.js";

export interface Pending {
  readonly kind: "insert" | "cancel";
  readonly orderId: string;
  readonly message: Readonly<Record<string, unknown>>;
  /** When it was taken, in ms of the clock that the caller uses. */
  readonly at: number;
}

/** An order or cancel that the exchange did not take: nothing of it was done, and its id may be used again. */
export interface Refused {
  readonly pending: Pending;
  /** Why. */
  readonly notice: Notice;
}

export class Outbox {
  readonly #pending = new Map<string, Pending>();
  /** Those that were sent more than once: a refusal may be of the later sending only. */
  readonly #sentAgain = new Set<string>();

  /** @param max how many are kept. */
  constructor(private readonly max: number) {}

  /** What waits for its outcome, the oldest first. */
  get pending(): readonly Pending[] {
    return [...this.#pending.values()];
  }

  /** Keep one more; the same one again keeps its place. Throws QueueFullError where there are too many. */
  add(pending: Pending): void {
    const key = keyOf(pending);
    if (!this.#pending.has(key) && this.#pending.size >= this.max) {
      throw new QueueFullError(
        `${this.max} orders and cancels wait for their outcome; ${pending.orderId} was not taken`,
      );
    }
    this.#pending.set(key, pending);
  }

  /** What waits, to be sent once more after the line broke. */
  sendAgain(): readonly Pending[] {
    for (const key of this.#pending.keys()) this.#sentAgain.add(key);
    return this.pending;
  }

  /**
   * What a notice of the exchange refused, taken out; undefined where it refuses nothing that waits.
   *
   * An order that was sent again may have been taken the first time: it goes on waiting.
   */
  refusedBy(notice: Notice): Pending | undefined {
    const kind = KINDS[notice.aid ?? ""];
    if (notice.level !== "ERROR" || notice.order_id === undefined || kind === undefined) return undefined;
    const key = `${kind} ${notice.order_id}`;
    const pending = this.#pending.get(key);
    if (pending === undefined || (kind === "insert" && this.#sentAgain.has(key))) return undefined;
    this.#forget(key);
    return pending;
  }

  /** Forget the inserts that the picture shows, and the cancels of orders that are finished in it. */
  settle(isKnown: (orderId: string) => boolean, isFinished: (orderId: string) => boolean): void {
    for (const [key, { kind, orderId }] of this.#pending) {
      if (kind === "insert" ? isKnown(orderId) : isFinished(orderId)) this.#forget(key);
    }
  }

  /** Take out what was taken before this time, and return it. */
  giveUpBefore(time: number): readonly Pending[] {
    const old = this.pending.filter(({ at }) => at < time);
    for (const pending of old) this.#forget(keyOf(pending));
    return old;
  }

  #forget(key: string): void {
    this.#pending.delete(key);
    this.#sentAgain.delete(key);
  }
}

/** What a notice answers, by the message that it names. */
const KINDS: Readonly<Record<string, Pending["kind"]>> = { insert_order: "insert", cancel_order: "cancel" };

function keyOf({ kind, orderId }: Pending): string {
  return `${kind} ${orderId}`;
}
