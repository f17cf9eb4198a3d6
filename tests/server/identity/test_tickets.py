"""Tickets are good once, for half a minute, for one user, and never too many of them wait."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from exchange.domain.values import AccountId
from exchange.gateway.surroundings import User
from exchange.server.identity.tickets import (
    TICKET_LIFETIME_NS,
    TICKETS_PER_USER_MAX,
    Tickets,
    TooManyTicketsError,
)

ANN = User("ann", AccountId("A1"))
BOB = User("bob", AccountId("B2"))


class Door:
    """Tickets on a clock of the test's own."""

    def __init__(self) -> None:
        self.now_ns = 1_800_000_000 * 10**9
        self.tickets = Tickets(lambda: self.now_ns)


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_ticket_lets_its_user_in_once(door: Door) -> None:
    ticket, expires_at_ns = door.tickets.issue(ANN)
    assert expires_at_ns == door.now_ns + TICKET_LIFETIME_NS
    assert door.tickets.redeem("ann", ticket) == ANN
    assert door.tickets.redeem("ann", ticket) is None


def test_no_two_tickets_are_the_same_and_each_tells_nothing(door: Door) -> None:
    tickets = [door.tickets.issue(User(f"u{number}", AccountId("A")))[0] for number in range(50)]
    assert len(set(tickets)) == 50
    assert {len(ticket) for ticket in tickets} == {43}, "32 bytes that nobody guesses"


@pytest.mark.parametrize(("age_ns", "good"), [(TICKET_LIFETIME_NS - 1, True), (TICKET_LIFETIME_NS, False), (-1, False)])
def test_a_ticket_ends_with_its_time_whichever_way_the_clock_goes(door: Door, age_ns: int, good: bool) -> None:
    ticket, _ = door.tickets.issue(ANN)
    door.now_ns += age_ns
    assert (door.tickets.redeem("ann", ticket) is not None) is good


def test_somebody_else_gets_nothing_with_it_and_it_is_spent(door: Door) -> None:
    ticket, _ = door.tickets.issue(ANN)
    assert door.tickets.redeem("bob", ticket) is None
    assert door.tickets.redeem("ann", ticket) is None


@pytest.mark.parametrize("ticket", ["", " ", "x" * 43, "é", "\x00"])
def test_what_was_never_issued_is_no_ticket(door: Door, ticket: str) -> None:
    door.tickets.issue(ANN)
    assert door.tickets.redeem("ann", ticket) is None
    assert door.tickets.redeem("nobody", ticket) is None


def test_a_user_s_oldest_gives_way_to_a_further_one(door: Door) -> None:
    first, second, *_, last = (door.tickets.issue(ANN)[0] for _ in range(TICKETS_PER_USER_MAX + 1))
    assert len(door.tickets) == TICKETS_PER_USER_MAX
    assert door.tickets.redeem("ann", first) is None
    assert door.tickets.redeem("ann", second) == door.tickets.redeem("ann", last) == ANN


def test_too_many_of_all_users_are_refused_until_some_are_used_or_expire(door: Door) -> None:
    with patch("exchange.server.identity.tickets.TICKETS_MAX", 2):
        ticket, _ = door.tickets.issue(ANN)
        door.tickets.issue(BOB)
        door.now_ns += 10 * 10**9
        with pytest.raises(TooManyTicketsError, match="2 tickets wait to be used: try again in 20 s") as refused:
            door.tickets.issue(ANN)
        assert refused.value.retry_after_s == 20
        assert door.tickets.redeem("ann", ticket) == ANN
        door.tickets.issue(ANN)
        door.now_ns += TICKET_LIFETIME_NS
        door.tickets.issue(BOB)
        assert len(door.tickets) == 1, "what expired is not kept"


def test_a_user_s_tickets_can_be_made_void_together(door: Door) -> None:
    tickets = [door.tickets.issue(ANN)[0] for _ in range(3)]
    other, _ = door.tickets.issue(BOB)
    door.tickets.revoke("ann", None)
    door.tickets.revoke("nobody", None)
    assert [door.tickets.redeem("ann", ticket) for ticket in tickets] == [None] * 3
    assert door.tickets.redeem("bob", other) == BOB


def test_a_token_takes_its_own_tickets_along_and_no_others(door: Door) -> None:
    """Who logs out in one window does not end what another one has just asked for."""
    first, second = (door.tickets.issue(ANN._replace(token_hash=token_hash))[0] for token_hash in (b"1", b"2"))
    door.tickets.revoke("ann", b"1")
    assert door.tickets.redeem("ann", first) is None
    user = door.tickets.redeem("ann", second)
    assert user is not None
    assert user.token_hash == b"2"


def test_only_those_who_are_admitted_so_come_in_by_their_names(door: Door) -> None:
    door.tickets.admit_by_name(ANN)
    assert door.tickets.redeem("ann", "") == door.tickets.redeem("ann", "") == ANN
    assert door.tickets.redeem("bob", "") is None
    assert door.tickets.redeem("ann", "x") is None, "who brings a ticket must bring a good one"
    ticket, _ = door.tickets.issue(ANN)
    door.tickets.revoke("ann", None)
    assert door.tickets.redeem("ann", "") == ANN
    door.tickets.dismiss("ann")
    door.tickets.dismiss("nobody")
    assert door.tickets.redeem("ann", "") is None, "with a password of one's own one is nobody to play with"
    assert door.tickets.redeem("ann", ticket) is None


def test_no_ticket_is_kept_as_it_is(door: Door) -> None:
    ticket, _ = door.tickets.issue(ANN)
    assert ticket not in repr(vars(door.tickets))
