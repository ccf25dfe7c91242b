"""Curves of losses that are kept with a result: bounded, and nothing that matters is lost."""

from __future__ import annotations

import json

import pytest

from inpainting.curves import MOST_POINTS, LossCurves


def test_short_curves_keep_every_value() -> None:
    curves = LossCurves()
    curves.add("Coarse stage", {"global": 8.0})
    curves.add("Coarse stage", {"global": 4.123456})
    curves.add("Fine stage, patch 1/1", {"detail": 2.0, "boundary": 0.0})
    assert curves.as_note() == {
        "parts": ["Coarse stage", "Fine stage, patch 1/1"],
        "part": [0, 0, 1],
        "terms": {"global": [8.0, 4.123, None], "detail": [None, None, 2.0], "boundary": [None, None, 0.0]},
        "stride": 1,
    }


@pytest.mark.parametrize("count", [MOST_POINTS, MOST_POINTS + 1, 1000, 4321])
@pytest.mark.parametrize("length", [7, 50, 10_000])
def test_long_curves_are_bounded_and_keep_ends_and_beginnings(count: int, length: int) -> None:
    curves = LossCurves()
    for index in range(count):
        curves.add(f"patch {index // length}", {"detail": float(index)})
    note = curves.as_note()
    values = note["terms"]["detail"]
    assert len(values) == len(note["part"]) <= MOST_POINTS + 1
    assert values == sorted(set(values))
    assert (values[0], values[-1]) == (0.0, float(count - 1))
    assert [note["parts"][part] for part in note["part"]] == [f"patch {int(value) // length}" for value in values]
    if note["stride"] <= length:
        beginnings = [float(at) for at in range(0, count, length)]
        assert set(beginnings) <= set(values), "the first evaluation of a part is its highest"


def test_a_curve_goes_on_after_an_interruption() -> None:
    first = LossCurves()
    for index in range(500):
        first.add("patch 1/2", {"detail": 1000.0 - index})
    kept = json.loads(json.dumps(first.as_note()))
    again = LossCurves(kept)
    assert again.as_note() == kept
    for index in range(500):
        again.add("patch 2/2", {"detail": 500.0 - index})
    note = again.as_note()
    assert len(note["part"]) <= MOST_POINTS + 1
    # Both attempts take the same room, as they took the same number of evaluations.
    assert abs(note["part"].count(0) - note["part"].count(1)) <= 2


def test_values_that_are_no_numbers_are_left_out() -> None:
    curves = LossCurves()
    curves.add("patch 1/1", {"detail": float("nan"), "boundary": 1.0})
    assert curves.as_note()["terms"] == {"boundary": [1.0]}
