import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Change, Mirror, MirrorError } from "../src/index.js";
import { valueAt } from "../src/json.js";

fc.configureGlobal({ seed: 7396 });

const CUT = { trade: null, quotes: null, notify: null };

function full(version: number, ...data: unknown[]): object {
  return { aid: "rtn_data", data: [CUT, ...data], version, full: true, log_id: "log" };
}

function step(version: number, ...data: unknown[]): object {
  return { aid: "rtn_data", data, version };
}

/** A mirror of two orders and a quote at version 10. */
function mirrorAt10(): Mirror {
  const mirror = new Mirror();
  mirror.apply(
    full(10, {
      trade: { alice: { orders: { o1: { status: "ALIVE" }, o2: { status: "ALIVE" } } } },
      quotes: { q: { last_price: 1 } },
    }),
  );
  return mirror;
}

const ORDERS = ["trade", "alice", "orders"];

describe("a step", () => {
  test("is taken whole: its patches in order, then version and log", () => {
    const mirror = mirrorAt10();
    mirror.apply(
      step(
        12,
        { trade: { alice: { orders: { o1: { status: "FILLED" } } } } },
        { trade: { alice: { orders: { o2: null } } } },
      ),
    );
    expect(mirror.get(ORDERS)).toEqual({ o1: { status: "FILLED" } });
    expect([mirror.version, mirror.logId]).toEqual([12, "log"]);
  });

  test("without a version leaves the version", () => {
    const mirror = mirrorAt10();
    mirror.apply({ aid: "rtn_data", data: [{ notify: { n1: { code: 1002 } } }] });
    expect([mirror.version, mirror.get(["notify", "n1", "code"])]).toEqual([10, 1002]);
  });

  test("that is full begins from nothing, also where versions fall or the log is another one", () => {
    const mirror = mirrorAt10();
    mirror.apply(step(11, { of_another_server: "and not deleted by the full step" }));
    mirror.apply({ ...full(3, { quotes: {} }), log_id: "other" });
    expect([mirror.tree, mirror.version, mirror.logId]).toEqual([{ quotes: {} }, 3, "other"]);
  });

  test("shares all that it does not touch with the picture before", () => {
    const mirror = mirrorAt10();
    const before = mirror.tree;
    mirror.apply(step(11, { trade: { alice: { orders: { o1: { status: "FILLED" } } } } }));
    expect(mirror.tree.quotes).toBe(before.quotes);
    expect(mirror.get([...ORDERS, "o2"])).toBe(valueAt(before, [...ORDERS, "o2"]));
    expect(mirror.get(ORDERS)).not.toBe(valueAt(before, ORDERS));
  });

  const deep = JSON.parse(`${'{"a":'.repeat(50)}1${"}".repeat(50)}`) as object;
  test.each<[string, unknown]>([
    ["no object", 7],
    ["another aid", { aid: "pong" }],
    ["data that is no array", { aid: "rtn_data", data: {}, version: 11 }],
    ["a patch that is no object", step(11, { quotes: { q: null } }, null)],
    ["a patch that is an array", step(11, { quotes: { q: null } }, [])],
    ["a patch that is too deep, after a good one", step(11, { quotes: { q: null } }, deep)],
    ["a version that falls", step(9, { quotes: { q: null } })],
    ["a version that is no whole number", { ...step(11), version: 11.5 }],
    ["a version that is a text", { ...step(11), version: "11" }],
    ["a version that is null", { ...step(11), version: null }],
    ["a negative version", step(-1)],
    ["another log", { ...step(11, { quotes: { q: null } }), log_id: "other" }],
    ["a log_id that is no text", { ...step(11), log_id: 5 }],
    ["full that is no truth value", { ...step(11), full: "yes" }],
    ["a full step without a log", { aid: "rtn_data", data: [CUT], version: 11, full: true }],
    ["a full step without a version", { aid: "rtn_data", data: [CUT], full: true, log_id: "log" }],
  ])("that cannot be taken leaves everything as it was: %s", (_, frame) => {
    const mirror = mirrorAt10();
    const changes: Change[] = [];
    mirror.on([], (change) => changes.push(change));
    const before = [mirror.tree, mirror.version, mirror.logId, ...mirror.versions];
    expect(() => mirror.apply(frame)).toThrow(MirrorError);
    expect([mirror.tree, mirror.version, mirror.logId, ...mirror.versions]).toEqual(before);
    expect(mirror.tree).toBe(before[0]);
    expect(changes).toEqual([]);
  });

  test("tells why it could not be merged", () => {
    expect(() => mirrorAt10().apply(step(11, deep))).toThrow(
      expect.objectContaining({ cause: expect.any(RangeError) as unknown }),
    );
  });
});

