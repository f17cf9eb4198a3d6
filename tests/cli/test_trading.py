"""The commands that trade, against an exchange that runs: what they do, what they print, and how they end."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from exchange.cli import completion, logins, texts
from exchange.cli.errors import ExitStatus
from exchange.gateway.notices import Language
from exchange.testing import RunningExchange, run_exchange
from tests.cli.harness import document, invoke
from tests.support.certificates import self_signed

CU = "SHFE.cu2701"
"""Tells lots of today from older ones."""
M = "DCE.m2701"
"""Does not."""


@pytest.fixture
def login_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "login.json"
    monkeypatch.setenv("EXCHANGE_LOGIN", str(path))
    return path


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    with run_exchange(users={"alice": 1_000_000, "bob": 1_000_000}, language="en") as running:
        yield running


@pytest.fixture
def alice(exchange: RunningExchange, login_file: Path) -> RunningExchange:
    """The exchange, with alice logged in and a market to trade with."""
    exchange.market.quote(CU, bid=47_780, ask=47_820, lots=10)
    log_in(exchange, "alice")
    return exchange


def log_in(exchange: RunningExchange, user: str) -> Result:
    result = invoke("login", user, "--url", exchange.http_url, stdin=None, EXCHANGE_PASSWORD=exchange.password(user))
    assert result.exit_code == 0, result.output
    return result


def lines(*arguments: object) -> list[str]:
    """What a command that must succeed prints."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


# Logins.


def test_a_login_keeps_a_token_and_no_password(exchange: RunningExchange, login_file: Path) -> None:
    result = log_in(exchange, "alice")
    told = rf"alice is logged in at {re.escape(exchange.http_url)} until \d{{4}}-\d\d-\d\d \d\d:\d\d\+08:00\n"
    assert re.fullmatch(told, result.stdout)
    kept = login_file.read_text("utf-8")
    assert exchange.password("alice") not in kept
    assert stat.S_IMODE(login_file.stat().st_mode) == 0o600
    assert json.loads(kept)["user"] == "alice"


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_wrong_password_is_refused_and_keeps_nothing(exchange: RunningExchange, login_file: Path, user: str) -> None:
    result = invoke("login", user, "--url", exchange.http_url, "--password-stdin", stdin="wrong\n")
    assert result.exit_code == ExitStatus.REFUSED
    assert "Wrong user name or password" in result.stderr
    assert not login_file.exists()


def test_logging_out_voids_the_token(alice: RunningExchange, login_file: Path) -> None:
    token = json.loads(login_file.read_text("utf-8"))["token"]
    assert lines("logout") == [f"alice is logged out of {alice.http_url}"]
    assert not login_file.exists()
    result = invoke("account")
    assert (result.exit_code, result.stderr) == (1, f"error: {texts.NOT_LOGGED_IN('en')}\n")
    logins.keep(logins.Login(url=alice.http_url, user="alice", token=token, expires_at=""))
    void = invoke("account")
    assert (void.exit_code, "run `exchange login` again" in void.stderr) == (ExitStatus.REFUSED, True)
    assert "重新运行 `exchange login`" in invoke("account", "--lang", "zh").stderr
    assert lines("logout")  # the token is void already, and what is wanted is so


