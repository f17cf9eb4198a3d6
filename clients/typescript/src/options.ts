/** How a client is set up. */

import { socketUrl } from "./address.js";
import { BACKOFF, type BackoffOptions } from "./backoff.js";
import { CONNECTION_TIMING, type ConnectionTiming, type WebSocketConstructor } from "./connection.js";
import type { OnListenerError } from "./listeners.js";
import type { Limits } from "./prune.js";
import type { Dialect } from "./tree.js";

/**
 * Who logs in, and by what.
 *
 * A token (from `logIn`) costs the exchange no password hashing, so that thousands may come back at once. A ticket stands
 * in the address and serves one connection, so the client asks for a fresh one each time.
 */
export type Login =
  | { readonly userName: string; readonly password: string }
  | { readonly userName: string; readonly token: string }
  | { readonly userName: string; readonly ticket: () => Promise<string> };

export interface ClientOptions<D extends Dialect = Dialect> {
  /** Where the exchange is, such as `ws://127.0.0.1:8000`; of several, the next one is tried where one fails. */
  readonly addresses: string | readonly string[];
  readonly login: Login;
  /** `guide`. */
  readonly dialect?: D;
  /** The global `WebSocket`; Node 20 has none, there it is `WebSocket` of the package `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** Pictures kept for `rollback`; 100. */
  readonly historyMax?: number;
  /** What the mirror keeps; by default 100 notices, and all trades and finished orders that the exchange shows. */
  readonly limits?: Limits;
  /** Orders and cancels that may wait for their outcome; 1000. */
  readonly pendingMax?: number;
  /** Milliseconds after which an order or cancel without an outcome is given up and not sent again; 30 s. */
  readonly resendMs?: number;
  /** Milliseconds that a connection must have lasted for the next wait to be a short one again; 5 s. */
  readonly stableMs?: number;
  readonly timing?: Partial<ConnectionTiming>;
  readonly backoff?: Partial<BackoffOptions>;
  /** Numbers in [0, 1) for the jitter; `Math.random`. */
  readonly random?: () => number;
  /** Gets the exceptions of callbacks; they become uncaught ones. */
  readonly onListenerError?: OnListenerError;
}

const LIMITS: Limits = { notices: 100 };

/** The options with all defaults filled in. Throws TypeError where an address is none, or where there is none or no WebSocket. */
export function settled<D extends Dialect>(options: ClientOptions<D>) {
  const addresses = typeof options.addresses === "string" ? [options.addresses] : [...options.addresses];
  if (addresses.length === 0) throw new TypeError("addresses is empty: give at least one, such as ws://127.0.0.1:8000");
  for (const address of addresses) socketUrl(address, "guide");
  const WebSocketClass = options.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
  if (WebSocketClass === undefined) {
    throw new TypeError("this JavaScript has no WebSocket: pass that of the package `ws` as the option WebSocket");
  }
  return {
    addresses,
    WebSocketClass,
    dialect: options.dialect ?? ("guide" as D),
    limits: { ...LIMITS, ...options.limits },
    pendingMax: options.pendingMax ?? 1_000,
    resendMs: options.resendMs ?? 30_000,
    stableMs: options.stableMs ?? 5_000,
    timing: { ...CONNECTION_TIMING, ...options.timing },
    backoff: { ...BACKOFF, ...options.backoff },
    random: options.random ?? Math.random,
  };
}
