"""The course of an optimised loss, kept with the result: a bounded number of points, however long it took."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_POINTS = 96
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class _Point:
    part: str
    terms: Mapping[str, float]
    begins: bool
    """Whether it is the first of its part."""


class LossCurves:
    """The named terms of a loss over a whole fill, evaluation after evaluation.

    When there are more than `MOST_POINTS`, every second one goes, but not the first of a part: there a loss is highest.

    Args:
        kept: what `as_note` of an interrupted attempt returned, to go on from.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._points: list[_Point] = []
        self._latest: _Point | None = None
        self._stride, self._heard = 1, 0
        if kept is not None:
            for index, part in enumerate(kept["part"]):
                given = {name: values[index] for name, values in kept["terms"].items() if values[index] is not None}
                self.add(kept["parts"][part], given)
            self._stride *= int(kept["stride"])  # what one of those points stood for
            self._heard = len(self._points) * self._stride

    def add(self, part: str, terms: Mapping[str, float]) -> None:
        """One evaluation of the loss, in the part of the work called `part`; terms that are no numbers are left out."""
        begins = self._latest is None or self._latest.part != part
        point = _Point(part, {name: value for name, value in terms.items() if math.isfinite(value)}, begins)
        if self._heard % self._stride == 0:
            self._points.append(point)
        else:
            self._points[-1] = _kept_of(self._points[-1], point)
        self._heard += 1
        self._latest = point
        if len(self._points) > MOST_POINTS:
            self._thin()

    def as_note(self) -> dict[str, Any]:
        """As plain values: the names of `parts`, the `part` of each point by its number, and each term's values.

        ``None`` stands where a term was not part of the loss. `stride` is how many evaluations a point stands for.
        """
        points = list(self._points)
        if self._latest is not None and points[-1] is not self._latest:
            points.append(self._latest)
        parts = list(dict.fromkeys(point.part for point in points))
        names = list(dict.fromkeys(name for point in points for name in point.terms))
        return {
            "parts": parts,
            "part": [parts.index(point.part) for point in points],
            "terms": {name: [_rounded(point.terms.get(name)) for point in points] for name in names},
            "stride": self._stride,
        }

    def _thin(self) -> None:
        last = self._points[-1:] if len(self._points) % 2 else []
        pairs = zip(self._points[::2], self._points[1::2], strict=False)
        self._points = [*(_kept_of(first, second) for first, second in pairs), *last]
        self._stride *= 2
        # The last point may stand for less than a stride so far; what comes is put to it.
        self._heard = len(self._points) * self._stride - (self._stride // 2 if last else 0)


def _kept_of(first: _Point, second: _Point) -> _Point:
    return second if second.begins and not first.begins else first


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
