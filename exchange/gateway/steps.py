"""Where one client's mirror stands, and the frames that lead it on.

Holds cursors and nothing of the picture itself. `Steps.take` is the only function that moves them, all of them to the
same place in the log; who calls it, and when, is policy and cannot make a step wrong.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import orjson

from exchange.domain.events import Facts
from exchange.gateway.claims import Claim, believed, view_log_id
from exchange.gateway.dialects import Dialect
from exchange.gateway.notices import Answered, Code
from exchange.gateway.subscriptions import Subscriptions
from exchange.gateway.surroundings import Level, News, User
from projections.user_view import BEFORE_ALL

NOTICES_MAX: Final = 100
"""Notices kept for a client that does not ask for them; older ones are dropped."""


class Steps:
    """The frames of one connection. Its quotes are subscribed to by `quotes`."""

    __slots__ = (
        "_cursor",
        "_dialect",
        "_log_id",
        "_login_unanswered",
        "_news",
        "_notice_ids",
        "_notices",
        "_notices_given",
        "quotes",
        "user",
    )

    def __init__(self, dialect: Dialect, news: News, *, log_id: str, notice_ids: str) -> None:
        """`log_id` names the log; `notice_ids` is how the id of every notice of this connection begins, and of no
        other's."""
        self._dialect = dialect
        self._news = news
        self._log_id = log_id
        self.user: User | None = None
        self._cursor = BEFORE_ALL
        """The client's mirror equals the view at this log_seq."""
        self.quotes = Subscriptions()
        self._login_unanswered = False
        """Whether the next step is the answer to the login."""
        self._notices: deque[tuple[str, dict[str, str | int]]] = deque(maxlen=NOTICES_MAX)
        self._notice_ids = notice_ids
        self._notices_given = 0

    def begin(self, user: User, claim: Claim) -> None:
        """The client is this user, and says that its mirror stands there; the next step answers its login.

        Raises HistoryDiffersError where the claim is not of this log; the mirror begins anew then.
        """
        self.user = user
        self._login_unanswered = True
        self._cursor = believed(claim, self._view_log_id(user), self._news.projections.version)

    def notify(self, level: Level, code: Code, facts: Facts, answered: Answered | None = None) -> None:
        """Add a notice, which may answer the message of an order; it goes out with the next step."""
        self._notices_given += 1
        notice = self._notice(level, code, facts) | (answered._asdict() if answered else {})
        self._notices.append((f"{self._notice_ids}.{self._notices_given}", notice))

    @property
    def version(self) -> int | None:
        """Where the client's mirror stands; None before the login, and before the first step after it."""
        return None if self._cursor == BEFORE_ALL else self._cursor

    # What is news.

    def has_news(self) -> bool:
        """Whether a step made now would carry anything but what only marks changed."""
        projections = self._news.projections
        if self._login_unanswered or self._notices or self.quotes.news(projections.market):
            return True
        return self.user is not None and projections.user(self.user.account_id).own_news(self._cursor)

    @property
    def holds_positions(self) -> bool:
        """Whether the user's figures depend on marks."""
        return self.user is not None and self._news.projections.user(self.user.account_id).holds_positions

    def mark_news(self) -> bool:
        """Whether a mark that the user's figures read is newer than the mirror."""
        return self.user is not None and self._news.projections.user(self.user.account_id).mark_news(self._cursor)

    # Frames.

    def take(self) -> bytes:
        """Lead the mirror to where the views stand now: everything that is news there, and all cursors to there."""
        if self.user is None:
            return _frame(self._take_notices(), None)
        projections = self._news.projections
        version = projections.version
        changes = projections.user(self.user.account_id).changes(self._cursor)
        answers_login, self._login_unanswered = self._login_unanswered, False
        data: list[Any] = []
        if changes.full:
            data.append(dict.fromkeys(self._dialect.root_keys))
            self.quotes.start_anew()
        elif answers_login:
            # Subscriptions belong to the connection that ended: what the mirror holds of them is not the view's any
            # more.
            data.append(dict.fromkeys(self._dialect.connection_keys))
        if answers_login:
            data.append(_auth_result(self._notice("INFO", Code.LOGIN_OK, {})))
        data.extend(self._take_notices())
        data.extend(self._dialect.word(changes, self.user.name))
        self._cursor = version
        data.extend(self.quotes.take(projections.market, self._dialect, version))
        log_id = self._view_log_id(self.user) if changes.full or answers_login else None
        return _frame(data, version, full=changes.full, log_id=log_id)

    def nothing(self) -> bytes:
        """A frame that leaves the mirror where it is."""
        return _frame([], self.version)

    def refused_login(self, code: Code, facts: Facts) -> bytes:
        """The answer to a login that failed; whatever is news stays for later."""
        return _frame([_auth_result(self._notice("ERROR", code, facts))], None)

    def _take_notices(self) -> list[dict[str, Any]]:
        """Each notice is a patch of its own, before all others: some clients drop a patch that holds more."""
        notices = [{"notify": {notice_id: notice}} for notice_id, notice in self._notices]
        self._notices.clear()
        return notices

    def _notice(self, level: Level, code: Code, facts: Facts) -> dict[str, str | int]:
        return {"type": "MESSAGE", "level": level, "code": int(code), "content": self._dialect.text(code, facts)}

    def _view_log_id(self, user: User) -> str:
        return view_log_id(self._log_id, user, self._dialect)


def _auth_result(notice: dict[str, str | int]) -> dict[str, Any]:
    """The one notice whose id is always the same: clients wait for it by name."""
    return {"notify": {"auth_result": notice}}


def _frame(data: list[Any], version: int | None, *, full: bool = False, log_id: str | None = None) -> bytes:
    frame: dict[str, Any] = {"aid": "rtn_data", "data": data}
    if version is not None:
        frame["version"] = version
    if full:
        frame["full"] = True
    if log_id is not None:
        frame["log_id"] = log_id
    return orjson.dumps(frame)
