/** JSON merge patches (RFC 7396), applied without changing what is there. */

import { EMPTY, type Json, isObject, isUnsafeKey, newObject } from "./json.js";

/** How deeply a patch may be nested; the trees of the protocol have five levels. */
export const DEPTH_MAX = 32;

/**
 * The document that `patch` makes of `target`, which must be a result of this function or undefined.
 *
 * Both stay as they are. What the patch leaves as it was keeps its identity, up to the root: two trees tell by `===`
 * on any branch whether it changed. What is new is frozen, has no prototype, and lacks `__proto__`, `constructor` and
 * `prototype`. Throws RangeError where the patch is nested deeper than {@link DEPTH_MAX}. Source: RFC 7396, section 2.
 */
export function mergePatch(target: Json | undefined, patch: Json, depth = 0): Json {
  if (!isObject(patch)) return frozen(patch, depth);
  checkDepth(depth);
  const before = isObject(target) ? target : undefined;
  let merged: Record<string, Json> | undefined;
  for (const key of Object.keys(patch)) {
    if (isUnsafeKey(key)) continue;
    const value = patch[key] as Json;
    const known = before !== undefined && Object.hasOwn(before, key);
    if (value === null) {
      if (known) delete (merged ??= newObject(before))[key];
      continue;
    }
    const next = mergePatch(before?.[key], value, depth + 1);
    if (!known || next !== before[key]) (merged ??= newObject(before))[key] = next;
  }
  return merged === undefined ? (before ?? EMPTY) : Object.freeze(merged);
}

/** A copy of what replaces the former value as a whole: nulls within an array are values, not deletions. */
function frozen(value: Json, depth: number): Json {
  if (typeof value !== "object" || value === null) return value;
  checkDepth(depth);
  if (!isObject(value)) return Object.freeze(value.map((item) => frozen(item, depth + 1)));
  const copy = newObject();
  for (const key of Object.keys(value)) {
    if (!isUnsafeKey(key)) copy[key] = frozen(value[key] as Json, depth + 1);
  }
  return Object.freeze(copy);
}

function checkDepth(depth: number): void {
  // An own bound: where the engine's stack ends depends on who calls.
  if (depth >= DEPTH_MAX) throw new RangeError(`a patch is nested deeper than ${DEPTH_MAX}`);
}
