/** Against a real exchange: trade, lose the line, and have everything back. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  ChronexClient,
  type ClientOptions,
  type Dialect,
  type FlatOrder,
  LoginError,
  type NewOrder,
  RestError,
  type Status,
  isFinished,
  logIn,
  logOut,
  takeTicket,
} from "../src/index.js";
import { Exchange, INSTRUMENT } from "./support/exchange.js";

/** A limit order at a price where nobody else is. */
function order(direction: "BUY" | "SELL", volume: number, limitPrice = 3_600): NewOrder {
  return { instrument_id: INSTRUMENT, direction, offset: "OPEN", volume, limit_price: limitPrice };
}

let exchange: Exchange;
/** Distinguishes the users of one test from those of all others. */
let testNumber = 0;
const clients: ChronexClient<Dialect>[] = [];

beforeAll(async () => {
  exchange = await Exchange.start();
});

beforeEach(() => {
  testNumber += 1;
});

/** Leaves the book empty for the next test. */
afterEach(async () => {
  for (const client of clients.splice(0)) {
    if (client.status.state === "live") {
      const working = Object.keys(client.orders).filter((id) => !isFinished(client.order(id)));
      for (const id of working) client.cancel(id);
      await client.until(() => working.every((id) => isFinished(client.order(id))));
    }
    client.close();
  }
});

afterAll(() => exchange.destroy());

/** A client that is logged in. It comes back fast, since a test waits for it. */
async function connected<D extends Dialect = "guide">(
  name: string,
  options: Partial<ClientOptions<D>> = {},
): Promise<ChronexClient<D>> {
  const userName = `${name}${testNumber}`;
  const client = new ChronexClient<D>({
    addresses: exchange.address,
    login: { userName, password: "passw0rd" },
    WebSocket,
    backoff: { baseMs: 50, maxMs: 200 },
    ...options,
  });
  clients.push(client);
  await client.connect();
  return client;
}

/** Alice offers two lots, and Bob buys one of them; returns when the pictures of both show it. */
async function trade(alice: ChronexClient<Dialect>, bob: ChronexClient<Dialect>): Promise<void> {
  const sold = alice.insert(order("SELL", 2));
  await alice.until(() => alice.order(sold)?.status === "ALIVE");
  const bought = bob.insert(order("BUY", 1));
  await bob.until(() => bob.order(bought)?.status === "FILLED");
  await alice.until(() => alice.order(sold)?.status === "PARTIALLY_FILLED");
}

/** What of the tree is the view; the rest belongs to a connection. */
function view(client: ChronexClient<Dialect>): object {
  const { notify: _, ...rest } = client.tree;
  return JSON.parse(JSON.stringify(rest)) as object;
}

