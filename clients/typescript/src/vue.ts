/** Vue 3: composables whose values follow the mirror, and the set-up of a Pinia store. */

import { type MaybeRefOrGetter, onScopeDispose, type ShallowRef, shallowRef, toValue, watch } from "vue";
import type { ChronexClient } from "./client.js";
import type { Path } from "./json.js";
import type { Status } from "./line.js";
import type { Account, Dialect, Notice, Order, Position, Quote, Rows, Trade } from "./tree.js";

/** A value of the mirror. It is replaced by each step that changes it, never changed in itself: it is read as a whole. */
export type Mirrored<T> = Readonly<ShallowRef<T>>;

/** Where the client stands. To be called in a component's set-up or another effect scope, as all functions here. */
export function useStatus(client: ChronexClient<Dialect>): Mirrored<Status> {
  const status = shallowRef(client.status);
  onScopeDispose(client.onStatus((now) => (status.value = now)));
  return status;
}

/** What `read` gives, read anew after each step that changed something at `path` or below, and when the path changes. */
export function useMirror<T>(client: ChronexClient<Dialect>, path: MaybeRefOrGetter<Path>, read: () => T): Mirrored<T> {
  const value = shallowRef(read()) as ShallowRef<T>;
  watch(
    () => [...toValue(path)],
    (keys, _, onCleanup) => {
      const changed = (): void => {
        value.value = read();
      };
      changed();
      onCleanup(client.mirror.on(keys, changed));
    },
    { immediate: true, flush: "sync" },
  );
  return value;
}

/** The quote of an instrument, which is watched as long as the scope lives; undefined until it arrives. */
export function useQuote(
  client: ChronexClient<Dialect>,
  instrumentId: MaybeRefOrGetter<string>,
): Mirrored<Quote | undefined> {
  watch(
    () => toValue(instrumentId),
    (id, _, onCleanup) => onCleanup(client.subscribe(id)),
    { immediate: true, flush: "sync" },
  );
  return useMirror(
    client,
    () => ["quotes", toValue(instrumentId)],
    () => client.quote(toValue(instrumentId)),
  );
}

/** A user's picture and the client's status, each a ref of its own. */
export interface Exchange<D extends Dialect> {
  readonly status: Mirrored<Status>;
  readonly account: Mirrored<Account | undefined>;
  /** By instrument. */
  readonly positions: Mirrored<Rows<Position>>;
  /** By order id. */
  readonly orders: Mirrored<Rows<Order<D>>>;
  /** By trade id. */
  readonly trades: Mirrored<Rows<Trade<D>>>;
  readonly quotes: Mirrored<Rows<Quote>>;
  /** By notice id, oldest first. */
  readonly notices: Mirrored<Rows<Notice>>;
}

export function useExchange<D extends Dialect>(client: ChronexClient<D>): Exchange<D> {
  return {
    status: useStatus(client),
    account: useMirror(client, client.pathOf("account"), () => client.account),
    positions: useMirror(client, client.pathOf("positions"), () => client.positions),
    orders: useMirror(client, client.pathOf("orders"), () => client.orders),
    trades: useMirror(client, client.pathOf("trades"), () => client.trades),
    quotes: useMirror(client, ["quotes"], () => client.quotes),
    notices: useMirror(client, ["notify"], () => client.notices),
  };
}

/**
 * The set-up of a Pinia store: the user's picture as state, the client's messages as actions.
 *
 *     export const useExchangeStore = defineStore("exchange", exchangeStore(client));
 */
export function exchangeStore<D extends Dialect>(client: ChronexClient<D>) {
  return () => ({
    ...useExchange(client),
    insert: (order: Parameters<typeof client.insert>[0]): string => client.insert(order),
    cancel: (orderId: string): void => client.cancel(orderId),
    subscribe: (...instruments: readonly string[]): (() => void) => client.subscribe(...instruments),
  });
}
