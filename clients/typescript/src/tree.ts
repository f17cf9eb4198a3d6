/**
 * The trees of both dialects, in the words of the wire.
 *
 * Amounts and prices are yuan. A number that does not exist, such as a best ask in an empty book, is an absent field. Servers may
 * add fields.
 */

import type { Path } from "./json.js";

/** `guide` is spoken on `/ws`, `flat` on `/ws/diff`. */
export type Dialect = "guide" | "flat";

export type Direction = "BUY" | "SELL";
/** On SHFE and INE, CLOSE speaks of older lots and CLOSETODAY of today's; elsewhere both close first in, first out. */
export type Offset = "OPEN" | "CLOSE" | "CLOSETODAY";
/** ALIVE rests with nothing filled; the last three are final. */
export type OrderStatus = "PENDING" | "ALIVE" | "PARTIALLY_FILLED" | "FILLED" | "CANCELLED" | "REJECTED";

/** `balance = static_balance + close_profit + position_profit + premium - commission`, in every picture. */
export interface Account {
  readonly user_id: string;
  readonly currency: string;
  readonly pre_balance: number;
  readonly deposit: number;
  readonly withdraw: number;
  readonly static_balance: number;
  readonly close_profit: number;
  /** By date; in the balance. */
  readonly position_profit: number;
  /** By trade, from the open price. */
  readonly float_profit: number;
  readonly commission: number;
  readonly premium: number;
  readonly balance: number;
  readonly margin: number;
  readonly frozen_margin: number;
  readonly frozen_commission: number;
  readonly frozen_premium: number;
  readonly available: number;
  /** margin / balance; absent where there is margin and no balance. */
  readonly risk_ratio?: number;
  /** Whether the operator has suspended the account: new orders and withdrawals are refused. */
  readonly suspended: boolean;
}

/** A flat position stays, with zeros. Volumes are lots. */
export interface Position {
  readonly user_id: string;
  readonly exchange_id: string;
  readonly instrument_id: string;
  readonly volume_long: number;
  readonly volume_long_today: number;
  readonly volume_long_his: number;
  readonly volume_long_frozen: number;
  readonly volume_long_frozen_today: number;
  readonly volume_long_frozen_his: number;
  readonly volume_short: number;
  readonly volume_short_today: number;
  readonly volume_short_his: number;
  readonly volume_short_frozen: number;
  readonly volume_short_frozen_today: number;
  readonly volume_short_frozen_his: number;
  readonly open_price_long?: number;
  readonly open_price_short?: number;
  readonly open_cost_long: number;
  readonly open_cost_short: number;
  readonly position_price_long?: number;
  readonly position_price_short?: number;
  readonly position_cost_long: number;
  readonly position_cost_short: number;
  readonly float_profit: number;
  readonly float_profit_long: number;
  readonly float_profit_short: number;
  readonly position_profit: number;
  readonly position_profit_long: number;
  readonly position_profit_short: number;
  readonly margin: number;
  readonly margin_long: number;
  readonly margin_short: number;
  readonly last_price?: number;
}

interface OrderCore {
  readonly user_id: string;
  readonly order_id: string;
  /** The exchange's number; empty for a rejected order. */
  readonly exchange_order_id: string;
  readonly exchange_id: string;
  /** Exchange and contract, such as `SHFE.cu2701`. */
  readonly instrument_id: string;
  readonly direction: Direction;
  readonly offset: Offset;
  readonly price_type: string;
  readonly time_condition: string;
  readonly volume_condition: string;
  readonly status: OrderStatus;
  /** What happened, in words. */
  readonly last_msg: string;
  readonly frozen_margin: number;
  /** The place in the log of the event that brought it. */
  readonly seqno: number;
}

export interface GuideOrder extends OrderCore {
  readonly limit_price?: number;
  /** Lots ordered; the wire spells it so. */
  readonly volume_orign: number;
  readonly volume_left: number;
  /** Milliseconds since 1970 UTC. */
  readonly insert_date_time: number;
}

