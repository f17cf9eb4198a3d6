// @vitest-environment happy-dom
/** The hooks, in components that are mounted. */

import { act, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ChronexClient } from "../src/index.js";
import { useAccount, useExchange, useOrders, useQuote, useStatus } from "../src/react.js";
import { FakeServer, type FakeSocket, own } from "./support/fake_server.js";

declare global {
  /** React asks for it where updates are awaited by `act`. */
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

let client: ChronexClient;
let socket: FakeSocket;
let root: Root;
let element: HTMLElement;

beforeEach(async () => {
  [client, socket] = await new FakeServer().liveClient();
  element = document.createElement("div");
  root = createRoot(element);
});

afterEach(() => {
  act(() => root.unmount());
  client.close();
});

const show = (node: ReactNode): Promise<void> => act(async () => root.render(node));
const subscribed = (): unknown[] => socket.heard().flatMap(({ ins_list: list }) => (list === undefined ? [] : [list]));

test("a component shows the picture and follows it", async () => {
  function Everything(): ReactNode {
    const { status, account, orders, positions, trades, notices } = useExchange(client);
    return [
      status.state,
      account?.balance ?? "-",
      ...[orders, positions, trades, notices].map((rows) => Object.keys(rows).length),
    ].join(" ");
  }
  await show(<StrictMode children={<Everything />} />);
  expect(element.textContent).toBe("live - 0 0 0 0");
  await act(async () => {
    socket.step(2, own({ accounts: { CNY: { balance: 5 } }, orders: { o1: {} }, trades: { t1: {}, t2: {} } }));
  });
  expect(element.textContent).toBe("live 5 1 0 2 0");
  await act(async () => socket.cut());
  expect(element.textContent).toBe("waiting 5 1 0 2 0");
});

test("a component does not render for what it does not show", async () => {
  const renders = { account: 0, orders: 0, status: 0 };
  function Balance(): ReactNode {
    renders.account += 1;
    return useAccount(client)?.balance ?? "-";
  }
  function Orders(): ReactNode {
    renders.orders += 1;
    return Object.keys(useOrders(client)).length;
  }
  function State(): ReactNode {
    renders.status += 1;
    return useStatus(client).state;
  }
  await show([<Balance key="1" />, <Orders key="2" />, <State key="3" />]);
  await act(async () => socket.step(2, own({ orders: { o1: {} } }), { quotes: { q: { last_price: 1 } } }));
  expect(renders).toEqual({ account: 1, orders: 2, status: 1 });
});

test("a quote is subscribed to as long as the component is there, and another one when the name changes", async () => {
  function Price({ name }: { readonly name: string }): ReactNode {
    return `${name} ${useQuote(client, name)?.last_price ?? "-"}`;
  }
  await show(<Price name="a" />);
  await act(async () => socket.step(2, { quotes: { a: { last_price: 1 } } }));
  expect([element.textContent, subscribed()]).toEqual(["a 1", ["a"]]);
  await show(<Price name="b" />);
  await act(async () => socket.step(3, { quotes: { a: null, b: { last_price: 2 } } }));
  expect([element.textContent, subscribed()]).toEqual(["b 2", ["b"]]);
  await show(null);
  expect(subscribed()).toEqual([""]);
});
