"""What a test can do wrong with its exchange."""

from __future__ import annotations

from collections.abc import Iterable


class ExchangeOverError(RuntimeError):
    """The exchange was stopped."""

    def __init__(self) -> None:
        super().__init__("the exchange was stopped when its `with` block or its test ended: use it before that")


class NoSuchUserError(LookupError):
    """The test names a user whom it did not ask for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"there is no user {name!r} on this exchange; its users are: {names}. "
            f"Give `users=[..., {name!r}]` or call `add_user({name!r})`"
        )


class NoAccountError(LookupError):
    """The test asks for the account of somebody whose role has none."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__(f"{name!r} has the role {role}, which has no account: only a trader has")


class ScriptError(ValueError):
    """The scripted market cannot do what the script says."""


class RealTimeError(RuntimeError):
    """Real time cannot be moved."""

    def __init__(self) -> None:
        super().__init__("this exchange keeps real time, which passes by itself: run it with time='virtual' to move it")
