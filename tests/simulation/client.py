"""A client program: it keeps a mirror, remembers what it sent, and believes what it is told."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from exchange.gateway.notices import Code
from projections.merge_patch import merge_patch
from tests.simulation.dialects import GUIDE, Spoken
from tests.simulation.market import Trader
from tests.simulation.network import Link

Merge = Callable[[Any, Any], Any]


def guide_merge(target: Any, patch: Any) -> Any:
    """Merges as the integration guide's clients do: in place, and what is new is taken over as it is, nulls within
    included."""
    if not isinstance(patch, dict):
        return patch
    merged = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            guide_merge(merged[key], value)
        else:
            merged[key] = value
    return merged


MERGES: Final[tuple[Merge, ...]] = (merge_patch, guide_merge)


class Kept(NamedTuple):
    """A mirror as it was at some version, to come back with."""

    mirror: dict[str, Any]
    version: int
    log_id: str
    epoch: int
    """Which life of the exchange gave it."""
    spoken: Spoken


class Step(NamedTuple):
    """What a frame was to the client that applied it."""

    patches: list[dict[str, Any]]
    version: int | None
    full: bool
    answers_login: bool
    """Whether it is the answer to a login, granted or refused: such an answer comes unasked, but to a login that came
    in the address."""


class Client:
    """One window of one user. It logs in anew with what its mirror holds, and sends again what was not confirmed."""

    def __init__(
        self, number: int, trader: Trader, merge: Merge, quoted: dict[bytes, None], *, asks_again: bool
    ) -> None:
        self.number = number
        self.trader = trader
        self._merge = merge
        self._asks_again = asks_again
        """Whether it takes every frame for the answer to its peek, and peeks again. Others know that the answer to a
        login comes unasked, and that their peek still waits."""
        self.link: Link | None = None
        self.spoken = GUIDE
        """The dialect of its mirror."""
        self.mirror: dict[str, Any] = {}
        self.version = -1
        self.log_id = ""
        self.epoch = 0
        self.kept: deque[Kept] = deque(maxlen=8)
        self.resumed: Kept | None = None
        """What the login in hand claims to hold."""
        self.logged_in = False
        self.logins_unanswered = 0
        self.answer_waits = False
        """Whether it came by an address that logs it in, and knows that the answer waits for its peek."""
        self.has_peeked = False
        """Whether it believes that a peek of its waits."""
        self.wanted: tuple[str, ...] | None = None
        """The last subscription on this connection; None before the first."""
        self.orders: dict[str, bytes] = {}
        """Every order under an id of its own, as it was first sent."""
        self.acknowledged: dict[str, None] = {}
        """The ids of all orders that it ever saw in its mirror."""
        self.quoted = quoted
        """Canaries of others that its user's windows used themselves, and may hear again."""
        self.notices: dict[str, Any] = {}
        """Every notice it ever got, by its id."""
        self.last_quotes: dict[str, dict[str, Any]] = {}
        """Quotes as they were when their subscription ended."""

    def __repr__(self) -> str:
        return f"client {self.number} ({self.trader.name})"

    # What it holds.

    @property
    def branch(self) -> dict[str, Any]:
        """Its user's part of the mirror."""
        return self.spoken.branch(self.mirror, self.trader.name)

    @property
    def unconfirmed(self) -> list[str]:
        """Ids of orders that it sent and never saw."""
        return [order_id for order_id in self.orders if order_id not in self.acknowledged]

    def keep(self) -> None:
        """Put a copy of the mirror away."""
        if self.version >= 0:
            self.kept.append(Kept(copy.deepcopy(self.mirror), self.version, self.log_id, self.epoch, self.spoken))

    def speak(self, spoken: Spoken) -> None:
        """Its mirror is of this dialect from now on; one of another is put away."""
        if self.spoken is not spoken:
            self.keep()
            self.spoken, self.mirror, self.version = spoken, {}, -1

    # Connections.

    def connected(self, link: Link) -> None:
        """A connection stands; nothing was said on it."""
        self.link = link
        self.speak(link.spoken)
        self.logged_in = self.has_peeked = False
        self.answer_waits = bool(link.query)
        self.logins_unanswered = int(self.answer_waits)
        self.wanted = None

    def disconnected(self) -> None:
        """The connection is over."""
        self.link = None
        self.logged_in = self.has_peeked = False

    # What it is told.

    def hear(self, text: bytes, epoch: int) -> Step | None:
        """Apply a frame, as one transaction; None where it is no step."""
        frame = orjson.loads(text)
        if frame["aid"] != "rtn_data":
            return None
        patches = frame["data"]
        results = [patch["notify"]["auth_result"] for patch in patches if "auth_result" in (patch.get("notify") or {})]
        # What is no login at all is answered in the same place, and was not counted as one.
        self.logins_unanswered -= sum(result["code"] != Code.WRONG_FIELD for result in results)
        for patch in patches:
            self.mirror = self._merge(self.mirror, patch)
        self._take_notices()
        if "log_id" in frame:
            self.log_id = frame["log_id"]
            self.logged_in = True
        if "version" in frame:
            self.version = frame["version"]
            self.epoch = epoch
            for order_id in self.branch.get("orders", ()):
                self.acknowledged[order_id] = None
        if results:
            was_asked = self.answer_waits and results[0]["code"] == Code.LOGIN_OK
            self.answer_waits = False
            self.has_peeked = self.has_peeked and not (self._asks_again or was_asked)
        else:
            self.has_peeked = False
        return Step(patches, frame.get("version"), frame.get("full", False), bool(results))

    def _take_notices(self) -> None:
        """Notices are read and thrown away, as programs do; a mirror is compared without them."""
        told = self.mirror.pop("notify", {})
        for notice_id, notice in told.items():
            if notice_id != "auth_result":
                assert notice_id not in self.notices, f"{self} got a second notice under the id {notice_id}: {notice}"
                self.notices[notice_id] = notice
