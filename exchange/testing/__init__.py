"""A running exchange inside a test: in this process, in memory, gone when the test is.

    with run_exchange(users={"alice": 1_000_000}) as exchange:
        exchange.market.quote("SHFE.cu2701", bid=78_000, ask=78_010)
        ...  # connect to exchange.url as alice, with exchange.password("alice")
        assert exchange.account("alice")["balance"] == 1_000_000

`exchange_running` is the same for a test that has an event loop, and the pytest fixture `chronex` brings it without a
`with`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from exchange.testing.blocking import RunningExchange, run_exchange
    from exchange.testing.errors import ExchangeOverError, NoAccountError, NoSuchUserError, RealTimeError, ScriptError
    from exchange.testing.running import AsyncRunningExchange, exchange_running
    from exchange.testing.script import Pause, Quote, Trade

__all__ = [
    "AsyncRunningExchange",
    "ExchangeOverError",
    "NoAccountError",
    "NoSuchUserError",
    "Pause",
    "Quote",
    "RealTimeError",
    "RunningExchange",
    "ScriptError",
    "Trade",
    "exchange_running",
    "run_exchange",
]

_HOMES: Final = {
    "AsyncRunningExchange": "running",
    "ExchangeOverError": "errors",
    "NoAccountError": "errors",
    "NoSuchUserError": "errors",
    "Pause": "script",
    "Quote": "script",
    "RealTimeError": "errors",
    "RunningExchange": "blocking",
    "ScriptError": "errors",
    "Trade": "script",
    "exchange_running": "running",
    "run_exchange": "blocking",
}


def __getattr__(name: str) -> Any:
    # pytest imports this package for its plugin in every run, whatever is tested: the server, half a second of imports,
    # comes when somebody asks for it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
