"""Contracts, quotes and books, from what is durable: the state that decides runs ahead of that and is never shown."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from exchange.domain.china_time import CHINA
from exchange.domain.instrument import FeePair, InstrumentTerms, MarginRates
from exchange.domain.values import RATE_ONE, YUAN, InstrumentId
from exchange.gateway.access import Act
from exchange.gateway.messages import NAME_CHARACTERS_MAX
from exchange.gateway.notices import Code
from exchange.server.api import PREFIX
from exchange.server.api.access import Principal, asks_for
from exchange.server.api.answers import BookAnswer, InstrumentsAnswer, QuoteAnswer
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.documents import may_answer
from exchange.server.api.errors import NoticeError
from exchange.server.api.words import answer
from projections.levels import DEPTH_MAX
from projections.quote import Quote
from projections.user_view import BEFORE_ALL

router = APIRouter(prefix=PREFIX, tags=["market"])

BOOK_DEPTH_MAX: Final = 1_000

Asker = Annotated[Principal, asks_for(Act.WATCH_MARKET)]
PastVersion = Annotated[
    int | None, Query(ge=0, le=2**62, description="A place in the log; counts as the end of an entry at or before it.")
]
Depth = Annotated[int, Query(ge=1, le=BOOK_DEPTH_MAX, description="Levels of each side at most.")]


@router.get("/instruments", dependencies=[asks_for(Act.WATCH_MARKET)], response_model=InstrumentsAnswer)
async def instruments(behind: Behind) -> Response:
    """The terms of all listed contracts."""
    quotes = behind.publisher.projections.market.quotes
    words = {instrument_id: word_terms(quote.terms) for instrument_id, quote in quotes.items()}
    return answer({"version": behind.publisher.projections.version, "instruments": words})


@router.get(
    "/quotes/{instrument_id}",
    dependencies=[asks_for(Act.WATCH_MARKET)],
    response_model=QuoteAnswer,
    responses=may_answer(HTTPStatus.NOT_FOUND),
)
async def quote(behind: Behind, instrument_id: str) -> Response:
    """What the market shows of a contract: last price, five levels of the book, volume and the day's figures."""
    words = behind.guide.word_quote(_quote(behind, instrument_id), BEFORE_ALL)
    return answer({"version": behind.publisher.projections.version, "quote": words})


@router.get(
    "/book/{instrument_id}", response_model=BookAnswer, responses=may_answer(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
)
async def book(
    behind: Behind, principal: Asker, instrument_id: str, depth: Depth = DEPTH_MAX, version: PastVersion = None
) -> Response:
    """What rests at each price, the best first, as [price, lots, orders]; now, or at a place in the log."""
    if version is None:
        version = behind.publisher.projections.version
    return answer(await behind.history.book(InstrumentId(instrument_id), depth, version, asker=principal.name))


def word_terms(terms: InstrumentTerms) -> dict[str, Any]:
    """A contract's terms, in yuan and shares; the names are those of quotes and market files."""
    fees = terms.fees
    return {
        "instrument_id": terms.instrument_id,
        "exchange_id": terms.exchange_id,
        "product_id": terms.product_id,
        "name": terms.name,
        "volume_multiple": terms.multiplier,
        "price_tick": terms.price_tick / YUAN,
        "pre_settlement": terms.pre_settlement / YUAN,
        "upper_limit": terms.upper_limit / YUAN,
        "lower_limit": terms.lower_limit / YUAN,
        "max_limit_order_volume": terms.limit_order_lots_max,
        "max_market_order_volume": terms.market_order_lots_max,
        "separate_today": terms.separate_today,
        "margin": _rates(terms.margin),
        "commission": {
            "open": _rates(fees.open),
            "close": _rates(fees.close),
            "closetoday": _rates(fees.closetoday),
        },
        "delivery_year": terms.delivery_year,
        "delivery_month": terms.delivery_month,
        "expires_at": datetime.fromtimestamp(terms.expire_at_ns // 1_000_000_000, CHINA).isoformat(),
    }


def _rates(rates: MarginRates | FeePair) -> dict[str, float]:
    return {"by_money": rates.by_money / RATE_ONE, "by_volume": rates.by_volume / YUAN}


def _quote(behind: Backend, instrument_id: str) -> Quote:
    found = behind.publisher.projections.market.quotes.get(InstrumentId(instrument_id))
    if found is None:
        raise NoticeError(
            HTTPStatus.NOT_FOUND, Code.NO_INSTRUMENT, {"instrument_id": instrument_id[:NAME_CHARACTERS_MAX]}
        )
    return found
