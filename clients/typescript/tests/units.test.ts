/** The small parts of the client, each by itself. */

import { describe, expect, test } from "vitest";
import { ChronexClient, newOrderId, QueueFullError } from "../src/index.js";
import { restUrl, socketUrl } from "../src/address.js";
import { Backoff, type Haste, hasteOf } from "../src/backoff.js";
import { cancelMessage, insertMessage } from "../src/order.js";
import { Outbox, type Pending } from "../src/outbox.js";
import { Subscriptions } from "../src/subscriptions.js";

describe("addresses", () => {
  test.each([
    ["ws://127.0.0.1:8000", "guide", "ws://127.0.0.1:8000/ws"],
    ["http://127.0.0.1:8000/", "flat", "ws://127.0.0.1:8000/ws/diff"],
    ["https://example.org/chronex", "guide", "wss://example.org/chronex/ws"],
    ["wss://[::1]:8000/?old=1#part", "flat", "wss://[::1]:8000/ws/diff"],
  ] as const)("%s speaks %s at %s", (address, dialect, url) => {
    expect(socketUrl(address, dialect)).toBe(url);
  });

  test("carry a ticket and the mirror's place, with whatever characters they have", () => {
    const url = socketUrl("ws://h:1", "flat", { user_id: "a&b", token: "t=1+2", log_id: "l", version: 3 });
    expect(url).toBe("ws://h:1/ws/diff?user_id=a%26b&token=t%3D1%2B2&log_id=l&version=3");
  });

  test("serve REST too", () => {
    expect(restUrl("wss://example.org/chronex/", "/api/v1/login")).toBe("https://example.org/chronex/api/v1/login");
  });

  test.each(["", "127.0.0.1:8000", "ftp://h", "nowhere"])("are refused before anything is tried: %j", (addresses) => {
    const login = { userName: "a", password: "p" };
    expect(() => new ChronexClient({ addresses, login, WebSocket: class {} as never })).toThrow(TypeError);
  });

  test("may not be none at all", () => {
    const login = { userName: "a", password: "p" };
    expect(() => new ChronexClient({ addresses: [], login, WebSocket: class {} as never })).toThrow(/at least one/);
  });
});

describe("backoff", () => {
  const options = { baseMs: 100, maxMs: 1_000, carefulMs: 400 };

  test("doubles the ceiling of the wait up to the most, and begins anew after a success", () => {
    const backoff = new Backoff(options, () => 0.5);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next("usual"))).toEqual([50, 100, 200, 400, 500, 500]);
    backoff.succeeded();
    expect(backoff.next("usual")).toBe(50);
  });

  test("has full jitter: anything from nothing to the ceiling", () => {
    const ceiling = 1 - 1e-9;
    expect(new Backoff(options, () => 0).next("usual")).toBe(0);
    expect(new Backoff(options, () => ceiling).next("usual")).toBeCloseTo(100);
  });

  test("begins anew where the server asks to be come back to soon", () => {
    const backoff = new Backoff(options, () => 0.5);
    expect(["usual", "usual", "soon", "usual"].map((haste) => backoff.next(haste as Haste))).toEqual([
      50, 100, 50, 100,
    ]);
  });

  test("never comes at once where the server objected", () => {
    expect(new Backoff(options, () => 0).next("careful")).toBe(200);
    const backoff = new Backoff(options, () => 1);
    expect([1, 2, 3, 4, 5].map(() => backoff.next("careful"))).toEqual([400, 400, 400, 800, 1_000]);
  });

  test("stays within bounds after very many failures", () => {
    const backoff = new Backoff(options, () => 1);
    for (let attempt = 0; attempt < 5_000; attempt += 1) expect(backoff.next("usual")).toBeLessThanOrEqual(1_000);
  });

  test.each([
    [1012, "soon"],
    [1008, "careful"],
    [1009, "careful"],
    [1013, "careful"],
    [1006, "usual"],
    [1011, "usual"],
  ])("reads close code %i as %s", (code, haste) => {
    expect(hasteOf(code)).toBe(haste);
  });
});

