/** The last pictures of a mirror. They share what did not change between them, so each costs little. */

import type { JsonObject } from "./json.js";

export interface Picture {
  readonly version: number;
  readonly tree: JsonObject;
}

/** Pictures of one log, at rising versions, the newest last. */
export class History {
  #pictures: Picture[] = [];

  /** @param max how many pictures are kept; 0 keeps none. */
  constructor(readonly max: number) {
    if (!Number.isSafeInteger(max) || max < 0) throw new RangeError(`a history keeps 0 or more pictures, not ${max}`);
  }

  /** The versions that are kept, rising. */
  get versions(): readonly number[] {
    return this.#pictures.map((picture) => picture.version);
  }

  find(version: number): Picture | undefined {
    return this.#pictures.find((picture) => picture.version === version);
  }

  /** Keep a picture; those at its version and above are forgotten first, for the log has gone another way since. */
  push(picture: Picture): void {
    this.dropFrom(picture.version);
    this.#pictures.push(picture);
    if (this.#pictures.length > this.max) this.#pictures.shift();
  }

  /** Forget the pictures at this version and above. */
  dropFrom(version: number): void {
    while ((this.#pictures.at(-1)?.version ?? -1) >= version) this.#pictures.pop();
  }

  clear(): void {
    this.#pictures = [];
  }
}
