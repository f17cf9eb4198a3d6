/** One frame of the server, read and checked before anything is done with it. */

import { MirrorError } from "./errors.js";
import { type JsonObject, isObject } from "./json.js";

/** The longest frame that is read, in UTF-16 units. */
export const FRAME_MAX = 10 * 1024 * 1024;

/** One `rtn_data`: its patches lead the mirror to `version` together or not at all. */
export interface Step {
  readonly data: readonly JsonObject[];
  /** The place in the exchange's log that the mirror then shows; undefined before the login. */
  readonly version: number | undefined;
  /** Names the log, the user and the wording; with login answers and full steps only. */
  readonly logId: string | undefined;
  /** Whether the step begins from nothing. */
  readonly full: boolean;
}

/** The JSON object of a frame's text. Throws MirrorError where it is none. */
export function parseFrame(text: unknown): JsonObject {
  if (typeof text !== "string") throw new MirrorError("a frame of the server is not text");
  if (text.length > FRAME_MAX) throw new MirrorError(`a frame has ${text.length} characters, at most ${FRAME_MAX}`);
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch (error) {
    throw new MirrorError(`a frame is not JSON: ${shown(text)}`, { cause: error });
  }
  if (!isObject(frame)) throw new MirrorError(`a frame is no JSON object: ${shown(text)}`);
  return frame;
}

/** The step of a frame. Throws MirrorError where a field is missing or is not what the protocol says. */
export function readStep(frame: unknown): Step {
  if (!isObject(frame) || frame.aid !== "rtn_data") throw new MirrorError("the frame is no rtn_data");
  const { data, version, log_id: logId, full } = frame;
  if (!Array.isArray(data) || !data.every(isObject)) throw new MirrorError("`data` must be an array of objects");
  if (version !== undefined && !isVersion(version)) throw new MirrorError(`${shown(version)} is no version`);
  if (logId !== undefined && typeof logId !== "string") throw new MirrorError(`${shown(logId)} is no log_id`);
  if (full !== undefined && typeof full !== "boolean") throw new MirrorError("`full` must be true or false");
  return { data: data as JsonObject[], version, logId, full: full === true };
}

function isVersion(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The beginning of what came, for an error's text. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}