def test_a_certificate_that_the_system_does_not_know_is_given(login_file: Path, tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    with run_exchange(users=["alice"], tls_cert=files.certificate, tls_key=files.key) as exchange:
        port = exchange.http_url.rpartition(":")[2]
        asked = ("login", "alice", "--password", exchange.password("alice"), "--url")
        unknown = invoke(*asked, f"https://localhost:{port}")
        assert (unknown.exit_code, "--ca" in unknown.stderr) == (ExitStatus.NOT_REACHABLE, True)
        plain = invoke(*asked, f"http://localhost:{port}")
        assert (plain.exit_code, "begins with https://" in plain.stderr) == (ExitStatus.OUTCOME_UNKNOWN, True)
        assert not login_file.exists()
        assert invoke(*asked, f"wss://localhost:{port}", "--ca", files.certificate).exit_code == 0
        assert document("account")["account"]["balance"] == 1_000_000


def test_tls_where_there_is_none_is_told(exchange: RunningExchange, login_file: Path) -> None:
    result = invoke("login", "alice", "--password", "x", "--url", exchange.http_url.replace("http", "https"))
    assert (result.exit_code, "does not speak TLS" in result.stderr) == (ExitStatus.NOT_REACHABLE, True)


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://u:p@h:1", "http://h:1/path", "h:99999"])
def test_an_address_that_can_be_none_is_told(login_file: Path, url: str) -> None:
    result = invoke("login", "alice", "--url", url, "--password", "x")
    assert result.exit_code == ExitStatus.USAGE
    assert "is no address of an exchange" in result.stderr


def test_nobody_answering_is_told(login_file: Path) -> None:
    result = invoke("login", "alice", "--url", "127.0.0.1:1", "--password", "x")
    assert result.exit_code == ExitStatus.NOT_REACHABLE


def test_a_login_without_a_password_says_the_four_ways(exchange: RunningExchange, login_file: Path) -> None:
    result = invoke("login", "alice", "--url", exchange.http_url)
    assert result.exit_code == ExitStatus.USAGE
    assert "--password-stdin" in result.stderr


def test_a_damaged_login_file_is_told(login_file: Path) -> None:
    login_file.parent.mkdir()
    login_file.write_text("{", "utf-8")
    result = invoke("account")
    assert (result.exit_code, "run `exchange login`" in result.stderr) == (1, True)


# Orders.


def test_a_bought_lot_shows_everywhere(alice: RunningExchange) -> None:
    assert lines("buy", CU, 2, 47_820, "--id", "o1") == ["o1: buy to open 2 of SHFE.cu2701, filled, 2 filled"]
    (order,) = document("orders")["orders"]
    assert (order["order_id"], order["status"], order["volume_left"]) == ("o1", "FILLED", 0)
    (trade,) = document("trades", "--contract", CU)["trades"]
    assert (trade["order_id"], trade["price"], trade["volume"]) == ("o1", 47_820, 2)
    position = document("positions")["positions"][CU]
    assert position["volume_long"] == 2
    assert document("account")["account"] == alice.account("alice")
    for command in ("orders", "trades", "positions"):
        (row,) = (line for line in lines(command) if CU in line)
        assert "47820" in row
    assert any(line.split()[0] == "balance" for line in lines("account"))


def test_an_order_waits_and_is_cancelled(alice: RunningExchange) -> None:
    assert lines("sell", CU, 3, 48_000, "--id", "s1") == ["s1: sell to open 3 of SHFE.cu2701, working, 0 filled"]
    assert [order["order_id"] for order in document("orders", "--which", "open")["orders"]] == ["s1"]
    assert lines("cancel", "s1") == ["s1: sell to open 3 of SHFE.cu2701, cancelled, 0 filled"]
    assert document("orders", "--which", "open")["orders"] == []
    assert "Orders: none" in lines("orders", "--which", "open")
    again = invoke("cancel", "s1")
    assert (again.exit_code, "is finished" in again.stderr) == (ExitStatus.REFUSED, True)


def test_closing_fak_and_fok(alice: RunningExchange) -> None:
    alice.market.quote(M, bid=2_760, ask=2_761)
    assert document("buy", M, 1, 2_761)["status"] == "FILLED"
    closing = document("sell", M, 1, 2_760, "--close")
    assert (closing["offset"], closing["status"]) == ("CLOSE", "FILLED")
    assert document("buy", CU, 2, 47_820)["status"] == "FILLED"
    not_today = invoke("sell", CU, 1, 47_780, "--close")
    assert (not_today.exit_code, "0 can be closed" in not_today.stderr) == (ExitStatus.REFUSED, True)
    assert document("sell", CU, 1, 47_780, "--close-today")["offset"] == "CLOSETODAY"
    part = document("buy", CU, 50, 47_820, "--time", "fak")
    assert (part["status"], part["time_condition"], part["volume_left"] > 0) == ("CANCELLED", "IOC", True)
    whole = document("buy", CU, 50, 47_820, "--time", "fok")
    assert (whole["status"], whole["volume_left"]) == ("CANCELLED", 50)


def test_the_same_id_again_does_nothing_twice(alice: RunningExchange) -> None:
    first = document("buy", CU, 1, 47_820, "--id", "once")
    assert document("buy", CU, 1, 47_820, "--id", "once") == first
    assert len(document("trades")["trades"]) == 1
    other = invoke("buy", CU, 2, 47_820, "--id", "once")
    assert (other.exit_code, "belongs to another order" in other.stderr) == (ExitStatus.REFUSED, True)


def test_an_id_of_the_commands_own_is_fresh_each_time(alice: RunningExchange) -> None:
    one, two = (document("buy", CU, 1, 47_000)["order_id"] for _ in range(2))
    assert one != two


@pytest.mark.parametrize(("lang", "said"), [("en", "is outside the band"), ("zh", "超出涨跌停板")])
def test_a_refusal_is_told_in_the_language_asked_for(alice: RunningExchange, lang: str, said: str) -> None:
    result = invoke("buy", CU, 1, 10_000, "--lang", lang)
    assert (result.exit_code, said in result.stderr) == (ExitStatus.REFUSED, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("buy", "cu2701", 1, 47_820), "names no contract"),
        (("buy", CU, 0, 47_820), "greater than or equal to 1"),
        (("buy", CU, 1, "cheap"), "is no price"),
        (("buy", CU, 1, "0.0000001"), "decimals"),
        (("sell", CU, 1, 47_820, "--close", "--close-today"), "exclude each other"),
        (("sell", CU, 1, 47_820, "--time", "soon"), "day"),
    ],
)
def test_a_senseless_order_never_leaves(login_file: Path, arguments: tuple[object, ...], said: str) -> None:
    """Nobody is logged in: an order that was sent would end otherwise."""
    result = invoke(*arguments)
    assert (result.exit_code, said in result.stderr) == (ExitStatus.USAGE, True), result.output


