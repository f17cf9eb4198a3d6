"""Figures of a benchmark: one value per round, told by their median, least and most."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any, Final

SPREAD_MAX: Final = 0.25
"""A figure whose rounds lie further apart than this part of their median is not to be trusted to more than that."""


class Figure:
    """One figure over all rounds."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        """Names in dots, from the measurement to the figure, such as `orders.100x8.per_second`."""
        self.unit = unit
        self.rounds: list[float] = []

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """How far the rounds lie apart, as a part of their median."""
        return (max(self.rounds) - min(self.rounds)) / self.median if self.median else 0.0

    def document(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "unit": self.unit,
            "median": rounded(self.median),
            "min": rounded(min(self.rounds)),
            "max": rounded(max(self.rounds)),
            "rounds": [rounded(each) for each in self.rounds],
        }


class Figures:
    """The figures by name, in the order in which they were first added."""

    def __init__(self) -> None:
        self._figures: dict[str, Figure] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        """Add a round's value."""
        figure = self._figures.setdefault(name, Figure(name, unit))
        assert figure.unit == unit, f"{name} is told in {figure.unit} and in {unit}"
        figure.rounds.append(value)

    def __iter__(self) -> Iterator[Figure]:
        return iter(self._figures.values())

    def __getitem__(self, name: str) -> Figure:
        return self._figures[name]

    def document(self) -> dict[str, Any]:
        """All figures by name."""
        return {name: figure.document() for name, figure in self._figures.items()}


def rounded(value: float) -> float:
    """Four digits that count: more than any of these figures is good for."""
    return float(f"{value:.4g}")
