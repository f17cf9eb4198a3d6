/** Leaves the oldest trades, finished orders and notices out of a tree, so that a long life does not fill the memory. */

import { type Json, type JsonObject, isObject, newObject } from "./json.js";

/**
 * How many of each the mirror keeps; what is left out is unlimited.
 *
 * Leave room for what one step may bring: an order that is finished and pruned in one step is never seen.
 */
export interface Limits {
  /** Trades of each user, the newest. */
  readonly trades?: number;
  /** Orders of each user that are filled, cancelled or rejected, the newest; working orders always stay. */
  readonly finishedOrders?: number;
  /** Notices, the newest. */
  readonly notices?: number;
}

const FINISHED: ReadonlySet<unknown> = new Set(["FILLED", "CANCELLED", "REJECTED"]);

/** Whether an order of either dialect is over. */
export function isFinished(order: unknown): boolean {
  return isObject(order) && FINISHED.has(order.status);
}

/**
 * The tree within the limits; the same one where nothing is too much.
 *
 * What is left out never comes back by a later step: the exchange patches neither trades nor finished orders, but for
 * taking them away. A full step brings them again.
 */
export function prune(tree: JsonObject, limits: Limits): JsonObject {
  let pruned = pruneBook(tree, limits); // the flat dialect has orders and trades at the root
  if (isObject(tree.trade)) {
    const users = mapped(tree.trade, (user) => (isObject(user) ? pruneBook(user, limits) : user));
    pruned = withValue(pruned, "trade", users);
  }
  if (isObject(tree.notify))
    pruned = withValue(
      pruned,
      "notify",
      newest(tree.notify, limits.notices, () => true),
    );
  return pruned;
}

function pruneBook(book: JsonObject, limits: Limits): JsonObject {
  let pruned = book;
  if (isObject(book.trades))
    pruned = withValue(
      pruned,
      "trades",
      newest(book.trades, limits.trades, () => true),
    );
  if (isObject(book.orders)) {
    pruned = withValue(pruned, "orders", newest(book.orders, limits.finishedOrders, isFinished));
  }
  return pruned;
}

/** The rows without the oldest `counts` ones above `max`. */
function newest(rows: JsonObject, max: number | undefined, counts: (row: Json | undefined) => boolean): JsonObject {
  if (max === undefined || Object.keys(rows).length <= max) return rows;
  const counted = Object.keys(rows).filter((key) => counts(rows[key]));
  if (counted.length <= max) return rows;
  const kept = newObject(rows);
  // A stable sort: of equal age, what came first goes first.
  counted.sort((one, other) => age(rows[one]) - age(rows[other]));
  for (const key of counted.slice(0, counted.length - max)) delete kept[key];
  return Object.freeze(kept);
}

/** Rises with the time at which a row came into being; 0 for rows that do not tell, such as notices. */
function age(row: Json | undefined): number {
  if (!isObject(row)) return 0;
  const told = row.seqno ?? row.trade_date_time ?? row.timestamp ?? row.insert_date_time ?? row.update_time;
  return typeof told === "number" ? told : 0;
}

function mapped(rows: JsonObject, change: (row: Json | undefined) => Json | undefined): JsonObject {
  let changed = rows;
  for (const key of Object.keys(rows)) changed = withValue(changed, key, change(rows[key]));
  return changed;
}

function withValue(object: JsonObject, key: string, value: Json | undefined): JsonObject {
  if (object[key] === value || value === undefined) return object;
  const copy = newObject(object);
  copy[key] = value;
  return Object.freeze(copy);
}
