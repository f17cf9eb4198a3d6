/** The client: a mirror that stays connected, and what a program does with it. */

import { ClosedError } from "./errors.js";
import { EMPTY, type Path, isObject } from "./json.js";
import { Line, type Status } from "./line.js";
import { Listeners } from "./listeners.js";
import { Mirror } from "./mirror.js";
import { type ClientOptions, type Login, settled } from "./options.js";
import { type NewOrder, cancelMessage, insertMessage } from "./order.js";
import { Outbox, type Pending, type Refused } from "./outbox.js";
import { isFinished } from "./prune.js";
import { Subscriptions } from "./subscriptions.js";
import type { Account, Dialect, Notice, Order, Part, Position, Quote, Rows, Trade, Tree } from "./tree.js";
import { pathOf } from "./tree.js";
import { type Surroundings, type Truthful, until } from "./waiting.js";

export class ChronexClient<D extends Dialect = "guide"> {
  /** The picture of this user's account and quotes. Read it, and listen to it; what leads it on is the client. */
  readonly mirror: Mirror;
  readonly dialect: D;
  readonly #options: ReturnType<typeof settled<D>>;
  readonly #line: Line<D>;
  readonly #outbox: Outbox;
  readonly #subscriptions = new Subscriptions();
  readonly #statusListeners: Listeners<Status>;
  readonly #noticeListeners: Listeners<Notice>;
  readonly #givenUpListeners: Listeners<Pending>;
  readonly #refusedListeners: Listeners<Refused>;
  /** The list that the exchange has on the present connection. */
  #sentInsList = "";

