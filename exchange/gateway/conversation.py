"""One client's conversation, without sockets: what it says comes in as text, what it is told goes out as steps.

A conversation holds cursors and nothing of the picture itself. `_step` is the only function that moves them, all of
them to the same place in the log; who calls it, and when, is policy and cannot make a step wrong.
"""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from typing import Any, Final, assert_never

import orjson

from exchange.domain.commands import Command
from exchange.domain.events import Facts
from exchange.domain.values import InstrumentId
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.messages import (
    NAME_CHARACTERS_MAX,
    CancelOrderMessage,
    ChangePassword,
    ConfirmSettlement,
    FieldError,
    FrameError,
    InsertOrderMessage,
    Message,
    PeekMessage,
    Ping,
    ReqLogin,
    SetChart,
    SubscribeQuote,
    UnknownAidError,
    parse,
)
from exchange.gateway.notices import Code
from exchange.gateway.orders import cancel_order, insert_order
from exchange.gateway.subscriptions import Subscriptions
from exchange.gateway.surroundings import Desk, Level, Line, News, User
from projections.user_view import BEFORE_ALL

NOTICES_MAX: Final = 100
"""Notices kept for a client that does not ask for them; older ones are dropped."""
INBOX_MAX: Final = 64
"""Messages that may wait while a password is being checked."""
WRONG_LOGINS_MAX: Final = 10
"""Wrong logins that end a connection: each costs a slow hash, and whoever guesses must not do it for ever."""
SUBSCRIPTIONS_MAX: Final = 1_000
"""Instruments one connection may subscribe to."""
CLAIM_SHOWN_MAX: Final = 2**53
"""A larger version, which a client may claim with thousands of digits, is quoted as this."""
BID: Final = "qaexchange"
"""The business id of a login on `/ws`; it may be left out."""


