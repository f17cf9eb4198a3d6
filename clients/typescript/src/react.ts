/** React hooks: what a component reads of the mirror, and it alone, renders it anew. */

import { useCallback, useEffect, useSyncExternalStore } from "react";
import type { ChronexClient } from "./client.js";
import type { Path } from "./json.js";
import type { Status } from "./line.js";
import type { Account, Dialect, Notice, Order, Position, Quote, Rows, Trade } from "./tree.js";

/** Where the client stands. */
export function useStatus(client: ChronexClient<Dialect>): Status {
  const subscribe = useCallback((changed: () => void) => client.onStatus(changed), [client]);
  const read = (): Status => client.status;
  return useSyncExternalStore(subscribe, read, read);
}

/**
 * What `read` gives, read anew after each step that changed something at `path` or below.
 *
 * What a step did not touch keeps its identity, so a component renders only where its own part changed. `read` must give
 * the same object for the same picture, as all accessors of the client do.
 */
export function useMirror<T>(client: ChronexClient<Dialect>, path: Path, read: () => T): T {
  const key = JSON.stringify(path);
  const subscribe = useCallback(
    (changed: () => void) => client.mirror.on(JSON.parse(key) as Path, changed),
    [client, key],
  );
  return useSyncExternalStore(subscribe, read, read);
}

export function useAccount(client: ChronexClient<Dialect>): Account | undefined {
  return useMirror(client, client.pathOf("account"), () => client.account);
}

/** By instrument. */
export function usePositions(client: ChronexClient<Dialect>): Rows<Position> {
  return useMirror(client, client.pathOf("positions"), () => client.positions);
}

/** By order id. */
export function useOrders<D extends Dialect>(client: ChronexClient<D>): Rows<Order<D>> {
  return useMirror(client, client.pathOf("orders"), () => client.orders);
}

/** By trade id. */
export function useTrades<D extends Dialect>(client: ChronexClient<D>): Rows<Trade<D>> {
  return useMirror(client, client.pathOf("trades"), () => client.trades);
}

/** By notice id, oldest first. */
export function useNotices(client: ChronexClient<Dialect>): Rows<Notice> {
  return useMirror(client, ["notify"], () => client.notices);
}

/** The quote of an instrument, which is watched as long as the component is there; undefined until it arrives. */
export function useQuote(client: ChronexClient<Dialect>, instrumentId: string): Quote | undefined {
  useEffect(() => client.subscribe(instrumentId), [client, instrumentId]);
  return useMirror(client, ["quotes", instrumentId], () => client.quote(instrumentId));
}

/** All of a user's picture, for small programs; a component that needs one part renders less often with that part's hook. */
export function useExchange<D extends Dialect>(client: ChronexClient<D>) {
  return {
    status: useStatus(client),
    account: useAccount(client),
    positions: usePositions(client),
    orders: useOrders(client),
    trades: useTrades(client),
    notices: useNotices(client),
  };
}
