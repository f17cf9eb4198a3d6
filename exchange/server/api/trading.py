"""One's own orders, trades, positions and account.

An order goes the way of a conversation's `insert_order`: the same message, the same command, the same rules. What REST
adds is that the answer waits until the entry is durable and folded.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from exchange.domain.events import CommandRefused, OrderAccepted, OrderRefused, OrderRepeated
from exchange.domain.values import OrderId
from exchange.gateway.access import Act
from exchange.gateway.dialects.fields import Patch
from exchange.gateway.messages import NAME_CHARACTERS_MAX, CancelOrderMessage, InsertOrderMessage, parse_insert_order
from exchange.gateway.notices import Code
from exchange.gateway.orders import cancel_order, insert_order
from exchange.gateway.surroundings import User
from exchange.server.api import PREFIX
from exchange.server.api.access import own_account
from exchange.server.api.answers import AccountAnswer, Order, OrdersAnswer, PositionsAnswer, TradesAnswer
from exchange.server.api.backend import Backend, Behind
from exchange.server.api.bodies import order_body
from exchange.server.api.documents import may_answer
from exchange.server.api.errors import NoticeError, refusal_notice
from exchange.server.api.words import answer, word_account, word_positions
from exchange.server.history.rows import word_row

router = APIRouter(prefix=PREFIX, tags=["trading"])

ORIGIN: Final = "rest"
"""The origin of commands that came by a request."""
LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1_000


async def whole_body(request: Request) -> bytes:
    """The body, once all of it has come.

    A route names it before whoever asks, who may take their time with it: what their token was good for then says
    nothing of now.
    """
    return await request.body()


Body = Annotated[bytes, Depends(whole_body)]
Trader = Annotated[User, own_account(Act.TRADE)]
Reader = Annotated[User, own_account(Act.SEE_OWN)]

Status = Literal["PENDING", "ALIVE", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "REJECTED", "open", "finished"]
StatusFilter = Annotated[
    Status | None, Query(description="A state, or `open` or `finished` for those that work and those that do not.")
]
InstrumentFilter = Annotated[str | None, Query(description="Such as `SHFE.rb2701`.", max_length=128)]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=64, description="The `next_cursor` of the page before.")]


@router.post(
    "/orders",
    status_code=HTTPStatus.CREATED,
    response_model=Order,
    responses=may_answer(HTTPStatus.CONFLICT)
    | {200: {"model": Order, "description": "The order came before: its first outcome."}},
    openapi_extra=order_body(),
)
async def insert(behind: Behind, body: Body, user: Trader) -> Response:
    """Send an order; answers once it is durable, with the order as it then is.

    With an `order_id` of one's own a request may be repeated: the same order gets its first outcome, whatever that
    was, and nothing is done twice. Without one the exchange makes an id.
    """
    message = parse_insert_order(body)
    _speaks_for(user, message)
    command = insert_order(message, user.account_id)
    entry = await behind.desk.carry_out(command, actor=user.account_id, origin=ORIGIN, client_id=command.order_id)
    outcome = entry.events[0]
    if isinstance(outcome, OrderRefused | CommandRefused):
        raise refusal_notice(outcome)
    assert isinstance(outcome, OrderAccepted | OrderRepeated), f"{outcome} is no outcome of an order"
    status = HTTPStatus.CREATED if isinstance(outcome, OrderAccepted) else HTTPStatus.OK
    return answer(await _order_now(behind, user, outcome.order_id), status)


@router.delete(
    "/orders/{order_id:path}",
    response_model=Order,
    responses=may_answer(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def cancel(behind: Behind, user: Trader, order_id: str) -> Response:
    """Take what is left of an order out of the market; answers once that is durable, with the order as it then is."""
    command = cancel_order(CancelOrderMessage(order_id=order_id), user.account_id)
    entry = await behind.desk.carry_out(command, actor=user.account_id, origin=ORIGIN, client_id=command.order_id)
    outcome = entry.events[0]
    if isinstance(outcome, CommandRefused):
        raise refusal_notice(outcome)
    return answer(await _order_now(behind, user, command.order_id))


@router.get("/orders", response_model=OrdersAnswer)
async def orders(
    behind: Behind,
    user: Reader,
    status: StatusFilter = None,
    instrument_id: InstrumentFilter = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """One's own orders, the newest first, back to the first of all.

    A cursor goes on where its page ended, whatever came meanwhile. What is older than the newest 500 that are finished
    is looked up in the log, which takes longer.
    """
    page = await behind.history.orders_page(
        user, limit=limit, cursor=cursor, instrument_id=instrument_id, status=status, asker=user.name
    )
    return answer({"version": page.version, "orders": page.rows, "next_cursor": page.next_cursor})


@router.get("/trades", response_model=TradesAnswer)
async def trades(
    behind: Behind,
    user: Reader,
    instrument_id: InstrumentFilter = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """One's own trades, the newest first, like the orders; whoever trades with themselves has both sides."""
    page = await behind.history.trades_page(
        user, limit=limit, cursor=cursor, instrument_id=instrument_id, asker=user.name
    )
    return answer({"version": page.version, "trades": page.rows, "next_cursor": page.next_cursor})


@router.get("/positions", response_model=PositionsAnswer)
async def positions(behind: Behind, user: Reader) -> Response:
    """One's own positions, marked to the last price of each contract; a flat one stays, with zeros."""
    view = behind.publisher.projections.user(user.account_id)
    return answer({"version": _version(behind), "positions": word_positions(behind.guide, view, user.name)})


@router.get("/account", response_model=AccountAnswer, responses=may_answer(HTTPStatus.NOT_FOUND))
async def account(behind: Behind, user: Reader) -> Response:
    """One's own money, in yuan; 404 for whoever has no account, such as an observer."""
    view = behind.publisher.projections.user(user.account_id)
    words = word_account(behind.guide, view, user.name)
    if words is None:
        raise NoticeError(HTTPStatus.NOT_FOUND, Code.UNKNOWN_ACCOUNT, {})
    return answer({"version": _version(behind), "account": words})


def _speaks_for(user: User, message: InsertOrderMessage) -> None:
    """Raise NoticeError where an order names somebody else: who sends it, the token alone decides."""
    for named in (message.user_id, message.account_id):
        if named not in (None, user.name, user.account_id):
            raise NoticeError(
                HTTPStatus.FORBIDDEN, Code.OTHER_USER, {"aid": "insert_order", "named": named[:NAME_CHARACTERS_MAX]}
            )


async def _order_now(behind: Backend, user: User, order_id: OrderId) -> Patch:
    """An order that the log has, in words."""
    row = behind.publisher.projections.user(user.account_id).rows.get(order_id)
    if row is not None:
        return word_row(row, user.name, behind.guide)
    return await _order_long_ago(behind, user, order_id)


async def _order_long_ago(behind: Backend, user: User, order_id: OrderId) -> Patch:
    """An order that has left the view, since so many others were finished after it."""
    cursor: str | None = None
    while True:
        page = await behind.history.orders_page(user, limit=LIMIT_MAX, cursor=cursor, asker=user.name)
        for order in page.rows:
            if order["order_id"] == order_id:
                return order
        cursor = page.next_cursor
        assert cursor is not None, f"the log has an outcome of order {order_id}, and not the order"


def _version(behind: Backend) -> int:
    return behind.publisher.projections.version
