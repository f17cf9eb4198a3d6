/** Trade on a Chronex exchange: a client that stays connected, and the mirror that it leads on. */

export { BACKOFF, type BackoffOptions } from "./backoff.js";
export { ChronexClient } from "./client.js";
export {
  CONNECTION_TIMING,
  type ConnectionTiming,
  type WebSocketConstructor,
  type WebSocketLike,
} from "./connection.js";
export { ClosedError, LoginError, MirrorError, QueueFullError, RestError, TimeoutError } from "./errors.js";
export type { Step } from "./frame.js";
export type { Json, JsonObject, Path } from "./json.js";
export type { Status } from "./line.js";
export type { OnListenerError } from "./listeners.js";
export { mergePatch } from "./merge.js";
export { type Change, Mirror, type MirrorOptions } from "./mirror.js";
export type { ClientOptions, Login } from "./options.js";
export { type NewOrder, newOrderId } from "./order.js";
export type { Pending, Refused } from "./outbox.js";
export { isFinished, type Limits } from "./prune.js";
export { logIn, logOut, takeTicket, type Token } from "./rest.js";
export { pathOf } from "./tree.js";
export type {
  Account,
  Dialect,
  Direction,
  FlatOrder,
  FlatTrade,
  FlatTree,
  GuideOrder,
  GuideTrade,
  GuideTree,
  Notice,
  Offset,
  Order,
  OrderStatus,
  Part,
  Position,
  Quote,
  Rows,
  Trade,
  Tree,
} from "./tree.js";
export type { Truthful } from "./waiting.js";
