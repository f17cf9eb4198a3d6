/** One logged-in conversation: the login, then one peek after the other, each answer a step for the mirror. */

import { BAD_STEP, Connection, type ConnectionTiming, type Ending, type WebSocketConstructor } from "./connection.js";
import { LoginError, MirrorError } from "./errors.js";
import { type Step, parseFrame } from "./frame.js";
import { type JsonObject, isObject } from "./json.js";
import type { Mirror } from "./mirror.js";

export interface ConversationEvents {
  /** The login succeeded and the mirror shows the present. */
  loggedIn(): void;
  /** The exchange refused the login; the connection is still open. */
  refused(error: LoginError): void;
  /** The mirror took a step after the login. */
  stepped(): void;
  /** The connection is over; with code BAD_STEP where a frame that could not be taken was the reason. */
  ended(ending: Ending): void;
}

/** Who logs in by a message; undefined where the address did so with a ticket. */
export interface Identity {
  readonly userName: string;
  /** Or a token. */
  readonly password: string;
}

const PEEK = { aid: "peek_message" };

export class Conversation {
  readonly #connection: Connection;
  #isLoggedIn = false;

  constructor(
    url: string,
    WebSocketClass: WebSocketConstructor,
    timing: ConnectionTiming,
    private readonly identity: Identity | undefined,
    private readonly mirror: Mirror,
    private readonly events: ConversationEvents,
  ) {
    this.#connection = new Connection(url, WebSocketClass, timing, {
      opened: () => this.#logIn(),
      received: (data) => this.#received(data),
      ended: (ending) => this.events.ended(ending),
    });
  }

  get isLoggedIn(): boolean {
    return this.#isLoggedIn;
  }

  send(message: object): void {
    this.#connection.send(message);
  }

  end(code: number, reason: string): void {
    this.#connection.end(code, reason);
  }

  #logIn(): void {
    if (this.identity === undefined) {
      this.#peek(); // a login by the address is answered when it is asked for
      return;
    }
    const { userName, password } = this.identity;
    this.send({ aid: "req_login", bid: "qaexchange", user_name: userName, password, ...this.mirror.claim });
  }

  #received(data: unknown): void {
    try {
      const frame = parseFrame(data);
      if (frame.aid === "rtn_data") this.#take(frame);
      // Other messages, such as pong, say no more than that the server is there.
    } catch (error) {
      if (!(error instanceof MirrorError)) throw error;
      this.end(BAD_STEP, `${error.message}${error.cause instanceof Error ? `: ${error.cause.message}` : ""}`);
    }
  }

  #take(frame: JsonObject): void {
    const step = this.mirror.apply(frame);
    if (this.#isLoggedIn) {
      this.#peek();
      this.events.stepped();
    } else if (step.version !== undefined) {
      this.#isLoggedIn = true;
      this.#peek();
      this.events.loggedIn();
    } else {
      const refusal = refusalIn(step);
      if (refusal !== undefined) this.events.refused(refusal);
      else if (this.identity === undefined) this.#peek(); // a word of the server, and not yet the answer
    }
  }

  /**
   * Ask for the next step. Exactly one such request is open at a time: the answer to a `req_login` came unasked, and every
   * other `rtn_data` answers the one before.
   */
  #peek(): void {
    this.send(PEEK);
  }
}

/** The notice by which a login was refused, if there is one. */
function refusalIn(step: Step): LoginError | undefined {
  for (const patch of step.data) {
    const notices = isObject(patch.notify) ? Object.values(patch.notify) : [];
    for (const notice of notices) {
      if (isObject(notice) && notice.level === "ERROR") {
        return new LoginError(Number(notice.code), String(notice.content));
      }
    }
  }
  return undefined;
}
