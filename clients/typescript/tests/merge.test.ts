import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergePatch } from "../src/index.js";
import { type Json, type JsonObject, isObject, isUnsafeKey } from "../src/json.js";
import { DEPTH_MAX } from "../src/merge.js";

fc.configureGlobal({ seed: 7396 });

const text = fc.oneof(
  fc.constantFrom("a", "b", "c", "toString", "length", "0", "__proto__", "constructor"),
  fc.string(),
);
const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false, 0, -1.5, "text"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(text, tie("value")), { maxLength: 4 }).map((entries) => parsed(entries)),
  ),
}));
const object = fc.array(fc.tuple(text, json), { maxLength: 4 }).map((entries) => parsed(entries));

/** As it comes off the wire: by `JSON.parse`, which makes own properties of `__proto__` too. */
function parsed(entries: (readonly [string, unknown])[]): JsonObject {
  const fields = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return JSON.parse(`{${fields.join(",")}}`) as JsonObject;
}

/** RFC 7396 as its text has it, on maps; slow and obvious. Unsafe keys are left out. */
function obvious(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return plain(patch);
  const merged = new Map<string, unknown>(target instanceof Map ? target : []);
  for (const [key, value] of Object.entries(patch)) {
    if (isUnsafeKey(key)) continue;
    if (value === null) merged.delete(key);
    else merged.set(key, obvious(merged.get(key), value));
  }
  return merged;
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  return new Map(Object.entries(value).flatMap(([key, item]) => (isUnsafeKey(key) ? [] : [[key, plain(item)]])));
}

const merged = (...patches: Json[]): Json =>
  patches.reduce<Json>((tree, patch) => mergePatch(tree, patch), mergePatch(undefined, {}));

describe("mergePatch", () => {
  test("does what RFC 7396 says, on any documents", () => {
    fc.assert(
      fc.property(fc.array(object, { maxLength: 5 }), (patches) => {
        const expected = patches.reduce<unknown>(obvious, new Map());
        expect(plain(merged(...patches))).toEqual(expected);
      }),
    );
  });

  test("changes neither the target nor the patch", () => {
    fc.assert(
      fc.property(object, object, (first, second) => {
        const target = merged(first);
        const before = [JSON.stringify(target), JSON.stringify(second)];
        mergePatch(target, second);
        expect([JSON.stringify(target), JSON.stringify(second)]).toEqual(before);
      }),
    );
  });

  test("keeps the identity of everything that is the same afterwards", () => {
    fc.assert(
      fc.property(object, object, (first, second) => {
        const target = merged(first) as JsonObject;
        const result = mergePatch(target, second) as JsonObject;
        for (const key of Object.keys(target)) {
          const same = JSON.stringify(target[key]) === JSON.stringify(result[key]);
          const isShared = target[key] === result[key];
          // Arrays are replaced as a whole: an equal one that a patch brought anew is another one.
          if (isShared || !JSON.stringify(second[key] ?? 0).includes("[")) expect(isShared).toBe(same);
        }
      }),
    );
  });

  test("leaves the target itself where the patch changes nothing", () => {
    const target = merged({ a: { b: 1 } });
    expect(mergePatch(target, { a: { b: 1, c: null }, d: null })).toBe(target);
  });

  test("freezes what it makes, at every depth", () => {
    const tree = merged({ a: { b: [{ c: 1 }] } }) as { a: { b: { c: number }[] } };
    for (const each of [tree, tree.a, tree.a.b, tree.a.b[0]]) expect(Object.isFrozen(each)).toBe(true);
  });

  test.each([
    '{"__proto__": {"polluted": 1}}',
    '{"constructor": {"prototype": {"polluted": 1}}}',
    '{"a": {"__proto__": {"polluted": 1}, "b": 2}}',
    '{"a": [{"__proto__": {"polluted": 1}}, [{"constructor": {"polluted": 1}}]]}',
    '{"a": {"prototype": {"__proto__": {"polluted": 1}}}, "__proto__": null}',
    '{"a": {"b": {"__proto__": "text", "constructor": null, "prototype": 3}}}',
  ])("drops keys that reach prototypes: %s", (patch) => {
    const tree = merged({ a: { kept: 1 } }, JSON.parse(patch) as Json);
    expect(JSON.stringify(tree)).not.toMatch(/polluted|__proto__|constructor|prototype/);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(tree)).toBeNull();
  });

  test("takes keys that objects inherit for keys", () => {
    const tree = merged({ toString: { a: 1 } }, { toString: { b: 2 }, hasOwnProperty: null, valueOf: "text" });
    expect(JSON.stringify(tree)).toBe('{"toString":{"a":1,"b":2},"valueOf":"text"}');
  });

  test.each(["{", "["])("bounds how deep it follows a patch of %s", (bracket) => {
    const close = bracket === "{" ? "}" : "]";
    const nested = (depth: number): Json => {
      const inner = bracket === "{" ? '{"a":'.repeat(depth - 1) + "{}" : "[".repeat(depth);
      return JSON.parse(inner + close.repeat(bracket === "{" ? depth - 1 : depth)) as Json;
    };
    expect(() => mergePatch(undefined, nested(DEPTH_MAX))).not.toThrow();
    expect(() => mergePatch(undefined, nested(DEPTH_MAX + 1))).toThrow(RangeError);
    expect(() => mergePatch(undefined, nested(100_000))).toThrow(RangeError);
  });
});
