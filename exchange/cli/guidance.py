"""What the demo tells a new user to do next: who may log in, and a first client program that runs as printed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from exchange.cli.options import DEFAULT_DATA
from exchange.domain.instrument import InstrumentTerms
from exchange.domain.values import decimal_text
from exchange.feeds.tape import Tape
from exchange.server.app import Exchange
from exchange.server.demo import DemoUser

PASSWORD_UNKNOWN: Final = "PASSWORD"
"""Stands in the client program where the user's password was printed at an earlier start."""

CLIENT: Final = """\
import json
from websockets.sync.client import connect
def say(**message): ws.send(json.dumps(message))
with connect("{address}") as ws:
    say(aid="req_login", bid="qaexchange", user_name="{user}", password="{password}")
    say(aid="subscribe_quote", ins_list="{instrument_id}")
    say(aid="insert_order", user_id="{user}", exchange_id="{exchange_id}", instrument_id="{contract}",
        direction="BUY", offset="OPEN", volume=1, price_type="LIMIT", limit_price={price})
    while not say(aid="peek_message"):
        print(*json.loads(ws.recv())["data"], sep="\\n", flush=True)
"""
"""Ten lines that log in, subscribe, buy one lot, and print every patch that the exchange sends, until Ctrl-C."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGuidance:
    """What to print."""

    users: Sequence[DemoUser]
    instruments: Sequence[str]
    """Those that recorded quotes play on."""
    client: str
    """The program."""
    data_option: str
    """What commands need to find this exchange; empty where they look by themselves."""

    @classmethod
    def of(cls, users: Sequence[DemoUser], tapes: Sequence[Tape], exchange: Exchange, address: str) -> Self:
        """The guidance for a demo that has just begun; `address` is that of the WebSocket."""
        listed = exchange.sequencer.state.instruments
        instruments = [tape.instrument_id for tape in tapes]
        terms = listed[instruments[0] if instruments else next(iter(listed))].terms
        data = exchange.settings.data
        return cls(
            users=users,
            instruments=instruments,
            client=client_program(users[0], terms, address),
            data_option="" if data == DEFAULT_DATA else f" --data {shlex.quote(str(data))}",
        )

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "users": [{"name": user.name, "password": user.password} for user in self.users],
            "tapes": list(self.instruments),
            "client": self.client,
        }

    def lines(self) -> list[str]:
        """All of it, for people."""
        return [
            "users, each password shown this once:",
            *(f"  {user.name:<8} {_password_text(user)}" for user in self.users),
            f"recorded quotes play on {', '.join(self.instruments) or 'no contract of this market file'}",
            "  (from https://github.com/shinnytech/tqsdk-python, Apache-2.0)",
            f"a first client, to be saved as client.py and run with {sys.executable} client.py:",
            "",
            *self.client.splitlines(),
            "",
            "to see what it did:",
            f"  {_program()} log tail --follow{self.data_option}",
            f"  {_program()} state --user {self.users[0].name}{self.data_option}",
        ]


def _program() -> str:
    """This program as it was called, such as `.venv/bin/exchange`: it need not stand in the shell's path."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "exchange" else "exchange"


def client_program(user: DemoUser, terms: InstrumentTerms, address: str) -> str:
    """The program for this user and contract; it buys at the upper limit, which trades with whoever sells."""
    return CLIENT.format(
        address=address,
        user=user.name,
        password=user.password or PASSWORD_UNKNOWN,
        instrument_id=terms.instrument_id,
        exchange_id=terms.exchange_id,
        contract=terms.instrument_id.partition(".")[2],
        price=decimal_text(terms.upper_limit),
    )


def _password_text(user: DemoUser) -> str:
    return user.password or f"made at an earlier start; `{_program()} user password {user.name}` sets another"
