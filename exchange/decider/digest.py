"""One hash for the whole state, kept up to date by the objects that changed.

The hash is the sum of a SHA-256 per object, modulo 2**256: exchanging an object's old share for its new one costs the
same however large the state is, and the sum does not depend on any order. It tells equal states from different ones
after an honest run; that nobody rewrote history is the Merkle tree's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, Final

import msgspec

from exchange.decider.state import ExchangeState, Hashed, HeldPosition, Listing, TradingAccount, is_remembered
from exchange.domain.holdings import Holding
from exchange.domain.order import Order, RefusedOrder
from exchange.domain.position import PositionSide

_encode = msgspec.json.Encoder().encode


class StateHash:
    """The running hash of one state; it must see the state from its first event on, and be the only one to do so."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._shares: dict[Hashed, int] = {}
        self._sum = 0
        self._changed: dict[Hashed, None] = {}
        """The round in hand: what changed before it was begun and is not settled yet."""

    def settle(self, limit: int) -> int:
        """Bring the shares of at most `limit` changed objects up to date; returns how many are left.

        About 2 microseconds each. A live exchange calls it between commands, so that `value` finds little to do.
        """
        state, changed, shares, total = self._state, self._changed, self._shares, self._sum
        for _ in range(limit):
            if not changed:
                # Take over all that changed meanwhile: what changes again and again is settled once per round.
                changed, state.changed = state.changed, changed
                if not changed:
                    break
            each, _ = changed.popitem()
            total -= shares.get(each, 0)
            described = _DESCRIBE[type(each)](each)
            if described is not None:
                share = shares[each] = _number(described)
                total += share
            else:
                shares.pop(each, None)
        self._sum, self._changed = total, changed
        return len(changed) + len(state.changed)

    def value(self) -> bytes:
        """32 bytes: the hash of the state as it is now. Settles whatever has changed since it was last settled."""
        state = self._state
        while self.settle(1_000):
            pass
        return ((self._sum + _number(("counters", state.order_no, state.trade_no))) % 2**256).to_bytes(32)


def _number(described: object) -> int:
    return int.from_bytes(sha256(_encode(described)).digest(), "big")


def _order(order: Order) -> object | None:
    # What the order holds frozen follows from the rest.
    return ("order", order.accepted, order.lots_left, order.status) if is_remembered(order) else None


def _refused_order(order: RefusedOrder) -> object:
    return "refused", order.refused


def _account(account: TradingAccount) -> object:
    cash = account.cash
    booked = [getattr(cash, name) for name in cash.__slots__]
    # Only a suspended account tells of it, so that the hashes of logs without any suspension stay what they were.
    return ("account", account.account_id, booked, *(("suspended",) if account.suspended else ()))


def _listing(listing: Listing) -> object:
    return "instrument", listing.terms, listing.mark.price


def _position(held: HeldPosition) -> object:
    return (
        "position",
        held.account_id,
        held.position.instrument_id,
        _side(held.position.long),
        _side(held.position.short),
        [_holdings(bucket) for h in (held.long_holdings, held.short_holdings) for bucket in (h.history, h.today)],
    )


def _side(side: PositionSide) -> list[int]:
    return [getattr(side, name) for name in side.__slots__]


def _holdings(bucket: Iterable[Holding]) -> list[tuple[int, int, int, int]]:
    return [(h.opened_by, h.open_price, h.basis, h.lots) for h in bucket]


_DESCRIBE: Final[dict[type, Callable[[Any], object | None]]] = {
    Order: _order,
    RefusedOrder: _refused_order,
    TradingAccount: _account,
    HeldPosition: _position,
    Listing: _listing,
}
"""All of one object that decisions can depend on, its ids included, as plain values; None where it is not kept any
more."""
