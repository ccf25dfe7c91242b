"""The short form of the load test: a whole studio, two worker processes, a crowd with open sockets."""

from __future__ import annotations

import gc

import pytest

from bench.load import jain, measure, percentile, report


@pytest.mark.real
@pytest.mark.slow
def test_a_crowd_is_served_fairly_and_nothing_is_lost_or_done_twice() -> None:
    outcome = measure(users=16, jobs=96)
    print(report(outcome))
    gc.collect()  # a socket that was left open counts against this test, not against a later one
    assert (outcome.jobs, outcome.lost, outcome.duplicated) == (96, 0, 0)
    assert outcome.fairness >= 0.95
    assert len(outcome.event) == 96, "an end was not told to the page that waits for it"


def test_jains_index() -> None:
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1.0)
    assert jain([0.0, 0.0, 0.0, 8.0]) == pytest.approx(0.25)
    assert jain([]) == 1.0


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (50, 95, 100)] == [50.0, 95.0, 100.0]
    assert percentile([], 50) == 0.0
