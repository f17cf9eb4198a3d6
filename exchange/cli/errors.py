"""How a command ends: its exit status, and which of the project's exceptions lead to which."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final


class ExitStatus(IntEnum):
    """What a script learns from the exit status."""

    DONE = 0
    FAILED = 1
    """It could not be done, or damage was found."""
    USAGE = 2
    """The command line, a setting or a value makes no sense; nothing was done."""
    REFUSED = 3
    """The exchange turned it down."""
    NOT_REACHABLE = 4
    """A server owns the data folder and did not answer, or takes nothing now; nothing was done."""
    OUTCOME_UNKNOWN = 70
    """It was handed over and may have been done or not."""


class CliError(Exception):
    """Ends a command with its status; the text says what happened, with which value, and what to do."""

    status: ClassVar[ExitStatus]


class FailedError(CliError):
    """It could not be done."""

    status = ExitStatus.FAILED


class UsageError(CliError):
    """A value makes no sense."""

    status = ExitStatus.USAGE


class TurnedDownError(CliError):
    """The exchange refused it; the text is worded in the language of the user."""

    status = ExitStatus.REFUSED


class NotReachableError(CliError):
    """The server did not answer, or takes nothing now."""

    status = ExitStatus.NOT_REACHABLE


class UnknownOutcomeError(CliError):
    """The answer never came: it may have been done or not; the text says where to look."""

    status = ExitStatus.OUTCOME_UNKNOWN


LOOK_FIRST: Final = "Look before you try again, with `exchange user list` and `exchange log tail`"
"""What to do when the outcome is unknown."""

STATUSES: Final = {
    "builtins.OSError": ExitStatus.FAILED,
    "eventstore.model.OutcomeUnknownError": ExitStatus.OUTCOME_UNKNOWN,
    "eventstore.model.StoreError": ExitStatus.FAILED,
    "exchange.bench.processes.BenchError": ExitStatus.FAILED,
    "exchange.codec.UnknownTypeError": ExitStatus.FAILED,
    "exchange.feeds.snapshot.TapeError": ExitStatus.FAILED,
    "exchange.market.reading.MarketFileError": ExitStatus.FAILED,
    "exchange.server.data_folder.FolderError": ExitStatus.FAILED,
    "exchange.server.identity.passwords.HashPoolFullError": ExitStatus.FAILED,
    "exchange.server.port.port.PortError": ExitStatus.FAILED,
    "exchange.server.settings.SettingsError": ExitStatus.USAGE,
    "exchange.server.identity.users.AccountTakenError": ExitStatus.REFUSED,
    "exchange.server.identity.users.UnknownUserError": ExitStatus.REFUSED,
    "exchange.server.identity.users.UserExistsError": ExitStatus.REFUSED,
    "exchange.server.identity.users_database.UsersDatabaseError": ExitStatus.FAILED,
}
"""Exceptions that a user can meet without a bug of ours, by name: naming them by class would import half the server
for `log tail`."""


ADVICE: Final = {
    "eventstore.model.DamageError": "`exchange log verify` tells how far the log is good. Nothing at or behind the "
    "damage may be served: restore a backup, and verify that",
    "eventstore.model.OutcomeUnknownError": LOOK_FIRST,
}
"""What to do, for exceptions whose own text cannot know: by name, like `STATUSES`."""


def status_of(error: Exception) -> ExitStatus | None:
    """The exit status of an expected error; None for all others, which are bugs and keep their traceback."""
    if isinstance(error, CliError):
        return error.status
    return next((STATUSES[name] for name in _names(error) if name in STATUSES), None)


def text_of(error: Exception) -> str:
    """What to tell the person: what happened, and what to do."""
    advice = [ADVICE[name] for name in _names(error) if name in ADVICE]
    return ". ".join([str(error), *advice])


def _names(error: Exception) -> list[str]:
    """The names of the error's classes, its own first."""
    return [f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__]
