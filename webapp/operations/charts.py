"""Charts as numbers that a template draws as SVG: no scripts, colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 720.0, 220.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 8.0, 12.0, 34.0
_MOST_LABELS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle, in the chart's units."""

    x: float
    y: float
    width: float
    height: float
    series: int
    tip: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what stands there."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, stacked by series, over named columns."""

    title: str
    summary: str
    """What a reader who cannot see it is told."""
    series: list[str]
    bars: list[Bar]
    across: list[Tick]
    up: list[Tick]
    rows: list[tuple[str, list[str]]] = field(default_factory=list)
    """The same as a table: label of the column, values by series."""
    width: float = WIDTH
    height: float = HEIGHT
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    base: float = HEIGHT - _BOTTOM

    @property
    def empty(self) -> bool:
        """Whether there is nothing to see."""
        return not self.bars


def columns(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], *, unit: str = "", stacked: bool = True
) -> Chart:
    """A column chart: one column a label, its parts stacked or side by side. Values are 0 or more, in `unit`."""
    totals = [sum(values) if stacked else max(values, default=0.0) for values in zip(*series.values(), strict=True)]
    top = nice_top(max(totals, default=0.0))
    area_width, area_height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    step = area_width / max(1, len(labels))
    inner = step * 0.76
    bars: list[Bar] = []
    for column, label in enumerate(labels):
        base = HEIGHT - _BOTTOM
        for number, (name, values) in enumerate(series.items()):
            value = values[column]
            height = area_height * value / top
            width = inner if stacked else inner / len(series)
            x = _LEFT + column * step + (step - inner) / 2 + (0 if stacked else number * width)
            if value > 0:
                tip = f"{label}: {name} {number_text(value)}{unit}"
                bars.append(Bar(round(x, 2), round(base - height, 2), round(width, 2), round(height, 2), number, tip))
            if stacked:
                base -= height
    every = max(1, math.ceil(len(labels) / _MOST_LABELS))
    across = [Tick(round(_LEFT + (i + 0.5) * step, 2), label) for i, label in enumerate(labels) if i % every == 0]
    counts = all(value == int(value) for values in series.values() for value in values)
    up = [
        Tick(round(HEIGHT - _BOTTOM - area_height * share, 2), f"{number_text(top * share)}{unit}")
        for share in (0.0, 0.5, 1.0)
        if not counts or top * share == int(top * share)  # there is no half of a job
    ]
    rows = [
        (label, [f"{number_text(values[column])}{unit}" for values in series.values()])
        for column, label in enumerate(labels)
        if any(values[column] for values in series.values())
    ]
    return Chart(title, _summary(title, labels, totals, unit), list(series), bars, across, up, rows)


def nice_top(highest: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, … that is not below `highest`; 1 for nothing."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(
        factor * power
        for factor in (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
        if factor * power >= highest * 0.999999
    )


def number_text(value: float) -> str:
    """A number as short as it can be read: 0.42, 3.1, 17, 1 204."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", "\u202f")
    if value >= 10 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _summary(title: str, labels: Sequence[str], totals: Sequence[float], unit: str) -> str:
    if not any(totals):
        return f"{title}: nothing yet."
    most = max(range(len(totals)), key=lambda column: totals[column])
    return (
        f"{title}, from {labels[0]} to {labels[-1]}. Most at {labels[most]}: {number_text(totals[most])}{unit}. "
        "The same numbers are in the table below the chart."
    )
