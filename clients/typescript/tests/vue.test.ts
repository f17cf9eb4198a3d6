// @vitest-environment happy-dom
/** The composables and the store, in components that are mounted. */

import { createPinia, defineStore } from "pinia";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type App, createApp, defineComponent, h, isReactive, nextTick, ref } from "vue";
import { exchangeStore, useExchange, useMirror, useQuote } from "../src/vue.js";
import type { ChronexClient } from "../src/index.js";
import { FakeServer, type FakeSocket, own } from "./support/fake_server.js";

let client: ChronexClient;
let socket: FakeSocket;
let app: App | undefined;

beforeEach(async () => {
  [client, socket] = await new FakeServer().liveClient();
});

afterEach(() => {
  app?.unmount();
  app = undefined;
  client.close();
});

/** Mount a component that shows what `render` gives, and count how often it renders. */
function mount(setup: () => () => string): { text: () => string; renders: () => number } {
  let renders = 0;
  const element = document.createElement("div");
  const component = defineComponent({
    setup() {
      const render = setup();
      return () => {
        renders += 1;
        return h("p", render());
      };
    },
  });
  app = createApp(component).use(createPinia());
  app.mount(element);
  return { text: () => element.textContent, renders: () => renders };
}

test("a component shows the picture and follows it, and does not render for what it does not show", async () => {
  const shown = mount(() => {
    const { account, orders, status } = useExchange(client);
    return () => `${status.value.state} ${account.value?.balance ?? "-"} ${Object.keys(orders.value).join()}`;
  });
  expect(shown.text()).toBe("live - ");
  socket.step(2, own({ accounts: { CNY: { balance: 5 } }, orders: { o1: { status: "ALIVE" } } }));
  await nextTick();
  expect([shown.text(), shown.renders()]).toEqual(["live 5 o1", 2]);
  socket.step(3, own({ positions: { q: { volume_long: 1 } } }), { quotes: { q: { last_price: 1 } } });
  await nextTick();
  expect(shown.renders()).toBe(2);
  socket.cut();
  await nextTick();
  expect(shown.text()).toBe("waiting 5 o1");
});

test("a quote is subscribed to as long as the component is there, and another one when the name changes", async () => {
  const name = ref("a");
  const shown = mount(() => {
    const quote = useQuote(client, name);
    return () => `${name.value} ${quote.value?.last_price ?? "-"}`;
  });
  await nextTick();
  expect(socket.heard()).toEqual([{ aid: "subscribe_quote", ins_list: "a" }]);
  socket.step(2, { quotes: { a: { last_price: 1 } } });
  await nextTick();
  expect(shown.text()).toBe("a 1");
  name.value = "b";
  await nextTick();
  expect(shown.text()).toBe("b -");
  socket.step(3, { quotes: { a: null, b: { last_price: 2 } } });
  await nextTick();
  expect(shown.text()).toBe("b 2");
  app?.unmount();
  app = undefined;
  await nextTick();
  const lists = socket.heard().flatMap(({ ins_list: list }) => (list === undefined ? [] : [list]));
  expect(lists).toEqual(["b", ""]);
});

test("a component that is gone is not told any more", async () => {
  let reads = 0;
  mount(() => {
    const value = useMirror(client, ["quotes"], () => (reads += 1));
    return () => String(value.value);
  });
  socket.step(2, { quotes: { a: { last_price: 1 } } });
  app?.unmount();
  app = undefined;
  const before = reads;
  socket.step(3, { quotes: { a: { last_price: 2 } } });
  expect(reads).toBe(before);
});

test("a Pinia store holds the picture and sends orders", async () => {
  const useExchangeStore = defineStore("exchange", exchangeStore(client));
  const stores: ReturnType<typeof useExchangeStore>[] = [];
  const shown = mount(() => {
    const store = useExchangeStore();
    stores.push(store);
    return () => `${store.account?.balance ?? "-"} ${Object.keys(store.orders).length}`;
  });
  const store = stores[0] as ReturnType<typeof useExchangeStore>;
  const id = store.insert({
    instrument_id: "SHFE.cu2701",
    direction: "BUY",
    offset: "OPEN",
    volume: 1,
    limit_price: 1,
  });
  store.cancel(id);
  store.subscribe("q");
  await nextTick();
  expect(socket.heard().map(({ aid }) => aid)).toEqual(["insert_order", "cancel_order", "subscribe_quote"]);
  socket.step(2, own({ accounts: { CNY: { balance: 7 } }, orders: { [id]: { status: "ALIVE" } } }));
  await nextTick();
  expect(shown.text()).toBe("7 1");
  expect(store.orders[id]?.status).toBe("ALIVE");
  expect(store.orders, "the picture itself, not a proxy of it").toBe(client.orders);
  expect(isReactive(store.orders)).toBe(false);
});
