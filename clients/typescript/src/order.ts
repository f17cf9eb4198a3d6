/** Orders as a program gives them, and as messages. */

import { isUnsafeKey } from "./json.js";
import type { Direction, Offset } from "./tree.js";

/** An order to be sent. What the exchange's rules judge (tick, band, lots, funds) is judged there. */
export interface NewOrder {
  /** Exchange and contract, such as `SHFE.cu2701`. */
  readonly instrument_id: string;
  readonly direction: Direction;
  readonly offset: Offset;
  /** Lots. */
  readonly volume: number;
  /** Yuan. With a limit price the order is a LIMIT order, without one ANY (at the market), unless `price_type` is given. */
  readonly limit_price?: number;
  readonly price_type?: "LIMIT" | "ANY" | "BEST" | "FIVELEVEL";
  /** GFD, for ANY orders IOC, if it is left out. IOC with volume condition ANY is FAK, with ALL it is FOK. */
  readonly time_condition?: "IOC" | "GFS" | "GFD" | "GTD" | "GTC" | "GFA";
  readonly volume_condition?: "ANY" | "MIN" | "ALL";
  readonly min_volume?: number;
  /** An id of your own, unique for your user for ever; the client makes one if it is left out. */
  readonly order_id?: string;
}

const ID_MAX = 128;

/**
 * The `insert_order` message. Throws RangeError for what JSON or the mirror cannot carry.
 *
 * Its `user_id` is left out: whose order it is, the connection's login says.
 */
export function insertMessage(order: NewOrder): Readonly<Record<string, unknown>> & { readonly order_id: string } {
  const { order_id: orderId = newOrderId(), limit_price: limitPrice, volume } = order;
  checkOrderId(orderId);
  if (!Number.isSafeInteger(volume)) throw new RangeError(`volume must be a whole number of lots, not ${volume}`);
  if (limitPrice !== undefined && !Number.isFinite(limitPrice)) {
    throw new RangeError(`limit_price must be a finite number of yuan, not ${limitPrice}`);
  }
  const priceType = order.price_type ?? (limitPrice === undefined ? "ANY" : "LIMIT");
  return { aid: "insert_order", ...order, order_id: orderId, price_type: priceType };
}

/** The `cancel_order` message. Throws RangeError for an id that no order can have. */
export function cancelMessage(orderId: string): Readonly<Record<string, unknown>> {
  if (orderId.length === 0 || orderId.length > ID_MAX) {
    throw new RangeError(`an order id has 1 to ${ID_MAX} characters, not ${orderId.length}`);
  }
  return { aid: "cancel_order", order_id: orderId };
}

/** An id that no other order has: the time, so that ids sort roughly by it, and 64 random bits. */
export function newOrderId(): string {
  // Not randomUUID: pages that did not come by https lack it.
  const random = crypto.getRandomValues(new Uint32Array(2));
  const digits = [...random].map((number) => number.toString(36).padStart(7, "0"));
  return `${Date.now().toString(36)}-${digits.join("")}`;
}

function checkOrderId(orderId: string): void {
  if (orderId.length === 0 || orderId.length > ID_MAX || orderId.startsWith("~") || isUnsafeKey(orderId)) {
    throw new RangeError(
      `an order id has 1 to ${ID_MAX} characters, does not begin with ~, and is none of __proto__, constructor, ` +
        `prototype; not ${JSON.stringify(orderId.slice(0, ID_MAX))}`,
    );
  }
}
