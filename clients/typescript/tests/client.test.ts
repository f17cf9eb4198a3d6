/** The client against a server whose every word the test says, on a clock that the test moves. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ChronexClient, ClosedError, LoginError, type Notice, QueueFullError, TimeoutError } from "../src/index.js";
import { FakeServer, LOGIN, own } from "./support/fake_server.js";

const PEEK = { aid: "peek_message" };
const BUY = { instrument_id: "SHFE.cu2701", direction: "BUY", offset: "OPEN", volume: 1, limit_price: 48_000 } as const;

let server: FakeServer;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0); // a client that is closed leaves nothing behind
  vi.useRealTimers();
});

const passes = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
/** Until the next thing that the client waits for, such as its next attempt. */
const waits = (): Promise<unknown> => vi.advanceTimersToNextTimerAsync();

describe("the login", () => {
  test("is sent first, and `connect` resolves with the first picture", async () => {
    const client = server.client();
    const connected = client.connect();
    const socket = (await server.socket(0)).open();
    expect(socket.url).toBe("ws://fake:1/ws");
    expect(socket.heard()).toEqual([{ aid: "req_login", bid: "qaexchange", user_name: "alice", password: "passw0rd" }]);
    socket.full(7, own({ accounts: { CNY: { balance: 5 } } }));
    await connected;
    expect([client.version, client.account]).toEqual([7, { balance: 5 }]);
    expect(client.status).toEqual({ state: "live", address: "ws://fake:1" });
    client.close();
  });

  test("may be by token, or by a ticket in the address that is fetched for each connection", async () => {
    const byToken = server.client({ login: { userName: "alice", token: "t0ken" } });
    byToken.connect().catch(() => undefined);
    expect((await server.socket(0)).open().heard()).toMatchObject([{ user_name: "alice", password: "t0ken" }]);
    byToken.close();

    const tickets = ["first", "second"];
    const byTicket = server.client({ login: { userName: "alice", ticket: async () => tickets.shift() as string } });
    byTicket.connect().catch(() => undefined);
    const socket = (await server.socket(1)).open();
    expect([socket.url, socket.heard()]).toEqual(["ws://fake:1/ws?user_id=alice&token=first", [PEEK]]);
    socket.says({ aid: "rtn_data", data: [] });
    expect(socket.heard()).toEqual([PEEK]);
    socket.full(3);
    expect([socket.heard(), byTicket.status.state]).toEqual([[PEEK], "live"]);
    socket.cut();
    await passes(500);
    expect((await server.socket(2)).url).toContain("?user_id=alice&token=second&log_id=log&version=3");
    byTicket.close();
  });

  test("by a ticket that was refused is tried once more with a fresh one", async () => {
    const ticket = vi.fn().mockResolvedValue("ticket");
    const client = server.client({ login: { userName: "alice", ticket } });
    const connected = expect(client.connect()).rejects.toThrow(LoginError);
    (await server.socket(0)).open().refuse(1001);
    await waits();
    (await server.socket(1)).open().refuse(1001);
    await connected;
    expect(ticket).toHaveBeenCalledTimes(2);
  });

  test("waits and tries again where there is no ticket", async () => {
    const ticket = vi.fn().mockRejectedValueOnce(new Error("no ticket")).mockResolvedValueOnce("late");
    const client = server.client({ login: { userName: "alice", ticket } });
    client.connect().catch(() => undefined);
    await passes(0);
    expect(client.status).toMatchObject({ state: "waiting", reason: "no ticket" });
    await passes(250);
    expect((await server.socket(0)).url).toContain("late");
    client.close();
  });

  test("that is wrong stops the client: no storm", async () => {
    const client = server.client();
    const connected = client.connect();
    (await server.socket(0)).open().refuse(1001);
    await expect(connected).rejects.toEqual(new LoginError(1001, "no"));
    expect(client.status.state).toBe("stopped");
    await passes(3_600_000);
    expect(server.sockets.length).toBe(1);
    expect(server.sockets[0]?.closedByClient).toBe(1000);
  });

  test("can be tried again by another password after that, by the same user only", async () => {
    const client = server.client();
    const refused = client.connect();
    (await server.socket(0)).open().refuse(1001);
    await expect(refused).rejects.toThrow(LoginError);
    await expect(client.connect({ userName: "bob", password: "x" })).rejects.toThrow(TypeError);
    const connected = client.connect({ userName: "alice", password: "right" });
    const socket = (await server.socket(1)).open();
    expect(socket.heard()).toMatchObject([{ password: "right" }]);
    await expect(client.connect(LOGIN)).rejects.toThrow(/close the client/);
    socket.full(1);
    await connected;
    client.close();
  });

  test.each([1010, 1012, 5001, 5005])("that is refused for a while (%i) is tried again, not soon", async (code) => {
    const client = server.client({ random: () => 0 });
    client.connect().catch(() => undefined);
    (await server.socket(0)).open().refuse(code);
    await passes(4_999);
    expect(server.sockets.length).toBe(1);
    await passes(1);
    expect(server.sockets.length).toBe(2);
    client.close();
  });
});

