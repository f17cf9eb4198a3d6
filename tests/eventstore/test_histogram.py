"""Counts by size, against a plain sort."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eventstore.histogram import Histogram

BOUNDS = (1, 2, 5)


@given(values=st.lists(st.integers(0, 7)))
def test_each_value_is_counted_below_the_first_bound_that_it_does_not_exceed(values: list[int]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.add(value)
    lowest = (-1, *BOUNDS)
    below = [sum(low < value <= high for value in values) for low, high in zip(lowest, BOUNDS, strict=False)]
    assert histogram.counts == [*below, sum(value > BOUNDS[-1] for value in values)]
    assert histogram.total == sum(values)
