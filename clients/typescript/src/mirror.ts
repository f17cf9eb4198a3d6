/**
 * The mirror: what the exchange shows one user, as of one place in its log.
 *
 * Pure: no socket, no clock. The laws, which the mirror of the Python client obeys too:
 * - a step is taken whole or not at all; a step that cannot be taken leaves the picture and throws;
 * - pictures never change; what a step does not touch keeps its identity in the next picture;
 * - callbacks come once, after the whole step.
 */

import { MirrorError } from "./errors.js";
import { type Step, readStep } from "./frame.js";
import { History } from "./history.js";
import { EMPTY, type Json, type JsonObject, type Path, valueAt } from "./json.js";
import { Listeners, type OnListenerError, throwLater } from "./listeners.js";
import { mergePatch } from "./merge.js";
import { type Limits, prune } from "./prune.js";

export interface MirrorOptions {
  /** How many pictures `at` and `rollback` can choose from, the present one among them; 100. */
  readonly historyMax?: number;
  /** What the mirror keeps of trades, finished orders and notices; all. */
  readonly limits?: Limits;
  /** Gets the exceptions of callbacks; they become uncaught ones. */
  readonly onListenerError?: OnListenerError;
}

/** What a callback is told: the value at its path before and after one step. */
export interface Change {
  readonly value: Json | undefined;
  readonly before: Json | undefined;
  readonly version: number | undefined;
}

interface Move {
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly version: number | undefined;
}

export class Mirror {
  readonly #limits: Limits;
  readonly #history: History;
  readonly #listeners: Listeners<Move>;
  #tree = EMPTY;
  #version: number | undefined;
  #logId: string | undefined;
  #untold: Move[] = [];
  #telling = false;

  constructor({ historyMax = 100, limits = {}, onListenerError = throwLater }: MirrorOptions = {}) {
    this.#history = new History(historyMax);
    this.#limits = limits;
    this.#listeners = new Listeners(onListenerError);
  }

  /** The picture: frozen, for ever as it is now. */
  get tree(): JsonObject {
    return this.#tree;
  }

  /** The place in the log that the picture shows; undefined before the first login. */
  get version(): number | undefined {
    return this.#version;
  }

  /** Names the log, the user and the wording that the version belongs to. */
  get logId(): string | undefined {
    return this.#logId;
  }

  /** What whoever comes back says of the mirror, so that the answer leads on from here; nothing before the first login. */
  get claim(): { readonly log_id?: string; readonly version?: number } {
    return this.#logId === undefined || this.#version === undefined
      ? {}
      : { log_id: this.#logId, version: this.#version };
  }

  /** The versions whose pictures are kept, rising; the last is the present one. */
  get versions(): readonly number[] {
    return this.#history.versions;
  }

  /** The value at a path, such as `["quotes", "SHFE.cu2701", "last_price"]`; undefined where there is none. */
  get(path: Path): Json | undefined {
    return valueAt(this.#tree, path);
  }

  /**
   * Take one `rtn_data`, as parsed JSON.
   *
   * Throws MirrorError where the frame is malformed, where its version falls, or where it belongs to another log without
   * being full. The mirror is then as before. A full step forgets the former pictures: there is no way back across it.
   */
  apply(frame: unknown): Step {
    const step = readStep(frame);
    this.#checkOrder(step);
    const merged = this.#merged(step);
    if (step.full) this.#history.clear();
    this.#logId = step.logId ?? this.#logId;
    this.#version = step.version ?? this.#version;
    if (this.#version !== undefined) this.#history.push({ version: this.#version, tree: merged });
    this.#moveTo(merged);
    return step;
  }

  /** The picture at one of `versions`; undefined where it is not kept. */
  at(version: number): JsonObject | undefined {
    return this.#history.find(version)?.tree;
  }

  /**
   * Go back to the picture at one of `versions`.
   *
   * What the exchange sends on the present connection leads from where it stood before: log in again with this version
   * (`ChronexClient.rollback` does). Throws MirrorError where that picture is not kept.
   */
  rollback(version: number): void {
    const tree = this.at(version);
    if (tree === undefined) {
      throw new MirrorError(
        `no picture at version ${version} is kept: there are ${this.versions.join(", ") || "none"}`,
      );
    }
    this.#history.dropFrom(version + 1);
    this.#version = version;
    this.#moveTo(tree);
  }

  /** Forget where the picture stands, and older ones: the next login then gets a full step. The picture stays. */
  forgetVersion(): void {
    this.#version = undefined;
    this.#logId = undefined;
    this.#history.clear();
  }

  /** Leave out what is above these limits now, from this picture on. */
  prune(limits: Limits): void {
    const pruned = prune(this.#tree, limits);
    if (this.#version !== undefined) this.#history.push({ version: this.#version, tree: pruned });
    this.#moveTo(pruned);
  }

  /**
   * Be called once after each step that changed what is at `path` or below; returns what ends it.
   *
   *     mirror.on(["trade", "alice", "orders"], ({ value, before }) => ...)
   *
   * A callback may do anything, also take or roll back steps: the calls of the later step come after those of this one.
   */
  on(path: Path, listener: (change: Change) => void): () => void {
    const keys = [...path];
    return this.#listeners.add(({ before, after, version }) => {
      const was = valueAt(before, keys);
      const is = valueAt(after, keys);
      if (was !== is) listener({ value: is, before: was, version });
    });
  }

  #checkOrder(step: Step): void {
    if (step.full) {
      if (step.version === undefined || step.logId === undefined) {
        throw new MirrorError("a full step must carry `version` and `log_id`");
      }
      return; // it begins anew, also where history was lost and versions fell
    }
    if (this.#version === undefined) return;
    if (step.logId !== undefined && step.logId !== this.#logId) {
      throw new MirrorError(`a mirror of ${this.#logId} cannot be led on by ${step.logId}`);
    }
    if (step.version !== undefined && step.version < this.#version) {
      throw new MirrorError(`version ${step.version} comes after ${this.#version}, and the step is not full`);
    }
  }

  #merged(step: Step): JsonObject {
    let tree: Json = step.full ? EMPTY : this.#tree;
    try {
      for (const patch of step.data) tree = mergePatch(tree, patch);
      return prune(tree as JsonObject, this.#limits);
    } catch (error) {
      throw new MirrorError("a step cannot be merged", { cause: error });
    }
  }

  #moveTo(tree: JsonObject): void {
    const before = this.#tree;
    this.#tree = tree;
    if (before === tree) return;
    this.#untold.push({ before, after: tree, version: this.#version });
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let move = this.#untold.shift(); move !== undefined; move = this.#untold.shift()) this.#listeners.tell(move);
    } finally {
      this.#telling = false;
    }
  }
}