describe("peeks", () => {
  test("are one at a time: one after the login, one after each step", async () => {
    const [client, socket] = await server.liveClient();
    socket.step(2, own({ orders: { o1: { status: "ALIVE" } } }));
    expect(socket.heard()).toEqual([PEEK]);
    socket.says({ aid: "pong" });
    socket.says({ aid: "of_tomorrow" });
    expect(socket.heard()).toEqual([]);
    socket.step(2);
    expect(socket.heard()).toEqual([PEEK]);
    client.close();
  });

  test("begin after the login's answer, not before", async () => {
    const client = server.client();
    client.connect().catch(() => undefined);
    const socket = (await server.socket(0)).open();
    expect(socket.heard().map(({ aid }) => aid)).toEqual(["req_login"]);
    socket.full(1);
    expect(socket.heard()).toEqual([PEEK]);
    client.close();
  });
});

describe("a line that breaks", () => {
  test("is followed by a login from where the mirror stands", async () => {
    const [client, socket] = await server.liveClient();
    socket.step(5, own({ orders: { o1: { status: "ALIVE" } } }));
    socket.cut();
    expect(client.status).toMatchObject({ state: "waiting", delayMs: 250 });
    await passes(250);
    const next = (await server.socket(1)).open();
    expect(next.heard()).toMatchObject([{ aid: "req_login", log_id: "log", version: 5 }]);
    next.says({
      aid: "rtn_data",
      data: [{ quotes: null }, own({ orders: { o1: { status: "FILLED" } } })],
      version: 9,
      log_id: "log",
    });
    expect([client.version, client.order("o1")]).toEqual([9, { status: "FILLED" }]);
    expect(next.heard()).toEqual([PEEK]);
    client.close();
  });

  test("is waited for longer each time, and shortly again after a connection that lasted", async () => {
    const [client, socket] = await server.liveClient({ stableMs: 1_000 });
    const delays: unknown[] = [];
    client.onStatus((status) => status.state === "waiting" && delays.push(status.delayMs));
    socket.cut();
    for (let number = 1; number <= 3; number += 1) {
      await waits();
      (await server.socket(number)).cut();
    }
    await waits();
    (await server.socket(4)).open().says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
    await passes(1_000);
    (await server.socket(4)).cut();
    expect(delays).toEqual([250, 500, 1_000, 2_000, 250]);
    client.close();
  });

  test("right after each login makes the waits longer all the same", async () => {
    const [client, socket] = await server.liveClient();
    const delays: unknown[] = [];
    client.onStatus((status) => status.state === "waiting" && delays.push(status.delayMs));
    socket.cut(1011);
    for (let number = 1; number <= 3; number += 1) {
      await waits();
      const next = (await server.socket(number)).open();
      next.says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
      next.cut(1011);
    }
    expect(delays).toEqual([250, 500, 1_000, 2_000]);
    client.close();
  });

  test("because the server restarts is followed soon, but not before a login has succeeded", async () => {
    const [client, socket] = await server.liveClient();
    const delays: unknown[] = [];
    client.onStatus((status) => status.state === "waiting" && delays.push(status.delayMs));
    socket.cut(1011);
    await waits();
    const next = (await server.socket(1)).open();
    next.says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
    next.cut(1012);
    for (const number of [2, 3]) {
      await waits();
      (await server.socket(number)).open().cut(1012);
    }
    expect(delays).toEqual([250, 250, 500, 1_000]);
    client.close();
  });

  test("goes to the next address where one cannot be reached, and stays where it was live", async () => {
    const client = server.client({ addresses: ["ws://one:1", "ws://two:2"] });
    client.connect().catch(() => undefined);
    (await server.socket(0)).cut();
    await passes(250);
    (await server.socket(1)).open().full(1);
    (await server.socket(1)).cut();
    await waits();
    (await server.socket(2)).cut();
    await waits();
    await server.socket(3);
    expect(server.sockets.map(({ url }) => url)).toEqual([
      "ws://one:1/ws",
      "ws://two:2/ws",
      "ws://two:2/ws",
      "ws://one:1/ws",
    ]);
    client.close();
  });

  test.each([
    [1012, 500, "the server restarts: soon"],
    [1011, 500, "an error of the server: as usual"],
    [1008, 10_000, "the server objected: not soon"],
  ])("with code %i is followed within %i ms (%s)", async (code, most) => {
    const [client, socket] = await server.liveClient({ random: () => 1 });
    socket.cut(code, "because");
    expect(client.status).toEqual({
      state: "waiting",
      delayMs: most,
      reason: `the connection ended with ${code}: because`,
    });
    client.close();
  });

  test("with code 1008 is never followed at once", async () => {
    const [client, socket] = await server.liveClient({ random: () => 0 });
    socket.cut(1008);
    expect(client.status).toMatchObject({ state: "waiting", delayMs: 5_000 });
    client.close();
  });
});

