"""Rows of a picture as tables of pandas, which need not be installed for anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from exchange.client.errors import ClientError, InvalidRequestError
from exchange.client.rows import Account, Order, Position, Quote, Trade

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]

DataFrameOf = Literal["orders", "trades", "positions", "quotes", "accounts"]

_ROW_CLASSES: Final[dict[DataFrameOf, type[Any]]] = {
    "orders": Order,
    "trades": Trade,
    "positions": Position,
    "quotes": Quote,
    "accounts": Account,
}
_INDEXES: Final[dict[DataFrameOf, str]] = {
    "orders": "order_id",
    "trades": "trade_id",
    "positions": "instrument_id",
    "quotes": "instrument_id",
    "accounts": "user_id",
}


def check_table(what: str) -> None:
    """Raises InvalidRequestError where there is no such table."""
    if what not in _ROW_CLASSES:
        raise InvalidRequestError(f"there is no table {what!r}: ask for one of {', '.join(get_args(DataFrameOf))}")


def data_frame(what: DataFrameOf, rows: Iterable[Any]) -> DataFrame:
    """One line for each row and one column for each of its fields, also where there are no rows; the ids are the index.

    Orders and trades stand oldest first. Of a quote's levels the best prices are shown. What a row does not have is NaN
    in a column of numbers. Raises ClientError where pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise ClientError("tables need pandas: pip install 'chronex[pandas]'") from error
    columns = [each.name for each in fields(_ROW_CLASSES[what]) if each.name not in ("bids", "asks")]
    if what == "quotes":
        columns += ["best_bid", "best_ask"]
    ordered = sorted(rows, key=lambda row: getattr(row, "seqno", 0))
    records = [tuple(getattr(row, column) for column in columns) for row in ordered]
    return pandas.DataFrame.from_records(records, columns=columns).set_index(_INDEXES[what])
