"""What a user is: a name to log in with, and the account that is theirs.

The log knows accounts only. Names stay in the users database, where a person can be forgotten.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from exchange.domain.values import AccountId
from exchange.gateway.access import Role

_NAME = re.compile(r"\w[\w.-]{0,63}")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class UnfitError(ValueError):
    """A text that can be no name, no account id or no password; says why, and nothing of a password."""


class UserExistsError(Exception):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a user {name!r} already: choose another name")


class AccountTakenError(Exception):
    """The account belongs to another user."""

    def __init__(self, account_id: str) -> None:
        super().__init__(f"the account {account_id!r} belongs to another user already: choose another id")


class UnknownUserError(Exception):
    """There is no user of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no user {name!r}: `exchange user list` shows those there are")


class LoginRevokedError(Exception):
    """A login was right, and is void since: the password or the role was changed."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the login of {name!r} was revoked meanwhile: log in again")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may log in."""

    name: str
    account_id: AccountId
    """Of a user without an account: the one that would be theirs."""
    role: Role
    created_at_ns: int
    as_of: int = field(default=0, compare=False, repr=False)
    """`Users.revocations` when this was read."""


def is_name(text: str) -> bool:
    """Whether a user may be called so, spelling apart: see `check_name`."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Raise UnfitError where this can be no user's name.

    Names stand in addresses, in keys of JSON trees and on command lines: no separators, no `.` or `-` in front, and one
    way only to write each of them.
    """
    if not is_name(name):
        raise UnfitError(
            f"{name!r} is no user name: 1 to 64 letters (of any language), digits, '_', '.' or '-', "
            "the first one a letter, a digit or '_'"
        )
    plain = unicodedata.normalize("NFKC", name)
    if plain != name:
        raise UnfitError(f"the user name {name!r} is written with look-alike characters: write {plain!r}")


def check_account_id(account_id: str) -> None:
    """Raise UnfitError where this can be no account's id."""
    if _ACCOUNT_ID.fullmatch(account_id) is None:
        raise UnfitError(
            f"{account_id!r} is no account id: 1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-', "
            "the first one a letter or a digit"
        )
