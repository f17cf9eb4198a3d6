"""One client's conversation, without sockets: what it says comes in as text, what it is told goes out as steps.

Here is decided who speaks, what is done about it, and when a step is due; what is in a step is the business of `Steps`.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple, assert_never

from exchange.domain.commands import Command
from exchange.domain.events import Facts
from exchange.domain.values import InstrumentId
from exchange.gateway.access import MESSAGE_ACTS, may
from exchange.gateway.address import address_login
from exchange.gateway.claims import Claim, HistoryDiffersError
from exchange.gateway.dialects import Dialect
from exchange.gateway.messages import (
    NAME_CHARACTERS_MAX,
    CancelOrderMessage,
    ChangePassword,
    ConfirmSettlement,
    FieldError,
    FrameError,
    InsertOrderMessage,
    MalformedMessageError,
    Message,
    PeekMessage,
    Ping,
    ReqLogin,
    SetChart,
    SubscribeQuote,
    UnknownAidError,
    aid_of,
    parse,
)
from exchange.gateway.notices import Answered, Code
from exchange.gateway.orders import answered_order, cancel_order, insert_order
from exchange.gateway.steps import Steps
from exchange.gateway.surroundings import Desk, Level, Line, News, User

INBOX_MAX: Final = 64
"""Messages that may wait while a password is being checked."""
INBOX_MAX_BYTES: Final = 128 * 1024
"""The same in bytes, one message of any length apart: hundreds of strangers may be having a password checked."""
WRONG_LOGINS_MAX: Final = 10
"""Wrong logins that end a connection: each costs a slow hash, and whoever guesses must not do it for ever."""
SUBSCRIPTIONS_MAX: Final = 1_000
"""Instruments one connection may subscribe to."""
NAMES_MAX: Final = 2 * SUBSCRIPTIONS_MAX
"""The most names of one message, also where some come twice: to look at each of very many would hold others up."""
SUBSCRIPTIONS_PER_USER_MAX: Final = 10 * SUBSCRIPTIONS_MAX
"""The same for all connections of one user together, an instrument counted for each."""


class _Login(NamedTuple):
    """A login that is being checked."""

    claim: Claim
    answered_unasked: bool
    """False for a login by the address, whose answer waits for the first peek as the quick start's clients expect."""


