"""How a broken law is told."""

from __future__ import annotations


class LawBrokenError(AssertionError):
    """A law of the exchange does not hold."""

    def __init__(self, law: int, what: str) -> None:
        super().__init__(f"law {law} is broken: {what}")
        self.law = law


def require(holds: bool, law: int, what: str) -> None:
    """Raise LawBrokenError unless it holds."""
    if not holds:
        raise LawBrokenError(law, what)