describe("a server that falls silent", () => {
  test("is asked, and left where it does not answer", async () => {
    const [client, socket] = await server.liveClient();
    await passes(19_999);
    expect(socket.heard()).toEqual([]);
    await passes(1);
    expect(socket.heard()).toEqual([{ aid: "ping" }]);
    await passes(9_999);
    expect(client.status.state).toBe("live");
    await passes(1);
    expect(client.status).toMatchObject({
      state: "waiting",
      reason: expect.stringContaining("silent for 30000 ms") as unknown,
    });
    expect(socket.terminated).toBe(true);
    client.close();
  });

  test("and answers late, but in time, is kept", async () => {
    const [client, socket] = await server.liveClient();
    for (let round = 0; round < 3; round += 1) {
      await passes(25_000);
      socket.says({ aid: "pong" });
      await passes(5_000);
    }
    expect([client.status.state, server.sockets.length]).toEqual(["live", 1]);
    client.close();
  });

  test("is not asked as long as steps come", async () => {
    const [client, socket] = await server.liveClient();
    for (let round = 2; round < 12; round += 1) {
      await passes(15_000);
      socket.step(round);
    }
    expect(socket.heard().filter(({ aid }) => aid === "ping")).toEqual([]);
    client.close();
  });

  test("before the connection is open is left, too", async () => {
    const client = server.client();
    client.connect().catch(() => undefined);
    await server.socket(0);
    await passes(10_000);
    expect(client.status).toMatchObject({
      state: "waiting",
      reason: expect.stringContaining("not open within 10000 ms") as unknown,
    });
    client.close();
  });
});