describe("callbacks", () => {
  test("come once after the whole step, with the values before and after", () => {
    const mirror = mirrorAt10();
    const before = mirror.get(ORDERS);
    const changes: Change[] = [];
    mirror.on(ORDERS, (change) => {
      expect(mirror.version).toBe(11);
      expect(mirror.get(ORDERS)).toBe(change.value);
      changes.push(change);
    });
    mirror.apply(
      step(
        11,
        { trade: { alice: { orders: { o1: { status: "FILLED" } } } } },
        { trade: { alice: { orders: { o2: { status: "FILLED" } } } } },
      ),
    );
    expect(changes).toEqual([{ value: { o1: { status: "FILLED" }, o2: { status: "FILLED" } }, before, version: 11 }]);
  });

  test("come for their path and what is above and below it, for nothing beside it", () => {
    const mirror = mirrorAt10();
    const told: string[] = [];
    const paths = [
      [],
      ["trade"],
      ORDERS,
      [...ORDERS, "o1", "status"],
      [...ORDERS, "o2"],
      ["quotes", "q"],
      ["none", "such"],
    ];
    for (const path of paths) mirror.on(path, () => told.push(path.join(".")));
    mirror.apply(step(11, { trade: { alice: { orders: { o1: { status: "FILLED" } } } } }));
    expect(told).toEqual(["", "trade", "trade.alice.orders", "trade.alice.orders.o1.status"]);
  });

  test("keep the path that they were given", () => {
    const mirror = mirrorAt10();
    const told: unknown[] = [];
    const path = ["quotes", "q", "last_price"];
    mirror.on(path, ({ value }) => told.push(value));
    path.pop();
    mirror.apply(step(11, { quotes: { q: { last_price: 2 } } }));
    expect(told).toEqual([2]);
  });

  test("do not come where a step brings what is there already", () => {
    const mirror = mirrorAt10();
    mirror.on([], () => expect.unreachable());
    mirror.apply(step(11, { quotes: { q: { last_price: 1 } } }));
    expect(mirror.version).toBe(11);
  });

  test("tell what went away as undefined", () => {
    const mirror = mirrorAt10();
    const values: unknown[] = [];
    mirror.on(["quotes", "q", "last_price"], ({ value, before }) => values.push([before, value]));
    mirror.apply(step(11, { quotes: { q: null } }));
    expect(values).toEqual([[1, undefined]]);
  });

  test("end by what `on` returned, also while they are being called", () => {
    const mirror = mirrorAt10();
    const told: string[] = [];
    const ends: (() => void)[] = [];
    mirror.on(["quotes"], () => ends.forEach((end) => end()));
    ends.push(mirror.on(["quotes"], () => told.push("ended")));
    mirror.on(["quotes"], () => told.push("stays"));
    mirror.apply(step(11, { quotes: { q: { last_price: 2 } } }));
    expect(told).toEqual(["stays"]);
  });

  test("that fail disturb neither the mirror nor the others, and are told of", () => {
    const errors: unknown[] = [];
    const mirror = new Mirror({ onListenerError: (error) => errors.push(error) });
    const told: unknown[] = [];
    const failure = new Error("of the program");
    mirror.on([], () => {
      throw failure;
    });
    mirror.on([], ({ version }) => told.push(version));
    mirror.apply(full(1, { quotes: {} }));
    expect([mirror.version, told, errors]).toEqual([1, [1], [failure]]);
  });

  test("that take a step of their own hear of it after everybody has heard of the first", () => {
    const mirror = mirrorAt10();
    const told: unknown[] = [];
    mirror.on(["quotes"], ({ version }) => {
      if (version === 11) mirror.apply(step(12, { quotes: { q: { last_price: 3 } } }));
    });
    mirror.on(["quotes", "q", "last_price"], ({ value, before, version }) => told.push([before, value, version]));
    mirror.apply(step(11, { quotes: { q: { last_price: 2 } } }));
    expect(told).toEqual([
      [1, 2, 11],
      [2, 3, 12],
    ]);
  });
});

