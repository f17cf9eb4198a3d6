/** The steps and patches that the exchange's own tests recorded: they give the same trees here. */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Mirror, mergePatch } from "../src/index.js";
import { type Json, isUnsafeKey } from "../src/json.js";

const FOLDER = new URL("../../../tests/vectors/", import.meta.url);

interface Merge {
  readonly name: string;
  readonly target: Json;
  readonly patch: Json;
  readonly result: Json;
}

interface Session {
  readonly dialect: string;
  readonly frames: readonly { readonly frame: object; readonly tree: Json; readonly version: number | null }[];
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), "utf-8")) as T;
}

/** The one difference that is meant: keys that reach prototypes are not taken. */
function safe(value: Json): Json {
  if (Array.isArray(value)) return value.map(safe);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key]) => !isUnsafeKey(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, safe(item as Json)]));
}

/** Whatever the order of keys: JavaScript moves those that look like numbers to the front. */
function sorted(value: Json): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
      : item,
  );
}

describe("merge.json", () => {
  test.each(read<Merge[]>("merge.json"))("$name", ({ target, patch, result }) => {
    expect(sorted(mergePatch(safe(target), patch))).toBe(sorted(safe(result)));
  });
});

const sessions = readdirSync(FOLDER).filter((name) => /^steps_\w+\.json$/.test(name));

test("there are recorded sessions", () => {
  expect(sessions).toContain("steps_guide.json");
});

describe.each(sessions)("%s", (name) => {
  const { frames } = read<Session>(name);

  test("the mirror's tree is the recorded one after every step", () => {
    const mirror = new Mirror();
    for (const { frame, tree, version } of frames) {
      mirror.apply(frame);
      expect(sorted(mirror.tree)).toBe(sorted(safe(tree)));
      expect(mirror.version).toBe(version ?? undefined);
    }
    expect(frames.length).toBeGreaterThan(10);
  });

  test("what is kept of former versions are the recorded trees", () => {
    const mirror = new Mirror({ historyMax: 1000 });
    let kept = new Map<number, string>();
    for (const { frame, tree, version } of frames) {
      if (mirror.apply(frame).full) kept = new Map();
      if (version !== null) kept.set(version, sorted(safe(tree)));
    }
    expect(mirror.versions).toEqual([...kept.keys()]);
    for (const [version, tree] of kept) expect(sorted(mirror.at(version) ?? null)).toBe(tree);
  });
});
