"""The contracts and the users of the simulation."""

from __future__ import annotations

from typing import Final, NamedTuple

from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import AccountId, InstrumentId, Money
from exchange.gateway.surroundings import User
from tests.support.market import fee_pair, margin, micro, terms

LISTED: Final = (
    terms("SIM.a1", multiplier=10, band=(92, 108), market_order_lots_max=20),
    terms(
        "SHFE.b1",
        multiplier=10,
        band=(92, 108),
        fees=(fee_pair("0.00013"), fee_pair("0.00011"), fee_pair("0.0003")),
        separate_today=True,
    ),
    terms(
        "DCE.c1",
        multiplier=7,
        tick="0.5",
        band=(92, 108),
        margin_rates=margin("0.05", "1.5"),
        fees=(fee_pair(by_volume="1.2"), fee_pair(by_volume="1.201"), fee_pair(by_volume="0.6")),
    ),
)
"""Listed from the beginning. Their bands are narrow, so that orders meet."""
LISTED_LATER: Final = (terms("SIM.d1", multiplier=10, band=(92, 108)), terms("SIM.e1", multiplier=10, band=(92, 108)))
UNKNOWN_ID: Final = "SIM.zz"
"""Never listed."""


class Trader(NamedTuple):
    """A user of the exchange. Name and account id are canaries: nobody else may ever be told them."""

    name: str
    account_id: AccountId
    secret: str
    deposit: Money

    @property
    def user(self) -> User:
        """As a conversation knows him once he is logged in."""
        return User(self.name, self.account_id)

    @property
    def canaries(self) -> tuple[bytes, ...]:
        """What only this user may be told: his name, his account, the beginning of his orders' ids."""
        return self.name.encode(), self.account_id.encode(), self.order_prefix.encode()

    @property
    def order_prefix(self) -> str:
        """How the ids of all his orders begin."""
        return f"o.{self.name}."


def _trader(name: str, account_id: str, yuan: int) -> Trader:
    return Trader(name, AccountId(account_id), f"secret of {name}", Money(micro(yuan)))


TRADERS: Final = (
    _trader("ann.7f3a", "acct.c0ffee", 60_000),
    _trader("bob.91cd", "acct.decade", 20_000),
    _trader("cyd.02be", "acct.facade", 2_500),
    _trader("dot.5e88", "acct.beaded", 0),
)
"""Rich, comfortable, poor (who runs out of funds), and without any money of his own."""

BY_NAME: Final = {trader.name: trader for trader in TRADERS}
ALL_IDS: Final = tuple(each.instrument_id for each in LISTED + LISTED_LATER)


def terms_of(instrument_id: InstrumentId) -> InstrumentTerms:
    """The terms of a contract, listed or still to be."""
    return next(each for each in LISTED + LISTED_LATER if each.instrument_id == instrument_id)
