/** Where an exchange is reached: one address for its WebSockets and its REST interface. */

import type { Dialect } from "./tree.js";

const ENDPOINTS: Readonly<Record<Dialect, string>> = { guide: "/ws", flat: "/ws/diff" };

/** What a login by ticket says in the address; the mirror's place as well, where there is a mirror. */
export interface AddressLogin {
  readonly user_id: string;
  readonly token: string;
  readonly log_id?: string;
  readonly version?: number;
}

/**
 * The WebSocket's URL under an address such as `ws://127.0.0.1:8000`, `https://exchange.example.org` or
 * `wss://example.org/chronex` (behind a proxy). Throws TypeError where the address is none.
 */
export function socketUrl(address: string, dialect: Dialect, login?: AddressLogin): string {
  const url = under(address, ENDPOINTS[dialect]);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(login ?? {})) url.searchParams.set(name, String(value));
  return url.href;
}

/** The URL of a REST path, such as `/api/v1/login`, under the same address. Throws TypeError where the address is none. */
export function restUrl(address: string, path: string): string {
  return under(address, path).href;
}

function under(address: string, path: string): URL {
  // Through http and https: URL refuses to turn a scheme that it does not know into one that it does.
  const url = new URL(address.replace(/^ws/, "http"));
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`${address} is no address of an exchange: it begins with ws, wss, http or https`);
  }
  url.pathname = url.pathname.replace(/\/$/, "") + path;
  url.search = url.hash = "";
  return url;
}
