"""A quiet room for tests of single conversations: the simulation's exchange, where everything happens at once unless a
test holds it back."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

from eventstore.memory import MemoryDisk
from exchange.domain.commands import Command, OpenAccount
from exchange.gateway.conversation import Conversation
from exchange.gateway.dialects import Dialect
from exchange.gateway.notices import Code
from tests.simulation.dialects import GUIDE
from tests.simulation.life import Life
from tests.simulation.market import TRADERS, Trader
from tests.support.commands import buy, sell
from tests.support.market import Yuan, terms

START_NS = 1_800_000_000 * 10**9
ANN, BOB, CYD, DOT = TRADERS
A1 = terms("SIM.a1")
"""The contract that is traded where a test does not say; its terms are those of the simulation's."""


class Line:
    """Where a conversation's frames go: into a list."""

    def __init__(self) -> None:
        self.remote = "127.0.0.1:50412"
        self.writable = True
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def join_user(self, name: str, token_hash: bytes | None) -> bool:
        return True

    def send(self, text: bytes) -> None:
        self.frames.append(orjson.loads(text))

    def disconnect(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = code, reason
            self.writable = False


class Guest:
    """One connection, and what came over it since a test last looked."""

    def __init__(self, room: Room, number: int, dialect: Dialect) -> None:
        self._room = room
        self.line = Line()
        life = room.life
        self.conversation = Conversation(number, self.line, life.desk, life.publisher, dialect)

    def hears(self, text: bytes) -> None:
        """The exchange hears a text from this connection; nothing is committed or checked yet."""
        self.conversation.on_text(text)

    def says(self, aid: str, **fields: Any) -> Guest:
        """Say something and let everything happen that it leads to."""
        self.hears(json.dumps({"aid": aid, **fields}).encode())
        self._room.settle()
        return self

    def logs_in(self, trader: Trader = ANN, **fields: Any) -> Guest:
        """With the right password."""
        return self.says("req_login", user_name=trader.name, password=trader.secret, **fields)

    def peeks(self) -> Guest:
        return self.says("peek_message")

    def orders(self, order_id: str | None = "1", **changes: Any) -> Guest:
        """An order that rests: a buy of one lot at 100."""
        return self.says("insert_order", **(order(order_id) | changes))

    def frames(self) -> list[dict[str, Any]]:
        """The frames since the last call."""
        frames, self.line.frames = self.line.frames, []
        return frames

    def frame(self) -> dict[str, Any]:
        """The one frame since the last call."""
        (frame,) = self.frames()
        return frame

    def leaves(self) -> None:
        """The connection is over."""
        self.line.writable = False
        self.conversation.on_disconnect()

    def stops_reading(self) -> None:
        self.line.writable = False

    def reads_again(self) -> None:
        self.line.writable = True
        self.conversation.on_writable()


class Room:
    """An exchange whose users all have accounts."""

    def __init__(self) -> None:
        self.disk = MemoryDisk("room")
        self.now_ns = START_NS
        self._guests = 0
        self._start()
        for trader in TRADERS:
            self.does(OpenAccount(account_id=trader.account_id, deposit=trader.deposit))

    def _start(self) -> None:
        self.life = Life(self.disk, lambda: self.now_ns, Counter(), lambda: None)
        self.life.desk.owe = lambda conversation, code: None
        self.life.desk.differs = lambda conversation: None
        self.life.desk.asked = lambda conversation: None

    @property
    def log_seq(self) -> int:
        """The end of the log."""
        return self.life.sequencer.durable_log_seq

    def restart(self) -> None:
        """The process crashes and starts anew; all connections are gone."""
        self.disk.crash()
        self._start()

    def guest(self, trader: Trader | None = None, *, dialect: Dialect = GUIDE.dialect, query: str = "") -> Guest:
        """A new connection; logged in and without anything unread if a trader is named. `query` stands in the address
        that it came by."""
        self._guests += 1
        guest = Guest(self, self._guests, dialect)
        guest.conversation.on_address(query)
        if trader is not None:
            guest.logs_in(trader).frames()
        return guest

    def settle(self) -> None:
        """Logins are checked, entries become durable and are published, the loop runs; no time passes."""
        life = self.life
        while life.desk.checking or life.log.held or life.log.told:
            while life.desk.checking:
                life.check_login(0)
            self.commit()
        life.run_pass()

    def commit(self) -> None:
        """What was decided becomes durable and is published."""
        if self.life.log.held:
            self.life.commit(self.life.log.held)
        while self.life.log.told:
            self.life.hear_of_commit()

    def does(self, command: Command) -> None:
        """The operator has a command carried out."""
        assert self.life.operate(command), f"the exchange does not take {command}"
        self.settle()

    def trades(self, buyer: Trader, seller: Trader, at: Yuan, lots: int = 1) -> None:
        """Both open at a price, without any connection."""
        self.does(sell("", at, lots, account=seller.account_id, instrument=A1))
        self.does(buy("", at, lots, account=buyer.account_id, instrument=A1))

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.now_ns += int(seconds * 10**9)
        self.life.pass_time(seconds)
        self.settle()


def order(order_id: str | None) -> dict[str, Any]:
    """The fields of an order that rests: a buy of one lot at 100."""
    return {
        "order_id": order_id,
        "instrument_id": A1.instrument_id,
        "direction": "BUY",
        "offset": "OPEN",
        "volume": 1,
        "price_type": "LIMIT",
        "limit_price": 100,
    }


def notices(frames: list[dict[str, Any]]) -> list[Code]:
    """The codes of all notices in these frames, in order; a login's answer counts as one."""
    return [
        Code(n["code"]) for frame in frames for patch in frame["data"] for n in (patch.get("notify") or {}).values()
    ]


def keys(frame: dict[str, Any]) -> list[str]:
    """The root keys of a frame's patches, in order."""
    return [key for patch in frame["data"] for key in patch]
