/**
 * JSON as the mirror holds it: frozen objects without a prototype, so that a key from the wire is a key and nothing else.
 */

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** The keys from the root of a tree to a place in it; an empty path is the whole tree. */
export type Path = readonly string[];

/**
 * Keys that reach an object's prototype in JavaScript. `JSON.parse` makes an own property even of `__proto__`, and whoever
 * copies such an object later sets a prototype by it; so these keys are dropped where they come in.
 */
const UNSAFE_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

export function isUnsafeKey(key: string): boolean {
  return UNSAFE_KEYS.has(key);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object of JSON that is still being built; it has no prototype. */
export function newObject(copied?: JsonObject): Record<string, Json> {
  return Object.assign(Object.create(null) as Record<string, Json>, copied);
}

/** The object with nothing in it: always the same one, for whoever compares by identity. */
export const EMPTY: JsonObject = Object.freeze(newObject());

/** The value at a path; undefined where there is none. */
export function valueAt(tree: Json | undefined, path: Path): Json | undefined {
  let value = tree;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}