describe("history", () => {
  test("keeps the newest pictures, the present one last", () => {
    const mirror = new Mirror({ historyMax: 3 });
    mirror.apply(full(1));
    for (const version of [2, 4, 6]) mirror.apply(step(version, { quotes: { q: { last_price: version } } }));
    expect(mirror.versions).toEqual([2, 4, 6]);
    expect(mirror.at(1)).toBeUndefined();
    expect(mirror.at(4)).toEqual({ quotes: { q: { last_price: 4 } } });
  });

  test("has one picture for a version, the last one seen there", () => {
    const mirror = mirrorAt10();
    mirror.apply(step(10, { ins_list: "q" }));
    expect(mirror.versions).toEqual([10]);
    expect(mirror.at(10)).toBe(mirror.tree);
  });

  test("goes back: the picture as it was, callbacks told, later versions forgotten", () => {
    const mirror = mirrorAt10();
    const tree = mirror.tree;
    mirror.apply(step(11, { quotes: { q: { last_price: 2 } } }));
    const told: unknown[] = [];
    mirror.on(["quotes", "q", "last_price"], ({ value, version }) => told.push([value, version]));
    mirror.rollback(10);
    expect([mirror.version, mirror.logId, mirror.versions]).toEqual([10, "log", [10]]);
    expect(mirror.tree).toBe(tree);
    expect(told).toEqual([[1, 10]]);
  });

  test("has no way to a version that it does not keep", () => {
    const mirror = mirrorAt10();
    const { tree } = mirror;
    expect(() => mirror.rollback(9)).toThrow(/no picture at version 9 is kept: there are 10/);
    expect([mirror.version, mirror.tree === tree]).toEqual([10, true]);
  });

  test("does not reach across a full step", () => {
    const mirror = mirrorAt10();
    mirror.apply(full(20, { quotes: {} }));
    expect(mirror.versions).toEqual([20]);
  });

  test("may be switched off", () => {
    const mirror = new Mirror({ historyMax: 0 });
    mirror.apply(full(1));
    expect(mirror.versions).toEqual([]);
    expect(() => new Mirror({ historyMax: -1 })).toThrow(RangeError);
  });

  test("rolled back and led on again, a mirror is what it would have been", () => {
    const price = fc.integer({ min: 1, max: 4 });
    const patch = fc.record({
      quotes: fc.dictionary(fc.constantFrom("p", "q", "r"), fc.option(fc.record({ last_price: price }))),
    });
    fc.assert(
      fc.property(fc.array(patch, { minLength: 1, maxLength: 8 }), fc.nat(), (patches, choice) => {
        const mirror = new Mirror();
        mirror.apply(full(0));
        patches.forEach((each, index) => mirror.apply(step(index + 1, each)));
        const [end, back] = [mirror.tree, choice % (patches.length + 1)];
        mirror.rollback(back);
        // As after a resume: one step with everything that came since.
        mirror.apply(step(patches.length, ...patches.slice(back)));
        expect(mirror.tree).toEqual(end);
      }),
    );
  });
});

describe("pruning", () => {
  const order = (seqno: number, status: string): object => ({ seqno, status });

  test("leaves out the oldest finished orders and trades, and no working order", () => {
    const mirror = new Mirror({ limits: { finishedOrders: 2, trades: 1 } });
    const orders = {
      a: order(1, "FILLED"),
      b: order(2, "ALIVE"),
      c: order(4, "CANCELLED"),
      d: order(3, "REJECTED"),
      e: order(5, "PARTIALLY_FILLED"),
    };
    mirror.apply(full(5, { trade: { alice: { orders, trades: { "9B": { seqno: 9 }, "10B": { seqno: 10 } } } } }));
    expect(Object.keys(mirror.get(ORDERS) as object)).toEqual(["b", "c", "d", "e"]);
    expect(Object.keys(mirror.get(["trade", "alice", "trades"]) as object)).toEqual(["10B"]);
  });

  test("does so in the flat dialect too", () => {
    const mirror = new Mirror({ limits: { finishedOrders: 1, trades: 1 } });
    mirror.apply(
      full(5, {
        orders: { a: order(2, "FILLED"), b: order(1, "FILLED") },
        trades: { x: { timestamp: 2 }, y: { timestamp: 1 } },
      }),
    );
    expect(mirror.tree).toEqual({ orders: { a: order(2, "FILLED") }, trades: { x: { timestamp: 2 } } });
  });

  test("keeps the newest notices in the order in which they came", () => {
    const mirror = new Mirror({ limits: { notices: 2 } });
    mirror.apply(full(1));
    for (const id of ["n.1", "n.2", "n.3"])
      mirror.apply({ aid: "rtn_data", data: [{ notify: { [id]: { code: 1 } } }] });
    expect(Object.keys(mirror.tree.notify as object)).toEqual(["n.2", "n.3"]);
  });

  test("leaves the same tree where nothing is too much", () => {
    const limited = new Mirror({ limits: { finishedOrders: 9, trades: 9, notices: 9 } });
    limited.apply(full(1, { trade: { alice: { orders: { a: order(1, "FILLED") } } }, notify: { n: { code: 1 } } }));
    const { tree } = limited;
    limited.prune({ finishedOrders: 1 });
    expect(limited.tree).toBe(tree);
  });

  test("happens on demand too, and tells callbacks", () => {
    const mirror = new Mirror();
    mirror.apply(full(3, { trade: { alice: { trades: { x: { seqno: 1 }, y: { seqno: 2 } } } } }));
    const told: unknown[] = [];
    mirror.on(["trade", "alice", "trades"], ({ value }) => told.push(value));
    mirror.prune({ trades: 1 });
    expect(told).toEqual([{ y: { seqno: 2 } }]);
    expect(mirror.at(3)).toBe(mirror.tree);
  });
});
