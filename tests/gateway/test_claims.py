"""How far a returning client's word is taken."""

from __future__ import annotations

import pytest

from exchange.domain.values import AccountId
from exchange.gateway.access import Role
from exchange.gateway.claims import CLAIM_SHOWN_MAX, Claim, HistoryDiffersError, believed, view_log_id
from exchange.gateway.dialects.flat import FlatDialect
from exchange.gateway.dialects.guide import GuideDialect
from exchange.gateway.surroundings import User
from projections.user_view import BEFORE_ALL

GUIDE = GuideDialect("zh")
ANN = User("ann", AccountId("A1"))
VIEW = view_log_id("log", ANN, GUIDE)


def test_a_view_s_id_is_of_the_log_the_user_the_account_the_dialect_and_the_language() -> None:
    others = [
        view_log_id("log2", ANN, GUIDE),
        view_log_id("log", ANN._replace(name="bob"), GUIDE),
        view_log_id("log", ANN._replace(account_id=AccountId("B2")), GUIDE),
        view_log_id("log", ANN, FlatDialect("zh")),
        view_log_id("log", ANN, GuideDialect("en")),
    ]
    assert len({VIEW, *others}) == 6


def test_a_view_s_id_is_the_same_in_every_process_and_for_every_role() -> None:
    """Clients keep it over restarts and updates: another text would send all of them everything anew."""
    assert VIEW == view_log_id("log", ANN._replace(role=Role.ADMIN), GuideDialect("zh")) == "log.5c768311846c7c12"


@pytest.mark.parametrize(
    ("claim", "version"),
    [
        (Claim(), BEFORE_ALL),
        (Claim(VIEW), BEFORE_ALL),
        (Claim(version=3), BEFORE_ALL),
        (Claim(VIEW, 0), 0),
        (Claim(VIEW, 7), 7),
        (Claim(VIEW, -1), BEFORE_ALL),
        (Claim("log.0123456789abcdef", 7), BEFORE_ALL),
        (Claim("log.", 7), BEFORE_ALL),
    ],
)
def test_a_mirror_is_led_on_from_its_version_or_begins_anew(claim: Claim, version: int) -> None:
    assert believed(claim, VIEW, 7) == version


@pytest.mark.parametrize("claim", [Claim(VIEW, 8), Claim("log2.0123456789abcdef", 7), Claim("", 0), Claim("log", 0)])
def test_another_history_is_an_alarm(claim: Claim) -> None:
    with pytest.raises(HistoryDiffersError, match="ends at 7"):
        believed(claim, VIEW, 7)


def test_an_endless_version_is_not_quoted() -> None:
    with pytest.raises(HistoryDiffersError) as caught:
        believed(Claim(VIEW, 10**3_000), VIEW, 7)
    assert (caught.value.version, caught.value.head) == (CLAIM_SHOWN_MAX, 7)


def test_a_log_s_own_id_may_have_dots() -> None:
    view = view_log_id("a.b.c", ANN, GUIDE)
    assert believed(Claim(view, 3), view, 7) == 3
