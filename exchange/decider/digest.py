"""One hash for the whole state, kept up to date by the objects that changed.

The hash is the sum of a SHA-256 per object, modulo 2**256: exchanging an object's old digest for its new one costs the
same however large the state is, and the sum does not depend on any order. It tells equal states from different ones
after an honest run; that nobody rewrote history is the Merkle tree's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from exchange.decider.state import ExchangeState, HeldPosition
from exchange.domain.events import OrderRefused
from exchange.domain.holdings import Holding
from exchange.domain.position import PositionSide
from exchange.domain.values import AccountId, InstrumentId, OrderId

_MODULUS = 1 << 256
_encode = msgspec.json.Encoder().encode


class StateHash:
    """The running hash of one state."""

    def __init__(self, state: ExchangeState) -> None:
        self._state = state
        self._digests: dict[tuple[str, ...], int] = {}
        self._sum = 0

    def value(self) -> bytes:
        """32 bytes: the hash of the state as it is now. Costs as much as has changed since the last call."""
        state = self._state
        for key in state.changed:
            described = describe(state, key)
            old = self._digests.pop(key, 0)
            new = 0
            if described is not None:
                new = int.from_bytes(sha256(_encode((key, described))).digest())
                self._digests[key] = new
            self._sum = (self._sum + new - old) % _MODULUS
        state.changed.clear()
        counters = int.from_bytes(sha256(_encode(("counters", state.order_no, state.trade_no))).digest())
        return ((self._sum + counters) % _MODULUS).to_bytes(32)


def describe(state: ExchangeState, key: tuple[str, ...]) -> object | None:
    """All of one object that decisions can depend on, as plain values; None where it is not kept any more."""
    match key:
        case ("instrument", instrument_id):
            listing = state.instruments[InstrumentId(instrument_id)]
            return listing.terms, listing.mark.price
        case ("account", account_id):
            cash = state.accounts[AccountId(account_id)].cash
            return [getattr(cash, name) for name in cash.__slots__]
        case ("position", account_id, instrument_id):
            return _position(state.accounts[AccountId(account_id)].positions[InstrumentId(instrument_id)])
        case ("order", account_id, order_id):
            order = state.accounts[AccountId(account_id)].orders.get(OrderId(order_id))
            if order is None or isinstance(order, OrderRefused):
                return order
            return order.accepted, order.lots_left, order.status
        case _:
            raise AssertionError(f"no object of the state is called {key}")


def _position(held: HeldPosition) -> object:
    return (
        _side(held.position.long),
        _side(held.position.short),
        [_holdings(bucket) for h in (held.long_holdings, held.short_holdings) for bucket in (h.history, h.today)],
    )


def _side(side: PositionSide) -> list[int]:
    return [getattr(side, name) for name in side.__slots__]


def _holdings(bucket: Iterable[Holding]) -> list[tuple[int, int, int, int]]:
    return [(h.opened_by, h.open_price, h.basis, h.lots) for h in bucket]
