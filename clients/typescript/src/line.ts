/** Keeps a client connected: one conversation after the other, with a wait between, until it is told to stop. */

import { Backoff, hasteOf, type Haste } from "./backoff.js";
import { type AddressLogin, socketUrl } from "./address.js";
import { BAD_STEP, type Ending, NORMAL, ROLLED_BACK } from "./connection.js";
import { Conversation, type Identity } from "./conversation.js";
import { ClosedError, LoginError } from "./errors.js";
import type { Mirror } from "./mirror.js";
import type { Login, settled } from "./options.js";
import type { Dialect } from "./tree.js";

/** Where a client stands. */
export type Status =
  | { readonly state: "idle" }
  | { readonly state: "connecting"; readonly address: string }
  | { readonly state: "live"; readonly address: string }
  | { readonly state: "waiting"; readonly delayMs: number; readonly reason: string }
  | { readonly state: "stopped"; readonly error: LoginError | ClosedError };

export interface LineEvents {
  /** Called at each change of `status`. */
  changed(status: Status): void;
  /** A login succeeded: what the exchange does not know of this client any more is to be sent again. */
  loggedIn(): void;
  /** The mirror took a step after a login, if only an empty one: at least twice a minute as long as the line is good. */
  stepped(): void;
}

/** Codes of refused logins that say nothing of the login itself: too many attempts or connections, states of the server. */
function isPassing(code: number): boolean {
  return code === 1010 || code === 1012 || (code >= 5000 && code < 6000);
}

/** Tickets refused in a row: one may have expired on its way, or the server restarted; a second one is not worth a third. */
const REFUSED_TICKETS_MAX = 2;
/** Bad steps in a row, without a good one between, after which the mirror's version is not resumed from any more. */
const BAD_STEPS_MAX = 2;

export class Line<D extends Dialect> {
  readonly #backoff: Backoff;
  #status: Status = { state: "idle" };
  #conversation: Conversation | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts what was begun, so that whatever belongs to an older attempt is known by its number. */
  #attempt = 0;
  #addressIndex = 0;
  #liveSince = 0;
  #badSteps = 0;
  #refusedTickets = 0;

  constructor(
    private readonly options: ReturnType<typeof settled<D>>,
    private login: Login,
    private readonly mirror: Mirror,
    private readonly events: LineEvents,
  ) {
    this.#backoff = new Backoff(options.backoff, options.random);
  }

  get status(): Status {
    return this.#status;
  }

  get userName(): string {
    return this.login.userName;
  }

  get isRunning(): boolean {
    return this.#status.state !== "idle" && this.#status.state !== "stopped";
  }

  /** Begin, or begin again after a stop, by another password or token if one is given; the user stays the same. */
  start(login: Login = this.login): void {
    this.login = login;
    this.#refusedTickets = 0;
    this.#backoff.succeeded();
    void this.#connect();
  }

  stop(error: LoginError | ClosedError): void {
    this.#abandon(NORMAL, "the client stops");
    this.#become({ state: "stopped", error });
  }

  /** Send on the present connection, if it is logged in; else nothing is sent. */
  send(message: object): void {
    if (this.#conversation?.isLoggedIn === true) this.#conversation.send(message);
  }

  /** Log in again at once, from where the mirror now stands. */
  restart(): void {
    this.#abandon(ROLLED_BACK, "the mirror went back to an older version");
    void this.#connect();
  }

  get #address(): string {
    return this.options.addresses[this.#addressIndex % this.options.addresses.length] as string;
  }

  /** End whatever is under way without waiting for it. */
  #abandon(code: number, reason: string): void {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    const conversation = this.#conversation;
    this.#conversation = undefined;
    conversation?.end(code, reason);
  }

  async #connect(): Promise<void> {
    const attempt = ++this.#attempt;
    const address = this.#address;
    this.#become({ state: "connecting", address });
    try {
      const { identity, inAddress } = await this.#identify();
      if (attempt !== this.#attempt) return; // stopped while the ticket was fetched
      this.#converse(attempt, socketUrl(address, this.options.dialect, inAddress), identity);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      // A page that may not connect there, or a ticket that was not given: nothing was sent, the next attempt may do.
      this.#addressIndex += 1;
      this.#wait("usual", error instanceof Error ? error.message : String(error));
    }
  }

  /** How to log in on the next connection: by a message, or by its address. */
  async #identify(): Promise<{ readonly identity?: Identity; readonly inAddress?: AddressLogin }> {
    const { login } = this;
    if ("password" in login) return { identity: login };
    if ("token" in login) return { identity: { userName: login.userName, password: login.token } };
    return { inAddress: { user_id: login.userName, token: await login.ticket(), ...this.mirror.claim } };
  }

  #converse(attempt: number, url: string, identity: Identity | undefined): void {
    const { WebSocketClass, timing } = this.options;
    const isPresent = (): boolean => attempt === this.#attempt;
    this.#conversation = new Conversation(url, WebSocketClass, timing, identity, this.mirror, {
      loggedIn: () => isPresent() && this.#loggedIn(),
      refused: (error) => isPresent() && this.#refused(error),
      stepped: () => isPresent() && this.#stepped(),
      ended: (ending) => isPresent() && this.#ended(ending),
    });
  }

  #loggedIn(): void {
    this.#refusedTickets = 0;
    this.#liveSince = performance.now();
    const status: Status = { state: "live", address: this.#address };
    this.#status = status;
    // First what was waiting, so that whoever sends something on hearing of the login comes after it.
    this.events.loggedIn();
    if (this.#status === status) this.events.changed(status);
  }

  #stepped(): void {
    this.#badSteps = 0;
    this.events.stepped();
  }

  #refused(error: LoginError): void {
    const isFreshTicketDue = "ticket" in this.login && ++this.#refusedTickets < REFUSED_TICKETS_MAX;
    if (!isPassing(error.code) && !isFreshTicketDue) {
      this.stop(error);
      return;
    }
    this.#abandon(NORMAL, "the login is to be tried later");
    this.#wait("careful", error.message);
  }

  #ended({ code, reason }: Ending): void {
    const wasLive = this.#conversation?.isLoggedIn === true;
    this.#abandon(code, reason);
    if (code === BAD_STEP && ++this.#badSteps >= BAD_STEPS_MAX) {
      // The step from here to the present cannot be taken: begin anew with the whole picture.
      this.mirror.forgetVersion();
    }
    if (wasLive && performance.now() - this.#liveSince >= this.options.stableMs) this.#backoff.succeeded();
    if (!wasLive) this.#addressIndex += 1;
    const haste = hasteOf(code);
    // A server that calls back whom it has not even let in is not to be hurried after.
    this.#wait(
      haste === "soon" && !wasLive ? "usual" : haste,
      `the connection ended with ${code}${reason && `: ${reason}`}`,
    );
  }

  #wait(haste: Haste, reason: string): void {
    const delayMs = this.#backoff.next(haste);
    this.#timer = setTimeout(() => void this.#connect(), delayMs);
    this.#become({ state: "waiting", delayMs, reason });
  }

  #become(status: Status): void {
    this.#status = status;
    this.events.changed(status);
  }
}