describe("the outbox", () => {
  const pending = (orderId: string, at: number, kind: Pending["kind"] = "insert"): Pending => ({
    kind,
    orderId,
    at,
    message: {},
  });
  const ids = (outbox: Outbox): string[] => outbox.pending.map(({ kind, orderId }) => `${kind} ${orderId}`);

  test("forgets inserts that are known and cancels of what is finished", () => {
    const outbox = new Outbox(9);
    for (const id of ["a", "b"]) outbox.add(pending(id, 0));
    for (const id of ["a", "c"]) outbox.add(pending(id, 0, "cancel"));
    outbox.settle(
      (id) => id === "a",
      (id) => id === "c",
    );
    expect(ids(outbox)).toEqual(["insert b", "cancel a"]);
  });

  test("gives up what is too old, and tells what it was", () => {
    const outbox = new Outbox(9);
    for (const [id, at] of [
      ["a", 1],
      ["b", 5],
    ] as const)
      outbox.add(pending(id, at));
    expect(outbox.giveUpBefore(5)).toEqual([pending("a", 1)]);
    expect(ids(outbox)).toEqual(["insert b"]);
  });

  test("takes no more than its bound, but the same one again", () => {
    const outbox = new Outbox(1);
    outbox.add(pending("a", 0));
    expect(() => outbox.add(pending("b", 0))).toThrow(QueueFullError);
    outbox.add(pending("a", 1));
    expect(outbox.pending).toEqual([pending("a", 1)]);
  });
});

describe("subscriptions", () => {
  test("last until everybody has ended theirs", () => {
    const subscriptions = new Subscriptions();
    const [first, second] = [subscriptions.add(["a", "b", "b"]), subscriptions.add(["b", "c"])];
    expect(subscriptions.insList).toBe("a,b,c");
    first();
    first();
    expect(subscriptions.insList).toBe("b,c");
    second();
    expect(subscriptions.insList).toBe("");
  });

  test.each(["", "a,b", "a b", "x".repeat(129)])("are of names: %j is none", (name) => {
    const subscriptions = new Subscriptions();
    expect(() => subscriptions.add(["ok", name])).toThrow(RangeError);
    expect(subscriptions.insList).toBe("");
  });

  test("are bounded", () => {
    const subscriptions = new Subscriptions();
    const names = Array.from({ length: 1_000 }, (_, number) => `i${number}`);
    subscriptions.add(names);
    subscriptions.add(names);
    expect(() => subscriptions.add(["one more"])).toThrow(RangeError);
    expect(() => subscriptions.add(["another"])).toThrow(/1001 instruments/);
  });
});

describe("orders", () => {
  const order = { instrument_id: "SHFE.cu2701", direction: "BUY", offset: "OPEN", volume: 1 } as const;

  test("are limit orders with a limit price, else orders at the market", () => {
    expect(insertMessage({ ...order, limit_price: 1.5 })).toMatchObject({
      aid: "insert_order",
      price_type: "LIMIT",
      limit_price: 1.5,
    });
    expect(insertMessage(order)).toMatchObject({ price_type: "ANY" });
    expect(insertMessage({ ...order, price_type: "BEST" })).toMatchObject({ price_type: "BEST" });
  });

  test("get ids that no other order has and that the exchange takes", () => {
    const ids = Array.from({ length: 10_000 }, newOrderId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids.slice(0, 100)) expect(id).toMatch(/^[0-9a-z]+-[0-9a-z]{14}$/);
  });

  test.each(["", "~1", "x".repeat(129), "__proto__", "constructor", "prototype"])("have no id like %j", (id) => {
    expect(() => insertMessage({ ...order, order_id: id })).toThrow(RangeError);
  });

  test.each([
    [{ volume: 1.5 }, /volume .* not 1.5/],
    [{ volume: Number.NaN }, /volume .* not NaN/],
    [{ limit_price: Number.NaN }, /limit_price .* not NaN/],
    [{ limit_price: Number.POSITIVE_INFINITY }, /limit_price .* not Infinity/],
  ])("cannot hold what JSON cannot: %j", (wrong, text) => {
    expect(() => insertMessage({ ...order, ...wrong })).toThrow(text);
  });

  test("are cancelled by their id, also those that the exchange named", () => {
    expect(cancelMessage("~1")).toEqual({ aid: "cancel_order", order_id: "~1" });
    expect(() => cancelMessage("")).toThrow(RangeError);
  });
});