class Conversation:
    """What one connection said and was told."""

    __slots__ = (
        "_checking",
        "_cursor",
        "_desk",
        "_dialect",
        "_inbox",
        "_line",
        "_news",
        "_notices",
        "_notices_given",
        "_quotes",
        "_wrong_logins",
        "is_parked",
        "number",
        "user",
    )

    def __init__(self, number: int, line: Line, desk: Desk, news: News, dialect: GuideDialect) -> None:
        self.number = number
        self._line = line
        self._desk = desk
        self._news = news
        self._dialect = dialect
        self.user: User | None = None
        self.is_parked = False
        self._cursor = BEFORE_ALL
        """The client's mirror equals the view at this log_seq."""
        self._quotes = Subscriptions()
        self._notices: deque[tuple[str, dict[str, str | int]]] = deque(maxlen=NOTICES_MAX)
        self._notices_given = 0
        self._checking: ReqLogin | None = None
        """The login whose password is being checked."""
        self._wrong_logins = 0
        self._inbox: deque[bytes] = deque()
        news.arrived(self)

    # What the connection says.

    def on_text(self, text: bytes) -> None:
        """One message of the client, in the order in which they came."""
        if self._checking is not None:
            if len(self._inbox) >= INBOX_MAX:
                self._end(1008, f"more than {INBOX_MAX} messages while the login was being checked")
            else:
                self._inbox.append(text)
            return
        try:
            message = parse(text)
        except FrameError as error:
            self._end(error.code, error.reason)
        except UnknownAidError as error:
            self._notify_now("WARNING", Code.UNKNOWN_AID, {"aid": error.aid})
        except FieldError as error:
            self._refuse_fields(error)
        else:
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
    def subscriptions(self) -> list[InstrumentId]:
        """The instruments whose quotes are sent."""
        return self._quotes.instruments

    @property
    def holds_positions(self) -> bool:
        """Whether the user's figures depend on marks."""
        return self.user is not None and self._news.projections.user(self.user.account_id).holds_positions

    def mark_news(self) -> bool:
        """Whether a mark that the user's figures read is newer than the mirror."""
        return self.user is not None and self._news.projections.user(self.user.account_id).mark_news(self._cursor)

    def wake(self) -> None:
        """There may be news: answer a parked peek with it; otherwise the next peek finds it."""
        if self.is_parked and self._line.writable and self._has_news():
            self._step()

    def peek_timed_out(self) -> None:
        """A peek was parked for the longest time: answer without news, so that the client knows that we are there."""
        if self.is_parked and self._line.writable:
            self.is_parked = False
            self._send([], self._cursor if self.user else None)

    def login_late(self) -> None:
        """No login came in time."""
        self._line.disconnect(1008, "no login came in time")

    def notify(self, level: Level, code: Code, facts: Facts) -> None:
        """Add a notice; it goes out with the next step."""
        self._notices_given += 1
        notice_id = f"{self._desk.epoch}.{self.number}.{self._notices_given}"
        self._notices.append((notice_id, self._notice(level, code, facts)))

    def login_succeeded(self, user: User) -> None:
        """The password was right: answer with the step that leads the client's mirror to now."""
        login = self._checking
        if login is None:
            return  # the client left meanwhile
        self.user = user
        self._news.logged_in(self, user.account_id)
        self._cursor = self._known_version(login)
        self._notices.appendleft(("auth_result", self._notice("INFO", Code.LOGIN_OK, {})))
        is_parked = self.is_parked
        self._step()
        if is_parked:  # this answer came unasked: a peek from before the login still waits for one of its own
            self._peek()
        self._read_inbox()

    def login_failed(self, code: Code) -> None:
        """The login was refused; the client may try again."""
        if self._checking is None:
            return
        self._refuse_login(code, {})
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
                self._confirm_settlement(message)
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
        if self.user is not None:
            self._notify_now("WARNING", Code.ALREADY_LOGGED_IN, {"user": self.user.name})
        elif message.bid not in ("", BID):
            self._refuse_fields(FieldError("req_login", f"`bid` must be {BID}"))
        else:
            self._checking = message
            self._news.login_began(self)
            self._desk.authenticate(self, message.user_name, message.password)

    def _subscribe(self, message: SubscribeQuote) -> None:
        if self.user is None:
            self._notify_now("ERROR", Code.NOT_LOGGED_IN, {"aid": "subscribe_quote"})
            return
        names = dict.fromkeys(name.strip() for name in message.ins_list.split(",") if name.strip())
        if len(names) > SUBSCRIPTIONS_MAX:
            facts: Facts = {"count": len(names), "most": SUBSCRIPTIONS_MAX}
            self._notify_now("ERROR", Code.TOO_MANY_SUBSCRIPTIONS, facts)
            return
        market = self._news.projections.market
        wanted = [InstrumentId(name) for name in names if market.knows(name)]
        unknown = [name for name in names if not market.knows(name)]
        if unknown:
            self.notify("WARNING", Code.UNKNOWN_SUBSCRIPTION, {"ins_list": ",".join(unknown)[:500]})
        self._news.subscribed(self, *self._quotes.replace(wanted))
        self.wake()

    def _order(self, message: InsertOrderMessage | CancelOrderMessage) -> None:
        aid = "insert_order" if isinstance(message, InsertOrderMessage) else "cancel_order"
        user = self.user
        if user is None:
            self._notify_now("ERROR", Code.NOT_LOGGED_IN, {"aid": aid})
            return
        if self._names_another(user, aid, message.user_id, message.account_id):
            return
        try:
            command: Command
            if isinstance(message, InsertOrderMessage):
                command = insert_order(message, user.account_id)
            else:
                command = cancel_order(message, user.account_id)
        except FieldError as error:
            self._refuse_fields(error)
            return
        code = self._desk.submit(self, command, command.order_id)
        if code is not None:
            self._notify_now("ERROR", code, {"order_id": command.order_id})

    def _change_password(self, message: ChangePassword) -> None:
        user = self.user
        if user is None:
            self._notify_now("ERROR", Code.NOT_LOGGED_IN, {"aid": "change_password"})
        elif not self._names_another(user, "change_password", message.user_id):
            self._desk.change_password(self, user, message.old_password, message.new_password)

    def _confirm_settlement(self, message: ConfirmSettlement) -> None:
        """Nothing to do: every settlement statement counts as confirmed."""
        if self.user is not None:
            self._names_another(self.user, "confirm_settlement", message.user_id)

    def _names_another(self, user: User, aid: str, *names: str | None) -> bool:
        """Whether a message speaks for somebody else, who is told so then: who speaks the login alone decides."""
        for named in names:
            if named not in (None, user.name, user.account_id):
                self._notify_now("ERROR", Code.OTHER_USER, {"aid": aid, "named": named[:NAME_CHARACTERS_MAX]})
                return True
        return False

    def _read_inbox(self) -> None:
        self._checking = None
        while self._inbox and self._checking is None:  # another login among them makes the rest wait again
            self.on_text(self._inbox.popleft())

    def _refuse_fields(self, error: FieldError) -> None:
        """Tell what is wrong with a message; of a login at once, since nobody peeks before it is answered."""
        facts: Facts = {"aid": error.aid, "detail": error.detail}
        if error.aid == "req_login" and self.user is None:
            self._refuse_login(Code.WRONG_FIELD, facts)
        else:
            self._notify_now("ERROR", Code.WRONG_FIELD, facts)

    def _refuse_login(self, code: Code, facts: Facts) -> None:
        self._send([{"notify": {"auth_result": self._notice("ERROR", code, facts)}}], None)

    def _end(self, code: int, reason: str) -> None:
        """End the connection; nothing that waits is heard any more."""
        self._inbox.clear()
        self._line.disconnect(code, reason)

    # Steps.

    def _known_version(self, login: ReqLogin) -> int:
        """Where the returning client's mirror stands; BEFORE_ALL where the server cannot lead from."""
        if login.log_id is None or login.version is None:
            return BEFORE_ALL
        log_id, _, wording = login.log_id.rpartition(".")
        if log_id != self._desk.log_id or login.version > self._news.projections.version:
            self._desk.history_differs(self)
            claimed = min(login.version, CLAIM_SHOWN_MAX)
            head = self._news.projections.version
            self.notify("WARNING", Code.HISTORY_DIFFERS, {"version": claimed, "head": head})
            return BEFORE_ALL
        return login.version if wording == self._wording() and login.version >= 0 else BEFORE_ALL

    def _wording(self) -> str:
        """Names the view and its wording: this user, this dialect, this version of both."""
        assert self.user is not None, "a view is worded for a user"
        text = f"{self.user.account_id}/{self.user.name}/{self._dialect.wording}"
        return sha256(text.encode()).hexdigest()[:16]

    def _has_news(self) -> bool:
        """Whether a step made now would carry anything, marks only if their interval is over."""
        if self._notices or self._quotes.news(self._news.projections.market):
            return True
        if self.user is None:
            return False
        view = self._news.projections.user(self.user.account_id)
        if view.own_news(self._cursor):
            return True
        return view.mark_news(self._cursor) and self._news.marks_open(self)

    def _step(self) -> None:
        """Lead the mirror to where the views stand now: everything that is news there, and all cursors to there."""
        answers_login = self.user is not None and self._checking is not None
        data: list[Any] = []
        version: int | None = None
        full = False
        if self.user is not None:
            projections = self._news.projections
            version = projections.version
            changes = projections.user(self.user.account_id).changes(self._cursor)
            full = changes.full
            if full:
                data.append(dict.fromkeys(self._dialect.root_keys))
                self._quotes.start_anew()
            elif answers_login:
                # Subscriptions belong to the connection that ended: what the mirror holds of them is not the view's
                # any more.
                data.append(dict.fromkeys(self._dialect.connection_keys))
            data.extend(self._take_notices())
            data.extend(self._dialect.word(changes, self.user.name))
            self._cursor = version
            data.extend(self._quotes.take(projections.market, self._dialect, version))
        else:
            data.extend(self._take_notices())
        self.is_parked = False
        self._send(data, version, full=full, log_id=self._view_log_id() if full or answers_login else None)
        self._news.stepped(self)

    def _take_notices(self) -> list[dict[str, Any]]:
        """Each notice is a patch of its own, before all others: some clients drop a patch that holds more."""
        notices = [{"notify": {notice_id: notice}} for notice_id, notice in self._notices]
        self._notices.clear()
        return notices

    def _view_log_id(self) -> str:
        return f"{self._desk.log_id}.{self._wording()}"

    def _send(self, data: list[Any], version: int | None, *, full: bool = False, log_id: str | None = None) -> None:
        frame: dict[str, Any] = {"aid": "rtn_data", "data": data}
        if version is not None:
            frame["version"] = version
        if full:
            frame["full"] = True
        if log_id is not None:
            frame["log_id"] = log_id
        self._line.send(orjson.dumps(frame))

    def _notify_now(self, level: Level, code: Code, facts: Facts) -> None:
        """Add a notice, and send it at once where a peek waits for news."""
        self.notify(level, code, facts)
        self.wake()

    def _notice(self, level: Level, code: Code, facts: Facts) -> dict[str, str | int]:
        return {"type": "MESSAGE", "level": level, "code": int(code), "content": self._dialect.text(code, facts)}
