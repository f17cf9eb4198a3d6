"""Who may do what: one table for every message of a conversation, every route of the REST interface, every command.

A role is what a user is to the exchange; an act is what somebody asks for. Whoever adds a message or a route names its
act, and a test tries each of them as every role. Whose account it is, is another question: identity comes from the
login, and only `SEE_OTHERS` looks into an account that is not one's own.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final


class Role(StrEnum):
    """What a user is to the exchange."""

    TRADER = "trader"
    """Trades for an account of their own."""
    OBSERVER = "observer"
    """Watches the market; has no account."""
    AUDITOR = "auditor"
    """Reads everything of everybody, changes nothing."""
    OPERATOR = "operator"
    """Runs the market: reads everything, suspends and restores accounts, announces, disconnects."""
    ADMIN = "admin"
    """What an operator may, and users, their roles and passwords, and their money. Does not trade."""


class Act(Enum):
    """What is asked for."""

    WATCH_MARKET = "watch the market"
    """Contracts, quotes, books."""
    KEEP_LOGIN = "keep the own login"
    """One's own password, tokens and tickets."""
    SEE_OWN = "see the own account"
    """One's own account, orders, trades and positions."""
    TRADE = "trade"
    """Orders and cancels for one's own account."""
    SEE_OTHERS = "see the accounts of others"
    SEE_SERVER = "see the server's figures"
    """Metrics and connections."""
    RUN_MARKET = "run the market"
    """Suspend and restore accounts, announce, disconnect."""
    MANAGE_USERS = "manage users"
    """Add users, give them roles and passwords."""
    MOVE_MONEY = "move money"
    """Deposit and withdraw."""


_WATCHER: Final = frozenset({Act.WATCH_MARKET, Act.KEEP_LOGIN, Act.SEE_OWN})
_READER: Final = _WATCHER | {Act.SEE_OTHERS, Act.SEE_SERVER}

GRANTS: Final[dict[Role, frozenset[Act]]] = {
    Role.TRADER: _WATCHER | {Act.TRADE},
    Role.OBSERVER: _WATCHER,
    Role.AUDITOR: _READER,
    Role.OPERATOR: _READER | {Act.RUN_MARKET},
    Role.ADMIN: _READER | {Act.RUN_MARKET, Act.MANAGE_USERS, Act.MOVE_MONEY},
}

MESSAGE_ACTS: Final[dict[str, Act | None]] = {
    "req_login": None,
    "peek_message": None,
    "ping": None,
    "subscribe_quote": Act.WATCH_MARKET,
    "set_chart": Act.WATCH_MARKET,
    "insert_order": Act.TRADE,
    "cancel_order": Act.TRADE,
    "confirm_settlement": Act.SEE_OWN,
    "change_password": Act.KEEP_LOGIN,
}
"""What each message of a conversation asks for; None where a login is not even needed."""


def may(role: Role, act: Act) -> bool:
    """Whether a user of this role may do this."""
    return act in GRANTS[role]


def has_account(role: Role) -> bool:
    """Whether a user of this role has an account in the log: those who trade."""
    return may(role, Act.TRADE)
