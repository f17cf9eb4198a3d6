"""A contract is listed, if its terms make sense."""

from __future__ import annotations

from exchange.decider.refusing import refused
from exchange.decider.state import ExchangeState
from exchange.domain.commands import RegisterInstrument
from exchange.domain.events import CommandRefused, Facts, InstrumentRegistered
from exchange.domain.instrument import FeePair, InstrumentTerms, MarginRates
from exchange.domain.rejections import RejectReason
from exchange.domain.values import LOTS_MAX, MONEY_MAX, PRICE_MAX, RATE_ONE, AccountId


def register_instrument(
    state: ExchangeState, command: RegisterInstrument, at_ns: int
) -> InstrumentRegistered | CommandRefused:
    """Lists a contract under an id that is not taken."""
    terms = command.terms
    nobody = AccountId("")
    if terms.instrument_id in state.instruments:
        return refused(command, RejectReason.INSTRUMENT_EXISTS, {}, account_id=nobody, subject=terms.instrument_id)
    broken = broken_term(terms)
    if broken:
        facts: Facts = {"term": broken}
        return refused(command, RejectReason.INSTRUMENT_TERMS, facts, account_id=nobody, subject=terms.instrument_id)
    return InstrumentRegistered(terms=terms, at_ns=at_ns)


def broken_term(terms: InstrumentTerms) -> str:
    """The first term that makes no sense, or nothing.

    The sizes are bounded so that no amount of one trade or one order leaves 64 bits: its turnover at the highest price,
    and the fee and the margin of it, are at most `MONEY_MAX` each by money and by volume.
    """
    lower, upper = terms.lower_limit, terms.upper_limit
    lots_max = max(terms.limit_order_lots_max, terms.market_order_lots_max)
    fees = (terms.fees.open, terms.fees.close, terms.fees.closetoday)
    sound = {
        "instrument_id": terms.exchange_id != "" and terms.instrument_id.startswith(f"{terms.exchange_id}."),
        "multiplier": terms.multiplier > 0,
        "price_tick": terms.price_tick > 0,
        "price_band": 0 < lower <= terms.pre_settlement <= upper <= PRICE_MAX,
        "price_band_ticks": terms.price_tick > 0 and not (lower % terms.price_tick or upper % terms.price_tick),
        "order_lots_max": terms.limit_order_lots_max > 0 <= terms.market_order_lots_max and lots_max <= LOTS_MAX,
        "turnover_max": upper * terms.multiplier * lots_max <= MONEY_MAX,
        "margin": _is_sound(terms.margin, lots_max),
        "fees": all(_is_sound(pair, lots_max) for pair in fees),
    }
    return next((term for term, is_sound in sound.items() if not is_sound), "")


def _is_sound(charge: MarginRates | FeePair, lots_max: int) -> bool:
    return 0 <= charge.by_money <= RATE_ONE and 0 <= charge.by_volume * lots_max <= MONEY_MAX
