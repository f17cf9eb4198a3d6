"""Values on the command line: what they mean, and what is told about those that mean nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
import typer

from exchange.cli.times import china_text, utc_text
from exchange.cli.values import Anchor, Place, Range, parse_anchor, parse_place, parse_range, parse_yuan

AT_NS = 1_799_978_400_123_456_789
"""2027-01-15T02:00:00.123456789Z."""
ROOT = "ab" * 32


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0", Place(log_seq=0)),
        ("17", Place(log_seq=17)),
        ("2027-01-15T10:00:00.123456789+08:00", Place(at_ns=AT_NS)),
        ("2027-01-15T02:00:00.123456789Z", Place(at_ns=AT_NS)),
        ("2027-01-15 02:00:00,1234567891Z", Place(at_ns=AT_NS)),
        ("2027-01-15T02:00:00Z", Place(at_ns=AT_NS - 123_456_789)),
        ("2027-01-15T02:00:00.5Z", Place(at_ns=AT_NS - 123_456_789 + 500_000_000)),
        ("2027-01-15T02:00Z", Place(at_ns=AT_NS - 123_456_789)),
        ("1969-12-31T23:59:59.9Z", Place(at_ns=-100_000_000)),
    ],
)
def test_a_place_is_a_number_or_a_time_with_its_zone(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text_of", [china_text, utc_text])
def test_a_time_that_was_printed_names_the_same_moment(text_of: Callable[[int], str]) -> None:
    assert parse_place(text_of(AT_NS)) == Place(at_ns=AT_NS)


def test_china_is_eight_hours_ahead() -> None:
    assert china_text(AT_NS) == "2027-01-15T10:00:00.123456789+08:00"
    assert utc_text(AT_NS) == "2027-01-15T02:00:00.123456789Z"


@pytest.mark.parametrize("text", ["2027-01-15T10:00:00", "2027-01-15", "2027-01-15 10:00:00.5"])
def test_a_time_without_a_zone_is_told_what_is_missing(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="has no zone"):
        parse_place(text)


@pytest.mark.parametrize("text", ["", "yesterday", "-1", "+5", "1_0", "٣", "2027-13-01T00:00:00Z", "1" * 19])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_place(text)


@pytest.mark.parametrize(("text", "found"), [("1", Range(1, 1)), ("17..25", Range(17, 25)), ("17..17", Range(17, 17))])
def test_a_range_is_one_event_or_all_from_a_to_b(text: str, found: Range) -> None:
    assert parse_range(text) == found


@pytest.mark.parametrize("text", ["0", "0..3", "5..4", "..", "1..", "..4", "a..b", "1-4", "-1..2", "1...3"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_range(text)


def test_an_anchor_is_a_log_seq_and_a_root() -> None:
    assert parse_anchor(f"17:{ROOT}") == Anchor(17, bytes.fromhex(ROOT))


@pytest.mark.parametrize("text", ["17", f":{ROOT}", f"x:{ROOT}", f"17:{ROOT}0", "17:" + "zz" * 32, "17:"])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no anchor"):
        parse_anchor(text)


@pytest.mark.parametrize("text", ["0", "1000000", "0.000001", "1e6", "1000000000000"])
def test_an_amount_has_at_most_six_decimals(text: str) -> None:
    assert parse_yuan(text) == Decimal(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("much", "no amount"),
        ("", "no amount"),
        ("NaN", "no finite number"),
        ("Infinity", "no finite number"),
        ("0.0000001", "more decimals"),
        ("1000000000000.000001", "beyond the limit"),
        ("1e400", "beyond the limit"),
        ("-1", "below zero"),
    ],
)
def test_an_amount_that_cannot_be_is_told_why(text: str, why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        parse_yuan(text)