class Conversation:
    """What one connection said and was told."""

    __slots__ = (
        "_checking",
        "_desk",
        "_dialect",
        "_inbox",
        "_line",
        "_news",
        "_steps",
        "_wrong_logins",
        "is_parked",
        "number",
    )

    def __init__(self, number: int, line: Line, desk: Desk, news: News, dialect: Dialect) -> None:
        self.number = number
        self._line = line
        self._desk = desk
        self._news = news
        self._dialect = dialect
        self._steps = Steps(dialect, news, log_id=desk.log_id, notice_ids=f"{desk.epoch}.{number}")
        self.is_parked = False
        self._checking: _Login | None = None
        self._wrong_logins = 0
        self._inbox: deque[bytes] = deque()
        news.arrived(self)

    # What the connection says.

    def on_address(self, query: str) -> None:
        """The query of the address that the connection came by, not decoded; to be called before any text, if at
        all."""
        try:
            login = address_login(query)
        except FieldError as error:
            self._refuse_fields(error)
            return
        if login is not None:
            self._begin_check(_Login(login.claim, answered_unasked=False))
            self._desk.authenticate_ticket(self, login.user_name, login.ticket)

    def on_text(self, text: bytes) -> None:
        """One message of the client, in the order in which they came."""
        if self._checking is not None:
            if len(self._inbox) >= INBOX_MAX:
                self._end(1008, f"more than {INBOX_MAX} messages while the login was being checked")
            elif self._inbox and sum(map(len, self._inbox)) + len(text) > INBOX_MAX_BYTES:
                self._end(1008, f"more than {INBOX_MAX_BYTES} bytes while the login was being checked")
            else:
                self._inbox.append(text)
            return
        try:
            message = parse(text)
        except FrameError as error:
            self._end(error.code, error.reason)
        except MalformedMessageError as error:
            self._notify_now("ERROR", Code.MALFORMED_MESSAGE, {"detail": error.detail})
        except UnknownAidError as error:
            self._notify_now("WARNING", Code.UNKNOWN_AID, {"aid": error.aid})
        except FieldError as error:
            self._refuse_fields(error, answered_order(error.aid, error.order_id))
        else:
            if self._is_allowed(message):
                self._hear(message)

    def on_writable(self) -> None:
        """The client reads again."""
        if self.is_parked:
            self._answer_peek()

    def on_disconnect(self) -> None:
        """The connection is over."""
        self.is_parked = False
        self._checking = None
        self._inbox.clear()
        self._news.left(self)

    # What the exchange tells.

    @property
    def user(self) -> User | None:
        """Who speaks; None before the login."""
        return self._steps.user

    @property
    def line(self) -> Line:
        """The way to the client."""
        return self._line

    @property
    def remote(self) -> str:
        """The far side's address."""
        return self._line.remote

    @property
    def subscriptions(self) -> list[InstrumentId]:
        """The instruments whose quotes are sent."""
        return self._steps.quotes.instruments

    @property
    def version(self) -> int | None:
        """Where the client's mirror stands; None where it has none."""
        return self._steps.version

    @property
    def holds_positions(self) -> bool:
        """Whether the user's figures depend on marks."""
        return self._steps.holds_positions

    def mark_news(self) -> bool:
        """Whether a mark that the user's figures read is newer than the mirror."""
        return self._steps.mark_news()

    def wake(self) -> None:
        """There may be news: answer a parked peek with it; otherwise the next peek finds it."""
        if self.is_parked and self._line.writable and self._has_news():
            self._step()

    def peek_timed_out(self) -> None:
        """A peek was parked for the longest time: answer without news, so that the client knows that we are there."""
        if self.is_parked and self._line.writable:
            self.is_parked = False
            self._line.send(self._steps.nothing())

    def login_late(self) -> None:
        """No login came in time."""
        self._line.disconnect(1008, "no login came in time")

    def notify(self, level: Level, code: Code, facts: Facts, answered: Answered | None = None) -> None:
        """Add a notice, which may answer the message of an order; it goes out with the next step."""
        self._steps.notify(level, code, facts, answered)

    def login_succeeded(self, user: User) -> None:
        """Password or ticket were right: answer with the step that leads the client's mirror to now."""
        login = self._checking
        if login is None:
            return  # the client left meanwhile
        try:
            self._steps.begin(user, login.claim)
        except HistoryDiffersError as error:
            self._desk.history_differs(self)
            self.notify("WARNING", Code.HISTORY_DIFFERS, {"version": error.version, "head": error.head})
        self._news.logged_in(self, user.account_id)
        if login.answered_unasked:
            is_parked = self.is_parked
            self._step()
            if is_parked:  # this answer came unasked: a peek from before the login still waits for one of its own
                self._peek()
        self._read_inbox()

    def login_failed(self, code: Code) -> None:
        """The login was refused; the client may try again."""
        if self._checking is None:
            return
        self._line.send(self._steps.refused_login(code, {}))
        self._wrong_logins += code is Code.WRONG_LOGIN
        if self._wrong_logins == WRONG_LOGINS_MAX:
            self._end(1008, f"{WRONG_LOGINS_MAX} wrong logins: connect again to try others")
        else:
            self._news.arrived(self)
        self._read_inbox()

    def give_up(self, reason: str) -> None:
        """An error of ours: end the connection, so that the client comes back to a whole conversation."""
        self._end(1011, reason)

    # Messages.

    def _is_allowed(self, message: Message) -> bool:
        """Whether who speaks may say this; who may not is told. Every message is asked about here, and only here."""
        aid = aid_of(message)
        act, user = MESSAGE_ACTS[aid], self.user
        if act is None:
            return True
        if user is None:
            self._notify_now("ERROR", Code.NOT_LOGGED_IN, {"aid": aid}, _answered(message))
            return False
        if not may(user.role, act):
            self._notify_now("ERROR", Code.ROLE_MAY_NOT, {"aid": aid, "role": user.role.value}, _answered(message))
            return False
        return True

    def _hear(self, message: Message) -> None:
        match message:
            case InsertOrderMessage() | CancelOrderMessage():
                self._order(message)
            case PeekMessage():
                self._peek()
            case Ping():
                self._line.send(b'{"aid":"pong"}')
            case ReqLogin():
                self._login(message)
            case SubscribeQuote():
                self._subscribe(message)
            case ChangePassword():
                self._change_password(message)
            case SetChart():
                self._notify_now(
                    "WARNING", Code.CHARTS_NOT_SERVED, {"chart_id": message.chart_id[:NAME_CHARACTERS_MAX]}
                )
            case ConfirmSettlement():
                # Nothing to do: every settlement statement counts as confirmed.
                self._names_another(message, message.user_id)
            case _:
                assert_never(message)

    def _peek(self) -> None:
        if self.is_parked:
            return  # a second peek while one is parked changes nothing
        self.is_parked = True
        self._answer_peek()

    def _answer_peek(self) -> None:
        if self._line.writable and self._has_news():
            self._step()
        else:
            self._news.parked(self)

    def _login(self, message: ReqLogin) -> None:
        bid = self._dialect.business_id
        if self.user is not None:
            self._notify_now("WARNING", Code.ALREADY_LOGGED_IN, {"user": self.user.name})
        elif bid is not None and message.bid not in ("", bid):
            self._refuse_fields(FieldError("req_login", f"`bid` must be {bid}"))
        else:
            self._begin_check(_Login(Claim(message.log_id, message.version), answered_unasked=True))
            self._desk.authenticate(self, message.user_name, message.password)

    def _begin_check(self, login: _Login) -> None:
        self._checking = login
        self._news.login_began(self)

    def _subscribe(self, message: SubscribeQuote) -> None:
        names: dict[str, None] = {}
        count, most = message.ins_list.count(",") + 1, SUBSCRIPTIONS_MAX
        if count <= NAMES_MAX:
            names = dict.fromkeys(name.strip() for name in message.ins_list.split(",") if name.strip())
            count = len(names)
        if count <= most:
            count, most = count + self._news.subscribed_elsewhere(self), SUBSCRIPTIONS_PER_USER_MAX
        if count > most:
            self._notify_now("ERROR", Code.TOO_MANY_SUBSCRIPTIONS, {"count": count, "most": most})
            return
        market = self._news.projections.market
        wanted = [InstrumentId(name) for name in names if market.knows(name)]
        unknown = [name for name in names if not market.knows(name)]
        if unknown:
            self.notify("WARNING", Code.UNKNOWN_SUBSCRIPTION, {"ins_list": ",".join(unknown)[:500]})
        self._news.subscribed(self, *self._steps.quotes.replace(wanted))
        self.wake()

    def _order(self, message: InsertOrderMessage | CancelOrderMessage) -> None:
        if self._names_another(message, message.user_id, message.account_id):
            return
        account_id = self._speaker().account_id
        try:
            command: Command
            if isinstance(message, InsertOrderMessage):
                command = insert_order(message, account_id)
            else:
                command = cancel_order(message, account_id)
        except FieldError as error:
            self._refuse_fields(error, _answered(message))
            return
        code = self._desk.submit(self, command, command.order_id)
        if code is not None:
            self._notify_now("ERROR", code, {"order_id": command.order_id}, _answered(message))

    def _change_password(self, message: ChangePassword) -> None:
        if not self._names_another(message, message.user_id):
            self._desk.change_password(self, self._speaker(), message.old_password, message.new_password)

    def _names_another(self, message: Message, *names: str | None) -> bool:
        """Whether a message speaks for somebody else, who is told so then: who speaks the login alone decides."""
        user = self._speaker()
        for named in names:
            if named not in (None, user.name, user.account_id):
                facts: Facts = {"aid": aid_of(message), "named": named[:NAME_CHARACTERS_MAX]}
                self._notify_now("ERROR", Code.OTHER_USER, facts, _answered(message))
                return True
        return False

    def _speaker(self) -> User:
        assert self.user is not None, "nobody says this who is not logged in: see MESSAGE_ACTS"
        return self.user

    def _read_inbox(self) -> None:
        self._checking = None
        while self._inbox and self._checking is None:  # another login among them makes the rest wait again
            self.on_text(self._inbox.popleft())

    def _refuse_fields(self, error: FieldError, answered: Answered | None = None) -> None:
        """Tell what is wrong with a message; of a login at once, since nobody peeks before it is answered."""
        facts: Facts = {"aid": error.aid, "detail": error.detail}
        if error.aid == "req_login" and self.user is None:
            self._line.send(self._steps.refused_login(Code.WRONG_FIELD, facts))
        else:
            self._notify_now("ERROR", Code.WRONG_FIELD, facts, answered)

    def _end(self, code: int, reason: str) -> None:
        """End the connection; nothing that waits is heard any more."""
        self._inbox.clear()
        self._line.disconnect(code, reason)

    # Steps.

    def _has_news(self) -> bool:
        """Whether a step made now would carry anything, marks only if their interval is over."""
        return self._steps.has_news() or (self._steps.mark_news() and self._news.marks_open(self))

    def _step(self) -> None:
        frame = self._steps.take()
        self.is_parked = False
        self._line.send(frame)
        self._news.stepped(self)

    def _notify_now(self, level: Level, code: Code, facts: Facts, answered: Answered | None = None) -> None:
        """Add a notice, and send it at once where a peek waits for news."""
        self.notify(level, code, facts, answered)
        self.wake()


def _answered(message: Message) -> Answered | None:
    """What a notice that answers this message says of it."""
    if isinstance(message, InsertOrderMessage | CancelOrderMessage):
        return answered_order(aid_of(message), message.order_id)
    return None
