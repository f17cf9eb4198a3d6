"""The exchange's own book and matching on recorded markets: every file of a known form is checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.book_files import check_lobster_pair, check_market_by_order, count_identical_matches
from tests.support.recordings import recorded

pytestmark = pytest.mark.realdata


def partner(path: Path, ending: str, other: str) -> Path:
    """The file that belongs to another: the same name with another ending."""
    return path.with_name(path.name.removesuffix(ending) + other)


@pytest.mark.parametrize("messages", recorded("mbo_*/*_mbo.csv.xz"))
def test_market_by_order_messages_make_every_row_of_the_ten_level_book(messages: Path) -> None:
    """Prices, lots and numbers of orders, exactly; nothing is taken from the rows."""
    parts = sorted(messages.parent.glob("*_mbo.csv.xz"), key=lambda part: (len(part.name), part.name))
    earlier = parts[: parts.index(messages)]
    count = check_market_by_order(messages, partner(messages, "_mbo.csv.xz", "_mbp10.csv.xz"), earlier)
    assert count.rows > 0


@pytest.mark.parametrize("rows", recorded("lobster/*_orderbook.csv.xz"))
def test_lobster_messages_make_every_row_of_their_book(rows: Path) -> None:
    """But for the last levels, of which the messages of a few levels cannot know."""
    count = check_lobster_pair(partner(rows, "_orderbook.csv.xz", "_message.csv.xz"), rows)
    assert count.rows > 0
    assert count.helped < count.rows


@pytest.mark.parametrize("messages", recorded("lobster/*_message.csv.xz", without="_orderbook.csv.xz"))
def test_incoming_orders_meet_the_orders_they_met(messages: Path) -> None:
    """733 of 740 in the first ten minutes of AAPL.

    Not all can be met: in five of the seven others, orders from before the window, of low numbers, come into the file
    as new seconds after the open and were served before orders that the file shows earlier; in the other two an order
    was passed over that the file shows in front. What put them in their place is not in the file.
    """
    count = count_identical_matches(messages)
    assert count.incoming > 0
    assert count.identical * 740 >= count.incoming * 733
