"""`exchange state`: the exchange at any place of its log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange.domain.values import YUAN
from exchange.server.data_folder import DataFolder
from tests.cli.harness import HEAD, document, invoke
from tests.support.log_views import views_at


def test_the_whole_exchange_as_it_is_now(data: Path) -> None:
    state = document("state", "--data", data)
    assert (state["log_seq"], state["unit"]) == (HEAD, "0.000001 CNY")
    assert [(each["account_id"], each["user"]) for each in state["accounts"]] == [("A1", "alice"), ("A2", "bob")]
    assert [(each["account_id"], each["long"]["lots"], each["short"]["lots"]) for each in state["positions"]] == [
        ("A1", 0, 2),
        ("A2", 2, 0),
    ]
    assert [(each["order_id"], each["lots_left"], each["lots"]) for each in state["orders"]] == [("s1", 1, 3)]
    assert [(each["instrument_id"], each["ask"]) for each in state["instruments"]] == [
        ("SHFE.rb2701", 3600 * YUAN),
        ("SHFE.cu2701", None),
    ]


def test_amounts_are_exact_and_add_up(data: Path) -> None:
    """Turnover 2 * 10 * 3600 at a rate of 1/10000: 7.2 yuan of commission for each side."""
    accounts = document("state", "--data", data)["accounts"]
    assert [each["commission"] for each in accounts] == [7_200_000, 7_200_000]
    assert [each["balance"] for each in accounts] == [1_000_000 * YUAN - 7_200_000, 500_000 * YUAN - 7_200_000]
    for each in accounts:
        assert each["available"] == (
            each["balance"] - each["margin"] - each["frozen_margin"] - each["frozen_commission"]
        )


@pytest.mark.parametrize(
    ("place", "log_seq"),
    [
        ("0", 0),
        ("7", 7),
        ("8", 7),
        ("9", 9),
        ("2027-01-15T10:00:05+08:00", 9),
        ("2027-01-15T02:00:05.999999999Z", 9),
        ("2027-01-15T02:00:04.999999999Z", 7),
        ("2027-01-15T01:59:59Z", 0),
        ("2030-01-01T00:00:00Z", HEAD),
    ],
)
def test_a_place_means_the_end_of_the_last_entry_at_or_before_it(data: Path, place: str, log_seq: int) -> None:
    assert document("state", "--at", place, "--data", data)["log_seq"] == log_seq


def test_a_former_state_knows_nothing_of_what_came_later(data: Path) -> None:
    state = document("state", "--at", "7", "--data", data)
    assert state["at"] == "2027-01-15T02:00:04.000000000Z"
    assert state["positions"] == []
    assert [each["lots_left"] for each in state["orders"]] == [3]
    assert document("state", "--at", "0", "--data", data)["accounts"] == []


def test_a_place_behind_the_end_is_told(data: Path) -> None:
    result = invoke("state", "--at", HEAD + 1, "--data", data)
    assert result.exit_code == 1
    assert f"the end of the log, which is log_seq {HEAD}" in result.stderr


def test_the_text_shows_yuan(data: Path) -> None:
    shown = [" ".join(line.split()) for line in invoke("state", "--data", data).stdout.splitlines()]
    assert shown[0] == f"The exchange at log_seq {HEAD}, 2027-01-15T10:00:09.000000000+08:00; amounts in yuan"
    assert "A1 alice 999992.8 989189.2 7200 3600 0 0 7.2" in shown
    assert "1 A1 s1 SHFE.rb2701 SELL OPEN 3600 1 3" in shown
    assert "A1 SHFE.rb2701 0 2 3600 0 7200" in shown


def test_the_text_of_an_empty_exchange(data: Path) -> None:
    shown = invoke("state", "--at", "0", "--data", data).stdout
    assert "before the first entry" in shown
    assert "Accounts: none" in shown


@pytest.mark.parametrize("log_seq", [4, 6, 7, 9, 11, HEAD])
def test_a_user_sees_what_the_wire_gave_at_that_version(data: Path, log_seq: int) -> None:
    seen = document("state", "--at", log_seq, "--user", "bob", "--data", data, "--lang", "zh")
    assert seen["snapshot"] == views_at(data, "bob", [log_seq])[log_seq]
    assert (seen["user"], seen["account_id"], seen["log_seq"]) == ("bob", "A2", log_seq)


def test_an_account_id_names_a_user_too(data: Path) -> None:
    by_name = document("state", "--user", "alice", "--data", data)
    assert document("state", "--user", "A1", "--data", data) == by_name
    DataFolder(data).users_db.unlink()
    without_names = document("state", "--user", "A1", "--data", data)
    assert list(without_names["snapshot"]["trade"]) == ["A1"]
    assert document("state", "--data", data)["accounts"][0]["user"] is None


def test_a_users_view_as_text_is_its_tree(data: Path) -> None:
    heading, *tree = invoke("state", "--user", "alice", "--data", data).stdout.splitlines()
    assert heading == f"alice (account A1) at log_seq {HEAD}, 2027-01-15T10:00:09.000000000+08:00"
    assert json.loads("\n".join(tree))["trade"]["alice"]["orders"]["b3"]["status"] == "REJECTED"


def test_refusals_in_a_view_are_worded_in_the_language_asked_for(data: Path) -> None:
    def last_msg(language: str) -> str:
        seen = document("state", "--user", "alice", "--data", data, "--lang", language)
        text: str = seen["snapshot"]["trade"]["alice"]["orders"]["b3"]["last_msg"]
        return text

    assert last_msg("zh").startswith("订单提交失败")
    assert last_msg("en").startswith("Order refused")


def test_an_unknown_user_is_told(data: Path) -> None:
    result = invoke("state", "--user", "nobody", "--data", data)
    assert result.exit_code == 3
    assert "there is no user 'nobody'" in result.stderr


def test_a_user_without_an_account_yet_is_told(data: Path) -> None:
    shown = invoke("state", "--user", "alice", "--at", "2", "--data", data)
    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (0, "the account was not opened yet")