describe("garbage", () => {
  test.each<[string, unknown]>([
    ["no JSON", "garbage"],
    ["no object", "[1]"],
    ["null", "null"],
    ["binary", new ArrayBuffer(3)],
    ["a step with a version that falls", '{"aid":"rtn_data","data":[{"trade":null}],"version":0}'],
    ["a step of another log", '{"aid":"rtn_data","data":[{"trade":null}],"version":9,"log_id":"x"}'],
    ["a step that is half good", '{"aid":"rtn_data","data":[{"trade":null},5],"version":9}'],
    ["a huge frame", `{"aid":"rtn_data","data":[],"version":9,"more":"${"x".repeat(10 * 1024 * 1024)}"}`],
  ])("(%s) leaves the picture and is answered by coming back", async (_, text) => {
    const [client, socket] = await server.liveClient();
    const { tree } = client;
    socket.saysText(text);
    expect(socket.closedByClient).toBe(4001);
    expect([client.status.state, client.tree === tree, client.version]).toEqual(["waiting", true, 1]);
    socket.step(8, { quotes: {} }); // what is still on its way when we have left
    expect(client.version).toBe(1);
    await passes(250);
    expect((await server.socket(1)).open().heard()).toMatchObject([{ version: 1, log_id: "log" }]);
    client.close();
  });

  test("a step that cannot be taken twice makes the client begin anew", async () => {
    const [client, socket] = await server.liveClient();
    const bad = '{"aid":"rtn_data","data":[5],"version":9}';
    socket.saysText(bad);
    await passes(1_000);
    (await server.socket(1)).open().saysText(bad);
    await passes(1_000);
    const third = (await server.socket(2)).open();
    expect(third.heard()[0]).not.toHaveProperty("version");
    expect(client.account, "the old picture stays until there is another").toBe(client.account);
    third.full(9, own({ accounts: { CNY: { balance: 1 } } }));
    expect([client.version, client.account]).toEqual([9, { balance: 1 }]);
    client.close();
  });

  test("now and then, with good steps between, leaves the version to resume from", async () => {
    const [client] = await server.liveClient();
    for (const number of [0, 1, 2]) {
      const socket = await server.socket(number);
      if (number > 0) socket.open().says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
      socket.step(1);
      socket.saysText("garbage");
      await waits();
    }
    expect((await server.socket(3)).open().heard()).toMatchObject([{ version: 1, log_id: "log" }]);
    client.close();
  });

  test("never reaches prototypes", async () => {
    const [client, socket] = await server.liveClient();
    socket.saysText(
      '{"aid":"rtn_data","data":[{"__proto__":{"polluted":1},"trade":{"__proto__":{"polluted":1}}}],"version":2}',
    );
    expect(client.version).toBe(2);
    expect(JSON.stringify(client.tree)).not.toContain("polluted");
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    client.close();
  });
});

