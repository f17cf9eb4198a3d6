/** One WebSocket: it opens, carries messages, and ends exactly once, also where nobody says that it has ended. */

/** What is used of a WebSocket: the one of browsers and of Node 22, and that of the package `ws`, have it. */
export interface WebSocketLike {
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(data: string): void;
  close(code?: number): void;
  /** Ends the connection without a handshake, where the implementation can do that. */
  terminate?(): void;
}

export type WebSocketConstructor = new (url: string) => WebSocketLike;

export interface ConnectionTiming {
  /** Milliseconds that opening may take. */
  readonly openMs: number;
  /** Milliseconds without a word from the server after which it is asked whether it is there. */
  readonly quietMs: number;
  /** Milliseconds that it may take for the answer; then the connection counts as broken. */
  readonly answerMs: number;
}

export const CONNECTION_TIMING: ConnectionTiming = { openMs: 10_000, quietMs: 20_000, answerMs: 10_000 };

/** How a connection ended: the close code and reason of whoever ended it, 1006 where it just broke. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** The codes of this side, from 4000 on, where codes are free for applications: the server fell silent; */
export const SILENT = 4000;
/** it sent what could not be taken; */
export const BAD_STEP = 4001;
/** the mirror went back to an older version. */
export const ROLLED_BACK = 4002;
/** The usual end. */
export const NORMAL = 1000;

export interface ConnectionEvents {
  opened(): void;
  /** The data of a message; anything but a string is a violation of the protocol. */
  received(data: unknown): void;
  /** Called exactly once, after which nothing is called any more. */
  ended(ending: Ending): void;
}

export class Connection {
  readonly #socket: WebSocketLike;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heardAt = 0;
  #hasEnded = false;

  /** Throws whatever the constructor of the WebSocket throws, such as for an address that is none. */
  constructor(
    url: string,
    WebSocketClass: WebSocketConstructor,
    private readonly timing: ConnectionTiming,
    private readonly events: ConnectionEvents,
  ) {
    const socket = (this.#socket = new WebSocketClass(url));
    socket.onopen = () => this.#opened();
    socket.onmessage = (event: { readonly data: unknown }) => this.#received(event.data);
    socket.onclose = (event: Ending) => this.#ended({ code: event.code, reason: event.reason });
    // `close` follows and has all that is known. `ws` throws where nobody listens for errors.
    socket.onerror = () => undefined;
    this.#timer = setTimeout(() => this.end(SILENT, `not open within ${timing.openMs} ms`), timing.openMs);
  }

  /** Send a message; does nothing once the connection has ended. */
  send(message: object): void {
    if (!this.#hasEnded) this.#socket.send(JSON.stringify(message));
  }

  /** End it from this side, at once: a dead line would let the closing handshake wait for minutes. */
  end(code: number, reason: string): void {
    if (this.#hasEnded) return;
    this.#ended({ code, reason });
    if (code === SILENT && this.#socket.terminate !== undefined) this.#socket.terminate();
    else this.#socket.close(code); // the reason is for this side: on the wire it may not be longer than 123 bytes
  }

  #opened(): void {
    if (this.#hasEnded) return;
    this.#heardAt = performance.now();
    this.#watchFor(this.timing.quietMs);
    this.events.opened();
  }

  #received(data: unknown): void {
    if (this.#hasEnded) return; // what arrives while the socket still closes
    this.#heardAt = performance.now();
    this.events.received(data);
  }

  #ended(ending: Ending): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#timer);
    this.events.ended(ending);
  }

  /** Look again when the server will have been silent for `quietMs`, if it says nothing until then. */
  #watchFor(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const silentFor = performance.now() - this.#heardAt;
      if (silentFor < this.timing.quietMs) this.#watchFor(this.timing.quietMs - silentFor);
      else this.#ask();
    }, ms);
  }

  #ask(): void {
    const askedAt = performance.now();
    this.send({ aid: "ping" });
    this.#timer = setTimeout(() => {
      if (this.#heardAt >= askedAt) this.#watchFor(this.timing.quietMs);
      else this.end(SILENT, `silent for ${Math.round(performance.now() - this.#heardAt)} ms`);
    }, this.timing.answerMs);
  }
}