export interface FlatOrder extends OrderCore {
  readonly price?: number;
  readonly volume: number;
  readonly filled_volume: number;
  readonly remaining_volume: number;
  /** Nanoseconds since 1970 UTC; JavaScript's numbers round them to 256 ns. */
  readonly insert_time: number;
  /** Nanoseconds, likewise. */
  readonly update_time: number;
}

interface TradeCore {
  readonly user_id: string;
  /** The exchange's trade number and the side: `17B`, `17S`. */
  readonly trade_id: string;
  readonly order_id: string;
  readonly exchange_trade_id: string;
  readonly exchange_id: string;
  readonly instrument_id: string;
  readonly direction: Direction;
  readonly offset: Offset;
  readonly price: number;
  readonly volume: number;
  readonly commission: number;
  readonly seqno: number;
}

export interface GuideTrade extends TradeCore {
  /** Milliseconds since 1970 UTC. */
  readonly trade_date_time: number;
}

export interface FlatTrade extends TradeCore {
  /** Nanoseconds since 1970 UTC; JavaScript's numbers round them to 256 ns. */
  readonly timestamp: number;
}

type Rank = 1 | 2 | 3 | 4 | 5;
type Levels = { readonly [Field in `${"bid" | "ask"}_${"price" | "volume"}${Rank}`]?: number };

export interface Quote extends Levels {
  readonly instrument_id: string;
  readonly exchange_id: string;
  readonly price_tick: number;
  /** Decimals needed to write a price. */
  readonly price_decs: number;
  readonly volume_multiple: number;
  /** The time in China: `2026-11-20 10:15:00.500000`. */
  readonly datetime?: string;
  readonly last_price?: number;
  readonly open?: number;
  readonly highest?: number;
  readonly lowest?: number;
  readonly average?: number;
  readonly pre_settlement?: number;
  readonly upper_limit?: number;
  readonly lower_limit?: number;
  readonly volume?: number;
  readonly amount?: number;
  readonly open_interest?: number;
}

/** Programs look at the code, people at the content. */
export interface Notice {
  readonly type: string;
  readonly level: "INFO" | "WARNING" | "ERROR";
  readonly code: number;
  readonly content: string;
  /** Where the notice answers a message about an order: which message, */
  readonly aid?: string;
  /** and which order. */
  readonly order_id?: string;
}

/** Rows by their id. */
export interface Rows<Row> {
  readonly [id: string]: Row | undefined;
}

interface ConnectionTree {
  readonly quotes?: Rows<Quote>;
  readonly notify?: Rows<Notice>;
  /** The subscription in force, names separated by commas. */
  readonly ins_list?: string;
}

export interface GuideTree extends ConnectionTree {
  readonly trade?: Rows<{
    readonly accounts?: Rows<Account>;
    readonly positions?: Rows<Position>;
    readonly orders?: Rows<GuideOrder>;
    readonly trades?: Rows<GuideTrade>;
  }>;
}

export interface FlatTree extends ConnectionTree {
  readonly accounts?: Rows<Account>;
  readonly positions?: Rows<Position>;
  readonly orders?: Rows<FlatOrder>;
  readonly trades?: Rows<FlatTrade>;
}

/** What the dialects word differently. */
interface Words {
  readonly guide: { readonly order: GuideOrder; readonly trade: GuideTrade; readonly tree: GuideTree };
  readonly flat: { readonly order: FlatOrder; readonly trade: FlatTrade; readonly tree: FlatTree };
}

export type Order<D extends Dialect = Dialect> = Words[D]["order"];
export type Trade<D extends Dialect = Dialect> = Words[D]["trade"];
export type Tree<D extends Dialect = Dialect> = Words[D]["tree"];

/** The parts of a user's picture. */
export type Part = "account" | "positions" | "orders" | "trades";

/** Where a part of a user's picture is in the tree. */
export function pathOf(dialect: Dialect, user: string, part: Part): Path {
  if (dialect === "guide") return part === "account" ? ["trade", user, "accounts", "CNY"] : ["trade", user, part];
  return part === "account" ? ["accounts", user] : [part];
}