describe("the guide dialect", () => {
  test("two users trade with each other and see the quote", async () => {
    const [alice, bob] = [await connected("alice"), await connected("bob")];
    alice.subscribe(INSTRUMENT);
    await trade(alice, bob);
    expect(bob.position(INSTRUMENT)).toMatchObject({ volume_long: 1, volume_short: 0 });
    expect(alice.position(INSTRUMENT)).toMatchObject({ volume_long: 0, volume_short: 1 });
    expect(Object.values(bob.trades)).toMatchObject([{ price: 3_600, volume: 1, direction: "BUY", offset: "OPEN" }]);
    const account = bob.account;
    expect(account?.balance).toBeCloseTo(1_000_000 + (account?.position_profit ?? 0) - (account?.commission ?? 0), 5);
    await alice.until(() => alice.quote(INSTRUMENT)?.last_price === 3_600);
    expect(alice.quote(INSTRUMENT)).toMatchObject({ ask_price1: 3_600, ask_volume1: 1 });
    expect(alice.tree.ins_list).toBe(INSTRUMENT);
    expect([alice.pending, bob.pending]).toEqual([[], []]);
  });

  test("an order is cancelled, and one that a rule refuses says why", async () => {
    const alice = await connected("alice");
    const codes: number[] = [];
    alice.onNotice(({ code }) => codes.push(code));
    const id = alice.insert(order("BUY", 3));
    await alice.until(() => alice.order(id));
    alice.cancel(id);
    await alice.until(() => alice.order(id)?.status === "CANCELLED");
    const refused = alice.insert(order("BUY", 1, 3_600.5));
    await alice.until(() => alice.order(refused)?.status === "REJECTED");
    expect(alice.order(refused)?.last_msg).not.toBe("");
    await alice.until(() => codes.includes(2006));
  });

  test("after a kill -9 and a restart the client comes back by one step to what a fresh client sees", async () => {
    const [alice, bob] = [await connected("alice"), await connected("bob")];
    alice.subscribe(INSTRUMENT);
    await trade(alice, bob);
    await alice.until(() => alice.quote(INSTRUMENT)?.last_price === 3_600);
    const [version, working] = [alice.version ?? Infinity, Object.keys(alice.orders)[0] as string];

    await exchange.kill();
    const offline = alice.insert(order("SELL", 1, 3_700));
    await exchange.startAgain();

    await alice.until(() => alice.order(offline)?.status === "ALIVE");
    await bob.until(() => bob.status.state === "live");
    expect(alice.mirror.versions, "no full step came between").toContain(version);
    expect(alice.version).toBeGreaterThan(version);
    expect(alice.order(working)?.status).toBe("PARTIALLY_FILLED");
    const bought = bob.insert(order("BUY", 1));
    await bob.until(() => bob.order(bought)?.status === "FILLED");
    await alice.until(() => alice.order(working)?.status === "FILLED");

    const fresh = await connected("alice");
    fresh.subscribe(INSTRUMENT);
    await fresh.until(() => fresh.tree.ins_list === INSTRUMENT && fresh.quote(INSTRUMENT));
    await alice.until(() => alice.version === fresh.version && alice.quote(INSTRUMENT));
    expect(view(alice)).toEqual(view(fresh));
  });

  test("a server that stops in good order is come back to", async () => {
    const alice = await connected("alice");
    const reasons: string[] = [];
    alice.onStatus((status: Status) => status.state === "waiting" && reasons.push(status.reason));
    await exchange.stop();
    await alice.until(() => reasons.length > 0);
    expect(reasons[0]).toContain("1012");
    await exchange.startAgain();
    await alice.until(() => alice.status.state === "live");
  });

  test("a picture that was rolled back is led to the present again", async () => {
    const [alice, bob] = [await connected("alice"), await connected("bob")];
    const first = alice.version as number;
    await trade(alice, bob);
    const [before, version] = [view(alice), alice.version as number];
    alice.rollback(first);
    expect(alice.orders).toEqual({});
    await alice.until(() => (alice.version ?? 0) >= version);
    expect(view(alice)).toEqual(before);
  });

  test("the same order id twice is one order", async () => {
    const [alice, bob] = [await connected("alice"), await connected("bob")];
    alice.insert(order("SELL", 5));
    const id = bob.insert({ ...order("BUY", 1), order_id: "once" });
    await bob.until(() => bob.order(id)?.status === "FILLED");
    bob.insert({ ...order("BUY", 1), order_id: "once" });
    const after = bob.insert(order("BUY", 1));
    await bob.until(() => bob.order(after)?.status === "FILLED");
    expect(bob.position(INSTRUMENT)?.volume_long).toBe(2);
  });

  test("a wrong password is refused once and for all", async () => {
    const { userName } = await connected("alice");
    const wrong = connected("alice", { login: { userName, password: "wr0ng-passw0rd" } });
    await expect(wrong).rejects.toThrow(LoginError);
    expect(clients.at(-1)?.status).toMatchObject({ state: "stopped", error: { code: 1001 } });
  });
});

describe("the flat dialect", () => {
  test("is the same in other words, and comes back likewise", async () => {
    const [alice, bob] = [await connected<"flat">("alice", { dialect: "flat" }), await connected("bob")];
    await trade(alice, bob);
    const [id, order] = Object.entries(alice.orders)[0] as [string, FlatOrder];
    expect(order).toMatchObject({ volume: 2, filled_volume: 1, remaining_volume: 1, price: 3_600 });
    expect(Object.values(alice.trades)).toMatchObject([{ order_id: id, price: 3_600, volume: 1 }]);
    expect(alice.position(INSTRUMENT)).toMatchObject({ volume_short: 1 });
    const version = alice.version as number;
    await exchange.kill();
    await exchange.startAgain();
    alice.cancel(id);
    await alice.until(() => alice.order(id)?.status === "CANCELLED");
    expect(alice.mirror.versions, "no full step came between").toContain(version);
    const fresh = await connected<"flat">("alice", { dialect: "flat" });
    await alice.until(() => alice.version === fresh.version);
    expect(view(alice)).toEqual(view(fresh));
  });
});

describe("tokens and tickets", () => {
  test("log in instead of the password, and tickets lead a mirror on, too", async () => {
    const { userName } = await connected("alice");
    const { token, expiresAt } = await logIn(exchange.address, userName, "passw0rd");
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now());
    const byToken = await connected("alice", { login: { userName, token } });
    const ticket = (): Promise<string> => takeTicket(exchange.address, token);
    const byTicket = await connected("alice", { login: { userName, ticket } });
    expect(byTicket.account).toEqual(byToken.account);

    const version = byTicket.version as number;
    byTicket.rollback(version);
    await byTicket.until(() => byTicket.status.state === "live");
    expect(byTicket.mirror.versions, "no full step came between").toContain(version);
    const id = byTicket.insert(order("BUY", 1, 3_500));
    await byTicket.until(() => byTicket.order(id));
    await byToken.until(() => byToken.order(id));
  });

  test("are refused by REST with a code and a reason", async () => {
    const { userName } = await connected("alice");
    const refused = await logIn(exchange.address, userName, "wr0ng-passw0rd").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RestError);
    expect(refused).toMatchObject({ status: 401, code: 1001 });
  });

  test("are void once they are revoked", async () => {
    const { userName } = await connected("alice");
    const { token } = await logIn(exchange.address, userName, "passw0rd");
    await logOut(exchange.address, token);
    await expect(takeTicket(exchange.address, token)).rejects.toMatchObject({ status: 401 });
    await expect(connected("alice", { login: { userName, token } })).rejects.toMatchObject({ code: 1001 });
  });
});