describe("orders", () => {
  test("are sent at once, with an id of the client's", async () => {
    const [client, socket] = await server.liveClient();
    const id = client.insert(BUY);
    expect(socket.heard()).toEqual([{ aid: "insert_order", ...BUY, order_id: id, price_type: "LIMIT" }]);
    client.close();
  });

  test("are sent again with the same id after a resume that does not show them, and no others", async () => {
    const [client, socket] = await server.liveClient();
    const [known, unknown] = [client.insert(BUY), client.insert(BUY)];
    client.cancel("old");
    const messages = socket.heard();
    socket.cut();
    await passes(250);
    const next = (await server.socket(1)).open();
    next.heard();
    next.says({
      aid: "rtn_data",
      data: [own({ orders: { [known]: { status: "ALIVE" }, old: { status: "ALIVE" } } })],
      version: 3,
      log_id: "log",
    });
    expect(next.heard()).toEqual([PEEK, messages[1], messages[2]]);
    next.step(4, own({ orders: { [unknown]: { status: "REJECTED" }, old: { status: "CANCELLED" } } }));
    expect(client.pending).toEqual([]);
    client.close();
  });

  test("given while there is no connection are sent once there is one", async () => {
    const [client, socket] = await server.liveClient();
    socket.cut();
    const id = client.insert(BUY);
    expect(client.pending).toMatchObject([{ kind: "insert", orderId: id }]);
    await passes(250);
    const next = (await server.socket(1)).open();
    next.heard();
    next.says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
    expect(next.heard()).toMatchObject([PEEK, { aid: "insert_order", order_id: id }]);
    client.close();
  });

  test("that are too old to be sent again are given up, and told", async () => {
    const [client, socket] = await server.liveClient({ resendMs: 60_000 });
    const id = client.insert(BUY);
    const givenUp: string[] = [];
    client.onGivenUp(({ orderId }) => givenUp.push(orderId));
    socket.cut();
    await passes(250);
    (await server.socket(1)).cut();
    await passes(60_000);
    const later = (await server.socket(server.sockets.length - 1)).open();
    later.heard();
    later.says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
    expect([givenUp, client.pending, later.heard()]).toEqual([[id], [], [PEEK]]);
    client.close();
  });

  test("that were not taken are told with the notice, and wait no more", async () => {
    const [client, socket] = await server.liveClient();
    const refused: [string, string, number][] = [];
    client.onRefused(({ pending, notice }) => refused.push([pending.kind, pending.orderId, notice.code]));
    const id = client.insert(BUY);
    client.cancel("other");
    const busy = { type: "MESSAGE", level: "ERROR", code: 5001, content: "busy", aid: "insert_order" };
    socket.step(2, { notify: { n1: { ...busy, order_id: "somebody else's" } } });
    expect([refused, client.pending.length]).toEqual([[], 2]);
    socket.step(3, { notify: { n2: { ...busy, order_id: id } } });
    socket.step(4, { notify: { n3: { ...busy, aid: "cancel_order", code: 2101, order_id: "other" } } });
    expect(refused).toEqual([
      ["insert", id, 5001],
      ["cancel", "other", 2101],
    ]);
    expect(client.pending).toEqual([]);
    client.close();
  });

  test("that were sent again and not taken then may have been taken before", async () => {
    const [client, socket] = await server.liveClient();
    const refused: string[] = [];
    client.onRefused(({ pending }) => refused.push(pending.orderId));
    const id = client.insert(BUY);
    socket.cut();
    await passes(250);
    const next = (await server.socket(1)).open();
    next.says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
    const busy = { type: "MESSAGE", level: "ERROR", code: 5001, content: "", aid: "insert_order", order_id: id };
    next.step(2, { notify: { n1: busy } });
    expect([refused, client.pending.length]).toEqual([[], 1]);
    client.close();
  });

  test("that a notice of no order refused are given up while the line is good, too", async () => {
    const [client, socket] = await server.liveClient();
    const givenUp: string[] = [];
    client.onGivenUp(({ orderId }) => givenUp.push(orderId));
    const id = client.insert(BUY);
    socket.step(2, { notify: { n1: { type: "MESSAGE", level: "ERROR", code: 4003, content: "" } } });
    await passes(29_000);
    socket.step(2);
    expect(givenUp).toEqual([]);
    await passes(1_001);
    socket.step(2);
    expect([givenUp, client.pending]).toEqual([[id], []]);
    client.close();
  });

  test("sent by a callback on the login are sent once", async () => {
    const client = server.client();
    client.onStatus(({ state }) => state === "live" && client.insert(BUY));
    client.connect().catch(() => undefined);
    const socket = (await server.socket(0)).open();
    socket.full(1);
    expect(socket.heard().map(({ aid }) => aid)).toEqual(["req_login", "peek_message", "insert_order"]);
    client.close();
  });

  test("that wait are bounded", async () => {
    const [client] = await server.liveClient({ pendingMax: 2 });
    client.insert(BUY);
    client.insert(BUY);
    expect(() => client.insert(BUY)).toThrow(QueueFullError);
    client.close();
  });
});

describe("subscriptions", () => {
  test("made in one go are one message, and are sent again after a resume", async () => {
    const [client, socket] = await server.liveClient();
    const end = client.subscribe("a", "b");
    client.subscribe("b", "c");
    await passes(0);
    expect(socket.heard()).toEqual([{ aid: "subscribe_quote", ins_list: "a,b,c" }]);
    end();
    await passes(0);
    expect(socket.heard()).toEqual([{ aid: "subscribe_quote", ins_list: "b,c" }]);
    socket.cut();
    await passes(250);
    const next = (await server.socket(1)).open();
    next.heard();
    next.says({ aid: "rtn_data", data: [{ quotes: null }], version: 1, log_id: "log" });
    expect(next.heard()).toEqual([PEEK, { aid: "subscribe_quote", ins_list: "b,c" }]);
    client.close();
  });

  test("that come and go in one go are not sent at all", async () => {
    const [client, socket] = await server.liveClient();
    client.subscribe("a")();
    await passes(0);
    expect(socket.heard()).toEqual([]);
    client.close();
  });

  test("made before the login are sent after it", async () => {
    const client = server.client();
    client.subscribe("a");
    client.connect().catch(() => undefined);
    const socket = (await server.socket(0)).open();
    socket.full(1);
    expect(socket.heard().map(({ aid }) => aid)).toEqual(["req_login", "peek_message", "subscribe_quote"]);
    client.close();
  });
});