def test_a_refused_order_keeps_why(alice: RunningExchange) -> None:
    assert invoke("buy", CU, 1, 10_000, "--id", "r1").exit_code == ExitStatus.REFUSED
    document("buy", CU, 1, 47_000, "--id", "w1")
    waiting, refused = lines("orders")[-2:]
    assert waiting.split()[-1] == "working"
    assert "is outside the band" in refused


def test_another_s_order_is_unknown(alice: RunningExchange, login_file: Path) -> None:
    document("buy", CU, 1, 47_000, "--id", "mine")
    log_in(alice, "bob")
    result = invoke("cancel", "mine")
    assert (result.exit_code, "there is no order mine" in result.stderr) == (ExitStatus.REFUSED, True)
    assert document("orders")["orders"] == []


# Looking.


def test_quotes_and_the_book(alice: RunningExchange) -> None:
    quote = document("quote", CU)["quote"]
    assert (quote["bid_price1"], quote["ask_price1"]) == (47_780, 47_820)
    assert [each["quote"]["instrument_id"] for each in document("quote", CU, "DCE.m2701")] == [CU, "DCE.m2701"]
    assert any("47780" in line and "47820" in line for line in lines("quote", CU))
    document("buy", CU, 1, 47_770)
    found = document("book", CU, "--depth", 2)
    assert found["bids"] == [[47_780, 10, 1], [47_770, 1, 1]]
    shown = [line.split() for line in lines("book", CU)]
    assert ["ask", "47820", "10", "1"] in shown
    assert shown.index(["ask", "47820", "10", "1"]) < shown.index(["bid", "47780", "10", "1"])
    unknown = invoke("quote", "SHFE.none")
    assert (unknown.exit_code, "SHFE.none" in unknown.stderr) == (ExitStatus.REFUSED, True)


def test_long_lists_are_paged(alice: RunningExchange) -> None:
    ids = [document("buy", CU, 1, 47_000 + 10 * at)["order_id"] for at in range(5)]
    found: list[str] = []
    cursor: str | None = None
    while cursor or not found:
        page = document("orders", "--limit", 2, *(("--cursor", cursor) if cursor else ()))
        found += [order["order_id"] for order in page["orders"]]
        cursor = page["next_cursor"]
    assert found == ids[::-1]
    result = invoke("orders", "--limit", 2)
    assert "there are more: --cursor " in result.stderr


def test_tab_offers_contracts_and_working_orders(alice: RunningExchange) -> None:
    assert CU in completion.instruments("shfe.cu")
    assert completion.instruments("dce.m2701") == [M]
    document("buy", CU, 1, 47_000, "--id", "w1")
    document("buy", CU, 1, 47_820, "--id", "w2")
    assert completion.working_orders("w") == [("w1", f"BUY 1 {CU}")]


def test_tab_offers_nothing_where_nobody_is_logged_in(login_file: Path) -> None:
    assert completion.instruments("") == completion.working_orders("") == []


def test_every_heading_is_chinese_where_that_is_asked_for(alice: RunningExchange) -> None:
    document("buy", CU, 1, 47_820)
    for command, heading in (("orders", "委托"), ("trades", "成交"), ("positions", "持仓")):
        shown = lines(command, "--lang", "zh")
        assert shown[0].startswith(heading)
        assert "contract" not in shown[1]
    assert lines("account", "--lang", "zh")[0].startswith("账户权益")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_text_is_there_in_both_languages(language: Language) -> None:
    class Anything(dict[str, Any]):
        def __missing__(self, name: str) -> str:
            return name

    found = [text for text in vars(texts).values() if isinstance(text, texts.Text)] + list(texts.WORDS.values())
    assert len(found) > 40
    for text in found:
        words = (text.zh if language == "zh" else text.en).format_map(Anything())
        assert words
        assert words.isascii() is (language == "en") or "…" in words
