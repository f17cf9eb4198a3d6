/** A server in the same process, whose every word the test says: sockets that nothing travels through. */

import { ChronexClient, type ClientOptions, type WebSocketConstructor, type WebSocketLike } from "../../src/index.js";

export type Message = Record<string, unknown>;

export const LOGIN = { userName: "alice", password: "passw0rd" };

/** One connection, seen from the server. */
export class FakeSocket implements WebSocketLike {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** What the client sent, and the test has not looked at yet. */
  readonly inbox: Message[] = [];
  /** The code by which the client ended the connection; 0 where it gave none. */
  closedByClient: number | undefined;
  terminated = false;

  constructor(readonly url: string) {}

  // The client's side.

  send(data: string): void {
    this.inbox.push(JSON.parse(data) as Message);
  }

  close(code?: number): void {
    this.closedByClient = code ?? 0;
  }

  terminate(): void {
    this.terminated = true;
  }

  // The server's side.

  open(): this {
    this.onopen?.();
    return this;
  }

  /** The oldest messages that were not looked at, all of them. */
  heard(): Message[] {
    return this.inbox.splice(0);
  }

  says(frame: unknown): void {
    this.saysText(JSON.stringify(frame));
  }

  saysText(data: unknown): void {
    this.onmessage?.({ data });
  }

  /** Answer a peek, or the login. */
  step(version: number, ...data: object[]): void {
    this.says({ aid: "rtn_data", data, version });
  }

  full(version: number, ...data: object[]): void {
    this.says({
      aid: "rtn_data",
      data: [{ trade: null, quotes: null, notify: null }, ...data],
      version,
      full: true,
      log_id: "log",
    });
  }

  refuse(code: number): void {
    const notice = { type: "MESSAGE", level: "ERROR", code, content: "no" };
    this.says({ aid: "rtn_data", data: [{ notify: { auth_result: notice } }] });
  }

  cut(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason });
  }
}

export class FakeServer {
  readonly sockets: FakeSocket[] = [];
  readonly WebSocket: WebSocketConstructor;
  #arrived: (() => void)[] = [];

  constructor() {
    const arrived = (socket: FakeSocket): void => {
      this.sockets.push(socket);
      for (const tell of this.#arrived.splice(0)) tell();
    };
    this.WebSocket = class extends FakeSocket {
      constructor(url: string) {
        super(url);
        arrived(this);
      }
    };
  }

  /** A client of this server with the usual login, unless the options say otherwise. */
  client(options: Partial<ClientOptions<"guide">> = {}): ChronexClient {
    return new ChronexClient({
      addresses: "ws://fake:1",
      login: LOGIN,
      WebSocket: this.WebSocket,
      random: () => 0.5,
      ...options,
    });
  }

  /** The connection of this number, from 0, once it is there. */
  async socket(number: number): Promise<FakeSocket> {
    for (;;) {
      const socket = this.sockets[number];
      if (socket !== undefined) return socket;
      await new Promise<void>((resolve) => this.#arrived.push(resolve));
    }
  }

  /** A client that is logged in at version 1, on connection 0, with its first messages looked at. */
  async liveClient(options: Partial<ClientOptions<"guide">> = {}): Promise<[ChronexClient, FakeSocket]> {
    const client = this.client(options);
    const connected = client.connect();
    const socket = (await this.socket(0)).open();
    socket.full(1, { trade: { alice: { accounts: {}, positions: {}, orders: {}, trades: {} } } });
    await connected;
    socket.heard();
    return [client, socket];
  }
}

/** A patch of the user's own branch. */
export function own(branch: object): object {
  return { trade: { alice: branch } };
}