describe("waiting", () => {
  test("resolves with what the condition gives, now or after a step", async () => {
    const [client, socket] = await server.liveClient();
    await expect(client.until(() => client.version)).resolves.toBe(1);
    const filled = client.until(() => client.order("o1"));
    socket.step(2, own({ orders: { o1: { status: "FILLED" } } }));
    await expect(filled).resolves.toEqual({ status: "FILLED" });
    client.close();
  });

  test("asks no more once it is over", async () => {
    const [client, socket] = await server.liveClient();
    const condition = vi.fn(() => client.version === 2);
    const waited = client.until(condition);
    socket.step(2, own({ orders: {}, trades: { t: {} } }));
    await waited;
    const asked = condition.mock.calls.length;
    socket.step(3, own({ trades: { u: {} } }));
    expect(condition).toHaveBeenCalledTimes(asked);
    client.close();
  });

  test("ends in time", async () => {
    const [client] = await server.liveClient();
    const waited = expect(client.until(() => client.order("none"), { timeoutMs: 100 })).rejects.toThrow(TimeoutError);
    await passes(100);
    await waited;
    client.close();
  });

  test("ends with the client, and with a condition that throws", async () => {
    const [client] = await server.liveClient();
    const failing = client.until(() => {
      throw new RangeError("of the program");
    });
    await expect(failing).rejects.toThrow("of the program");
    const waited = expect(client.until(() => client.order("none"))).rejects.toThrow(ClosedError);
    client.close();
    await waited;
    await expect(client.until(() => client.order("none"))).rejects.toThrow(ClosedError);
  });
});

describe("the rest", () => {
  test("each notice is told once", async () => {
    const [client, socket] = await server.liveClient();
    const codes: number[] = [];
    client.onNotice(({ code }: Notice) => codes.push(code));
    const notice = (code: number): object => ({ type: "MESSAGE", level: "INFO", code, content: "" });
    socket.step(2, { notify: { n1: notice(1), n2: notice(2) } });
    socket.step(3, { notify: { n3: notice(3) } }, own({ orders: {} }));
    expect(codes).toEqual([1, 2, 3]);
    client.close();
  });

  test("a rollback logs in again at once, from the older version", async () => {
    const [client, socket] = await server.liveClient();
    socket.step(5, own({ orders: { o1: { status: "ALIVE" } } }));
    client.rollback(1);
    expect([client.version, client.orders, socket.closedByClient]).toEqual([1, {}, 4002]);
    expect((await server.socket(1)).open().heard()).toMatchObject([{ version: 1 }]);
    expect(() => client.rollback(5)).toThrow(/no picture at version 5/);
    client.close();
  });

  test("a client that is closed is closed for good, until it connects again", async () => {
    const [client, socket] = await server.liveClient();
    const states: string[] = [];
    client.onStatus(({ state }) => states.push(state));
    client.close();
    client.close();
    socket.cut(1000);
    await passes(60_000);
    expect([states, socket.closedByClient, server.sockets.length]).toEqual([["stopped"], 1000, 1]);
    const connected = client.connect();
    const next = (await server.socket(1)).open();
    expect(next.heard()).toMatchObject([{ version: 1 }]);
    next.says({ aid: "rtn_data", data: [], version: 1, log_id: "log" });
    await connected;
    client.close();
  });

  test("a client that is closed while it connects leaves nothing behind", async () => {
    const client = server.client();
    const connected = expect(client.connect()).rejects.toThrow(ClosedError);
    client.close();
    await connected;
    await passes(60_000);
    expect(server.sockets.length).toBe(0);
    expect(client.status.state).toBe("stopped");
  });

  test("the flat dialect has its own endpoint and places", async () => {
    const client = new ChronexClient({
      addresses: "ws://fake:1",
      login: LOGIN,
      dialect: "flat",
      WebSocket: server.WebSocket,
    });
    client.connect().catch(() => undefined);
    const socket = (await server.socket(0)).open();
    expect(socket.url).toBe("ws://fake:1/ws/diff");
    socket.full(1, {
      accounts: { alice: { balance: 1 } },
      orders: { o1: { volume: 2 } },
      trades: { t1: { timestamp: 3 } },
      positions: {},
    });
    expect([client.account?.balance, client.order("o1")?.volume, client.trade("t1")?.timestamp]).toEqual([1, 2, 3]);
    client.close();
  });
});
