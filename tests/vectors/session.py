"""One client's conversation over several connections: everything that a step can do to a mirror happens in it."""

from __future__ import annotations

from typing import Any

from exchange.domain.commands import Deposit
from exchange.domain.values import Money
from exchange.gateway.dialects import Dialect
from projections.merge_patch import merge_patch
from tests.simulation.life import PEEK_TIMEOUT_S
from tests.simulation.room import ANN, BOB, CYD, Guest, Room

Tree = dict[str, Any]


class Recorded:
    """Ann's client, which merges whatever it is sent, and all that it was sent."""

    def __init__(self, dialect: Dialect) -> None:
        self.room = Room()
        self.dialect = dialect
        self.tree: Tree = {}
        self.version: int | None = None
        self.log_id = ""
        self.frames: list[Tree] = []
        self.guest: Guest

    def log_in(self, **claim: Any) -> None:
        """On a new connection, with nothing or with what is claimed."""
        self.guest = self.room.guest(dialect=self.dialect).logs_in(ANN, **claim)
        self.hear()

    def come_back(self, **claim: Any) -> None:
        """The line is cut; log in with what the mirror holds, or what is claimed instead."""
        self.guest.leaves()
        self.log_in(**({"log_id": self.log_id, "version": self.version} | claim))

    def peek(self) -> None:
        """Get the next step."""
        self.guest.peeks()
        self.hear()

    def hear(self) -> None:
        """Merge the one frame that came."""
        frame = self.guest.frame()
        for patch in frame["data"]:
            self.tree = merge_patch(self.tree, patch)
        self.version = frame.get("version", self.version)
        self.log_id = frame.get("log_id", self.log_id)
        self.frames.append({"frame": frame, "tree": self.tree, "version": self.version})


def record(dialect: Dialect) -> Recorded:
    """The whole session; the same frames each time."""
    client = Recorded(dialect)
    bob = client.room.guest(BOB)
    client.log_in()
    _trade(client, bob)
    _watch_quotes(client, bob)
    _be_told(client)
    _be_away(client, bob)
    return client


def _trade(client: Recorded, bob: Guest) -> None:
    """An order fills in parts and is cancelled, the mark moves, the position goes flat, which loses it fields."""
    client.guest.orders("1", volume=3)
    client.peek()
    bob.orders("s1", direction="SELL", volume=2)
    client.peek()
    client.guest.says("cancel_order", order_id="1")
    client.peek()
    client.room.trades(CYD, BOB, 103)
    client.room.passes(1)
    client.peek()
    bob.orders("b1", volume=2, limit_price=101)
    client.guest.orders("2", direction="SELL", offset="CLOSE", volume=2, limit_price=101)
    client.peek()


def _watch_quotes(client: Recorded, bob: Guest) -> None:
    """Levels come and go, a subscription is replaced and ends."""
    client.guest.says("subscribe_quote", ins_list="SIM.a1,DCE.c1")
    client.peek()
    bob.orders("b2", limit_price=98).orders("b3", limit_price=97, volume=4)
    client.peek()
    bob.says("cancel_order", order_id="b2")
    client.peek()
    bob.says("cancel_order", order_id="b3")
    client.peek()
    client.guest.says("subscribe_quote", ins_list="SIM.a1,SHFE.b1,SIM.zz")
    client.peek()
    client.guest.says("subscribe_quote", ins_list="")
    client.peek()


def _be_told(client: Recorded) -> None:
    """Notices, alone and with a step, and the answer to a peek that found nothing."""
    client.guest.hears(b'{"aid":"abracadabra"}')
    client.peek()
    client.guest.orders("3", volume=-1).says("cancel_order", order_id="none")
    client.peek()
    client.guest.peeks()
    client.room.passes(PEEK_TIMEOUT_S * 1.1)
    client.hear()


def _be_away(client: Recorded, bob: Guest) -> None:
    """Led on after nothing, after much, and after a restart; and begun anew, with a mirror that has things to lose."""
    client.come_back()
    client.guest.orders("4", volume=2).says("subscribe_quote", ins_list="SIM.a1")
    client.peek()
    bob.orders("s2", direction="SELL", volume=1)
    client.come_back()
    client.room.does(Deposit(account_id=ANN.account_id, amount=Money(1_234_567)))
    client.room.restart()
    client.come_back()
    client.guest.says("subscribe_quote", ins_list="DCE.c1")
    client.peek()
    client.come_back(version=1_000_000)
    client.come_back(log_id=None, version=None)