  /** Nothing is connected yet. Throws TypeError where there is no address or no WebSocket. */
  constructor(options: ClientOptions<D>) {
    this.#options = settled(options);
    const { dialect, limits, pendingMax } = this.#options;
    const { historyMax, onListenerError } = options;
    this.dialect = dialect;
    this.mirror = new Mirror({
      limits,
      ...(historyMax !== undefined && { historyMax }),
      ...(onListenerError && { onListenerError }),
    });
    this.#statusListeners = new Listeners(onListenerError);
    this.#noticeListeners = new Listeners(onListenerError);
    this.#givenUpListeners = new Listeners(onListenerError);
    this.#refusedListeners = new Listeners(onListenerError);
    this.#outbox = new Outbox(pendingMax);
    this.#line = new Line(this.#options, options.login, this.mirror, {
      changed: (status) => this.#statusListeners.tell(status),
      loggedIn: () => this.#resume(),
      stepped: () => this.#giveUp(),
    });
    // Before all other callbacks, so that they find `pending` as it is after the step.
    this.mirror.on([], () => this.#settle());
    this.mirror.on(["notify"], ({ value, before }) => this.#tellNotices(value, before));
  }

  // The connection.

  get status(): Status {
    return this.#line.status;
  }

  get userName(): string {
    return this.#line.userName;
  }

  /**
   * Connect and log in; from then on the client comes back by itself whenever the line breaks.
   *
   * Resolves with the first picture. Rejects with LoginError where the exchange refuses the login, with ClosedError after
   * `close`. Servers that cannot be reached are tried for ever; `onStatus` tells. After a refusal, call it again with
   * another password or token. Throws TypeError for another user, or where the client is running and a login is given.
   */
  async connect(login?: Login): Promise<void> {
    if (login !== undefined && login.userName !== this.userName) {
      throw new TypeError(`this client is ${this.userName}'s; make another one for ${login.userName}`);
    }
    if (!this.#line.isRunning) this.#line.start(login);
    else if (login !== undefined) throw new TypeError("close the client before it logs in by something else");
    await until(() => this.status.state === "live", undefined, this.#surroundings);
  }

  /** End the connection and stop. What waits for something is rejected with ClosedError. */
  close(): void {
    if (this.status.state !== "stopped") this.#line.stop(new ClosedError("the client was closed"));
  }

  /** Be called at each change of `status`; returns what ends it. */
  onStatus(listener: (status: Status) => void): () => void {
    return this.#statusListeners.add(listener);
  }

  /** Be called for each notice that arrives, the answers to logins among them; returns what ends it. */
  onNotice(listener: (notice: Notice) => void): () => void {
    return this.#noticeListeners.add(listener);
  }

  /** Go back to the picture at one of `mirror.versions` and log in again from there. Throws MirrorError where it is not kept. */
  rollback(version: number): void {
    this.mirror.rollback(version);
    if (this.#line.isRunning) this.#line.restart();
  }

  /**
   * Wait until `condition` gives something other than undefined, null or false, and resolve with that.
   *
   * It is asked now and after every step and change of status. Rejects with TimeoutError after `timeoutMs` (30 s), with
   * LoginError or ClosedError once the client has stopped, and with whatever the condition throws.
   */
  until<T>(condition: () => T, { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<Truthful<T>> {
    return until(condition, timeoutMs, this.#surroundings);
  }

  // Trading.

  /**
   * Send an order and return its id at once; its outcome shows in the mirror: `await client.until(() => client.order(id))`.
   *
   * Until the mirror shows the order it is kept, and sent again with the same id after a login: the exchange gives the
   * first outcome to an id that it knows, so it is never filled twice. An order that found no outcome for `resendMs`
   * is given up (`onGivenUp`), at the next step or login. Offline it is kept likewise. Throws RangeError for what cannot
   * be sent, QueueFullError where too many wait.
   */
  insert(order: NewOrder): string {
    const message = insertMessage(order);
    this.#post("insert", message.order_id, message);
    return message.order_id;
  }

  /** Cancel an order; kept and sent again as orders are, until the mirror shows that the order is finished. */
  cancel(orderId: string): void {
    this.#post("cancel", orderId, cancelMessage(orderId));
  }

  /** Orders and cancels whose outcome the mirror does not show yet, the oldest first. */
  get pending(): readonly Pending[] {
    return this.#outbox.pending;
  }

  /**
   * Be called for each order or cancel that the exchange did not take: it is busy, a field is wrong, there is no such
   * order. An order that the rules refuse is none of these: it shows in the mirror as REJECTED.
   */
  onRefused(listener: (refused: Refused) => void): () => void {
    return this.#refusedListeners.add(listener);
  }

  /** Be called for each order or cancel that is given up: look for it in the mirror before you send another. */
  onGivenUp(listener: (pending: Pending) => void): () => void {
    return this.#givenUpListeners.add(listener);
  }

  // Quotes.

  /**
   * Watch the quotes of these instruments; returns what ends it. A quote is sent as long as anybody watches it.
   *
   * Throws RangeError for a name that can be none, or where more than 1000 are watched together.
   */
  subscribe(...instruments: readonly string[]): () => void {
    const end = this.#subscriptions.add(instruments);
    this.#subscribeSoon();
    return () => {
      end();
      this.#subscribeSoon();
    };
  }

  // What the mirror shows. All of it is frozen; what a step did not touch is the same object as before.

  get tree(): Tree<D> {
    return this.mirror.tree as Tree<D>;
  }

  get version(): number | undefined {
    return this.mirror.version;
  }

  get account(): Account | undefined {
    return this.#part("account") as Account | undefined;
  }

  /** By instrument, such as `SHFE.cu2701`. */
  get positions(): Rows<Position> {
    return this.#rows("positions");
  }

  get orders(): Rows<Order<D>> {
    return this.#rows("orders");
  }

  get trades(): Rows<Trade<D>> {
    return this.#rows("trades");
  }

  get quotes(): Rows<Quote> {
    return (this.mirror.tree.quotes ?? EMPTY) as Rows<Quote>;
  }

  /** What the exchange told this connection, by notice id, the oldest first. */
  get notices(): Rows<Notice> {
    return (this.mirror.tree.notify ?? EMPTY) as Rows<Notice>;
  }

  position(instrumentId: string): Position | undefined {
    return this.#row(this.pathOf("positions"), instrumentId);
  }

  order(orderId: string): Order<D> | undefined {
    return this.#row(this.pathOf("orders"), orderId);
  }

  trade(tradeId: string): Trade<D> | undefined {
    return this.#row(this.pathOf("trades"), tradeId);
  }

  quote(instrumentId: string): Quote | undefined {
    return this.#row(["quotes"], instrumentId);
  }

  /** Where a part of this user's picture is in the tree, for `mirror.on`. */
  pathOf(part: Part): Path {
    return pathOf(this.dialect, this.userName, part);
  }

  #part(part: Part): unknown {
    return this.mirror.get(this.pathOf(part));
  }

  #rows<Row>(part: Part): Rows<Row> {
    return (this.#part(part) ?? EMPTY) as Rows<Row>;
  }

  #row<Row>(path: Path, id: string): Row | undefined {
    return this.mirror.get([...path, id]) as Row | undefined;
  }

  // Within.

  #post(kind: Pending["kind"], orderId: string, message: Readonly<Record<string, unknown>>): void {
    this.#outbox.add({ kind, orderId, message, at: performance.now() });
    this.#line.send(message);
  }

  /** After a login: forget what has an outcome by now, send the rest again, and the subscriptions. */
  #resume(): void {
    this.#settle();
    this.#giveUp();
    for (const { message } of this.#outbox.sendAgain()) this.#line.send(message);
    this.#sentInsList = "";
    this.#sendSubscriptions();
  }

  #settle(): void {
    this.#outbox.settle(
      (orderId) => this.order(orderId) !== undefined,
      (orderId) => isFinished(this.mirror.get([...this.pathOf("orders"), orderId])),
    );
  }

  /** Forget what had its time. */
  #giveUp(): void {
    const oldest = performance.now() - this.#options.resendMs;
    for (const pending of this.#outbox.giveUpBefore(oldest)) this.#givenUpListeners.tell(pending);
  }

  /** After what the program does in this go, so that many changes are one message. */
  #subscribeSoon(): void {
    queueMicrotask(() => this.#sendSubscriptions());
  }

  #sendSubscriptions(): void {
    const insList = this.#subscriptions.insList;
    if (this.status.state !== "live" || insList === this.#sentInsList) return;
    this.#sentInsList = insList;
    this.#line.send({ aid: "subscribe_quote", ins_list: insList });
  }

  #tellNotices(value: unknown, before: unknown): void {
    const known = isObject(before) ? before : {};
    for (const [id, notice] of Object.entries(isObject(value) ? value : {})) {
      if (notice === known[id]) continue;
      const told = notice as unknown as Notice;
      const pending = this.#outbox.refusedBy(told);
      this.#noticeListeners.tell(told);
      if (pending !== undefined) this.#refusedListeners.tell({ pending, notice: told });
    }
  }

  get #surroundings(): Surroundings {
    return {
      watch: (ask) => {
        const ends = [this.mirror.on([], ask), this.#statusListeners.add(ask)];
        return () => ends.forEach((end) => end());
      },
      whyOver: () => (this.status.state === "stopped" ? this.status.error : undefined),
    };
  }
}
