"""The guide's JavaScript client (section 9.2), as written, trades under Node and sees its mirror right.

Its merge function is no RFC 7396: it merges arrays by their indexes and keeps nulls within what is new to it. It must
not matter.
"""

from __future__ import annotations

from operator import eq
from pathlib import Path

from tests.e2e import guide
from tests.e2e.guide_trading import trade_with
from tests.e2e.node_client import client_in_node
from tests.support.log_views import check_pictures
from tests.support.running import running

BRIDGE = Path(__file__).with_name("guide_client.cjs")


async def test_the_guides_javascript_client_trades_and_its_mirror_is_always_the_servers(tmp_path: Path) -> None:
    async with running(tmp_path / "data", market=guide.MARKET) as exchange:
        code = guide.at_address(guide.code_under("9.2", "javascript"), exchange.port.address)
        async with client_in_node(BRIDGE, code, tmp_path) as watched:
            await trade_with(watched, exchange)
    # JavaScript has one kind of number: what came as 2.0 is told as 2.
    check_pictures(watched.pictures, guide.USER, tmp_path / "data", same=eq)
