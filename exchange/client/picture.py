"""One picture, to be read: the account, positions, orders, trades and quotes of one version."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exchange.client.changes import Tree, at_path, object_at
from exchange.client.dataframes import DataFrameOf, check_table, data_frame
from exchange.client.layout import Layout
from exchange.client.mirror import Snapshot
from exchange.client.rows import Account, Order, Position, Quote, Trade, read_quote, read_row

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]


class Picture:
    """What a user had and saw at one version.

    It never changes and may be read in any thread, so everything in it belongs together: a filled order never shows
    without its trades, and the balance is the sum of its parts. Rows are made when they are asked for.
    """

    __slots__ = ("_layout", "_tree", "version")

    def __init__(self, snapshot: Snapshot, layout: Layout) -> None:
        self.version = snapshot.version
        """The place in the exchange's log; None before the first login."""
        self._tree = snapshot.tree
        self._layout = layout

    @property
    def tree(self) -> Tree:
        """The picture as the wire gave it. It is shared with other versions: do not change it."""
        return self._tree

    @property
    def account(self) -> Account | None:
        """The user's money; None for a user without an account."""
        return read_row(Account, at_path(self._tree, self._layout.account))

    def position(self, instrument_id: str) -> Position | None:
        """What the user holds in `SHFE.cu2701`; None where nothing was ever held. A flat one has zeros."""
        return read_row(Position, at_path(self._tree, (*self._layout.positions, instrument_id)))

    @property
    def positions(self) -> dict[str, Position]:
        """All positions by instrument."""
        wire = object_at(self._tree, self._layout.positions)
        return {key: row for key in wire if (row := self.position(key)) is not None}

    def order(self, order_id: str) -> Order | None:
        """The order of this id; None where the picture has none."""
        return self._order(at_path(self._tree, (*self._layout.orders, order_id)))

    @property
    def orders(self) -> dict[str, Order]:
        """The orders of the picture by id."""
        wire = object_at(self._tree, self._layout.orders)
        return {key: row for key, each in wire.items() if (row := self._order(each)) is not None}

    def trade(self, trade_id: str) -> Trade | None:
        """The trade of this id; None where the picture has none."""
        return self._trade(at_path(self._tree, (*self._layout.trades, trade_id)))

    @property
    def trades(self) -> dict[str, Trade]:
        """The trades of the picture by id."""
        wire = object_at(self._tree, self._layout.trades)
        return {key: row for key, each in wire.items() if (row := self._trade(each)) is not None}

    def trades_of(self, order_id: str) -> list[Trade]:
        """What one order got so far."""
        return [trade for trade in self.trades.values() if trade.order_id == order_id]

    def quote(self, instrument_id: str) -> Quote | None:
        """The market in `SHFE.cu2701`; None where it is not subscribed to, or has not come yet."""
        return read_quote(at_path(self._tree, (*self._layout.quotes, instrument_id)))

    @property
    def quotes(self) -> dict[str, Quote]:
        """All quotes that are subscribed to, by instrument."""
        wire = object_at(self._tree, self._layout.quotes)
        return {key: row for key, each in wire.items() if (row := read_quote(each)) is not None}

    def to_dataframe(self, what: DataFrameOf) -> DataFrame:
        """The "orders", "trades", "positions", "quotes" or "accounts" as a table of pandas; see `data_frame`."""
        check_table(what)
        if what == "accounts":
            account = self.account
            return data_frame(what, [] if account is None else [account])
        rows: dict[str, Any] = getattr(self, what)
        return data_frame(what, rows.values())

    def _order(self, wire: Any) -> Order | None:
        row = read_row(Order, wire, self._layout.order_names)
        if row is None or self._layout.time_per_ms == 1:
            return row
        return replace(row, inserted_at_ms=row.inserted_at_ms // self._layout.time_per_ms)

    def _trade(self, wire: Any) -> Trade | None:
        row = read_row(Trade, wire, self._layout.trade_names)
        if row is None or self._layout.time_per_ms == 1:
            return row
        return replace(row, traded_at_ms=row.traded_at_ms // self._layout.time_per_ms)


class PictureReader(ABC):
    """Lets whoever has a present picture be asked for its rows directly; each call may see a newer one."""

    __slots__ = ()

    @property
    @abstractmethod
    def picture(self) -> Picture:
        """The present picture: everything in it belongs to one version."""

    @property
    def version(self) -> int | None:
        """The place in the exchange's log that the picture shows; None before the first login."""
        return self.picture.version

    @property
    def account(self) -> Account | None:
        """See `Picture.account`."""
        return self.picture.account

    def position(self, instrument_id: str) -> Position | None:
        """See `Picture.position`."""
        return self.picture.position(instrument_id)

    @property
    def positions(self) -> dict[str, Position]:
        """See `Picture.positions`."""
        return self.picture.positions

    def order(self, order_id: str) -> Order | None:
        """See `Picture.order`."""
        return self.picture.order(order_id)

    @property
    def orders(self) -> dict[str, Order]:
        """See `Picture.orders`."""
        return self.picture.orders

    def trade(self, trade_id: str) -> Trade | None:
        """See `Picture.trade`."""
        return self.picture.trade(trade_id)

    @property
    def trades(self) -> dict[str, Trade]:
        """See `Picture.trades`."""
        return self.picture.trades

    def quote(self, instrument_id: str) -> Quote | None:
        """See `Picture.quote`."""
        return self.picture.quote(instrument_id)

    @property
    def quotes(self) -> dict[str, Quote]:
        """See `Picture.quotes`."""
        return self.picture.quotes

    def to_dataframe(self, what: DataFrameOf) -> DataFrame:
        """See `Picture.to_dataframe`."""
        return self.picture.to_dataframe(what)
