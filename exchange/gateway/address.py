"""Logins that stand in the address of a connection: `/ws/diff?user_id=alice&token=...`.

Browsers cannot send headers with a WebSocket, and the quick start's clients never send a `req_login`. A password never
stands in an address, where servers log it and browsers remember it: `token` is a ticket that is good once, for seconds.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from exchange.gateway.claims import Claim
from exchange.gateway.messages import NAME_CHARACTERS_MAX, FieldError

FIELDS_MAX: Final = 32
"""Fields that an address may have; ours are four, others are ignored."""
VERSION_DIGITS_MAX: Final = 19
"""Digits of the largest number that a log can reach."""


class AddressLogin(NamedTuple):
    """Who says to be whom, and where the mirror stands."""

    user_name: str
    ticket: str
    """Empty where the address names a user and proves nothing."""
    claim: Claim


def address_login(query: str) -> AddressLogin | None:
    """The login in the query of an address, which is not decoded yet; None where it names nobody.

    Raises FieldError where a field of ours makes no sense or stands there twice.
    """
    try:
        fields = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise FieldError("req_login", "the query of the address cannot be read") from None
    found = dict(fields)
    if "user_id" not in found:
        return None
    for name in ("user_id", "token", "log_id", "version"):
        if sum(field == name for field, _ in fields) > 1:
            raise FieldError("req_login", f"`{name}` stands in the address more than once")
    if len(found["user_id"]) > NAME_CHARACTERS_MAX:
        raise FieldError("req_login", f"`user_id` has more than {NAME_CHARACTERS_MAX} characters")
    version = _version(found["version"]) if "version" in found else None
    return AddressLogin(found["user_id"], found.get("token", ""), Claim(found.get("log_id"), version))


def _version(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= VERSION_DIGITS_MAX):
        raise FieldError("req_login", f"`version` in the address must be 1 to {VERSION_DIGITS_MAX} digits")
    return int(text)
