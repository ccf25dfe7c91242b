"""Plots as SVG by matplotlib, in colours that follow the reader's light or dark setting."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from inpainting.evaluation.measures import MEASURE_BY_KEY, Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _SOFT, _LINE = "#010101", "#020202", "#030303"
"""Stand-ins, replaced by variables in the file: nothing in a plot is drawn in such colours on purpose."""
_LIGHT = ("#33409a", "#b92f25", "#1a6b45", "#8a5a00", "#7a3b96", "#0d7285", "#a3346f", "#5b6473")
_DARK = ("#a3b0ff", "#ff8a7c", "#7fd6a6", "#f0c36b", "#d6a5ee", "#6fd0e3", "#f298c6", "#b3bccb")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_STAND_INS = tuple(f"#04{number:02x}04" for number in range(len(_LIGHT)))
_WRAP = 18


@dataclass(frozen=True, slots=True)
class Plot:
    """An SVG file and the same in words."""

    name: str
    svg: bytes
    alt: str
    caption: str


def distribution(summary: Mapping[str, Any], measure: Measure) -> Plot | None:
    """All values of one measure: a dot a case, a box over the quartiles, a line at the median."""
    names = _names(summary)
    values = {name: _finite(summary["values"][measure.key][name]) for name in names}
    if not any(column.size for column in values.values()):
        return None
    figure, axes = _figure(4.6, 0.75 + 0.46 * len(names))
    rng = np.random.default_rng(0)
    for place, name in enumerate(names):
        column, colour = values[name], _colour(place)
        if not column.size:
            continue
        jitter = rng.uniform(-0.24, 0.24, column.size)
        axes.plot(
            column, place + jitter, _MARKERS[place % 8], color=colour, markersize=3.2, alpha=0.6, markeredgewidth=0
        )
        low, middle, high = np.quantile(column, [0.25, 0.5, 0.75])
        axes.plot([low, high], [place, place], color=_INK, linewidth=7, alpha=0.25, solid_capstyle="butt")
        axes.plot([middle, middle], [place - 0.3, place + 0.3], color=_INK, linewidth=1.8)
    axes.set_yticks(range(len(names)), [_wrapped(summary, name) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    if measure.key == "seconds" and all(column.min() > 0 for column in values.values() if column.size):
        axes.set_xscale("log")
        _plain_ticks(axes)
    axes.set_xlabel(f"{measure.label} {measure.arrow}".strip())
    axes.grid(axis="x", color=_LINE, linewidth=0.6)
    medians = ", ".join(
        f"{_title(summary, name)} {measure.number(float(np.median(values[name])))}"
        for name in names
        if values[name].size
    )
    alt = f"Distribution of {measure.label} over {summary['complete']} cases. Medians: {medians}."
    return Plot(f"distribution-{measure.key}", _svg(figure), alt, measure.label)


def against_time(summary: Mapping[str, Any], measure: Measure) -> Plot | None:
    """The mean of a measure over the median time, one mark a contestant, with the mean's 95 % interval."""
    names = _names(summary)
    overall = summary["overall"]
    if "seconds" not in overall or measure.key not in overall:
        return None
    figure, axes = _figure(4.6, 3.3)
    said = []
    for place, name in enumerate(names):
        cell, time = overall[measure.key][name], overall["seconds"][name]
        if cell["mean"] is None or time["mean"] is None:
            continue
        seconds = max(time["median"], 1e-4)
        spread = [[cell["mean"] - cell["low"]], [cell["high"] - cell["mean"]]]
        colour = _colour(place)
        axes.errorbar(
            seconds,
            cell["mean"],
            yerr=np.abs(spread),
            fmt=_MARKERS[place % 8],
            color=colour,
            markersize=7,
            capsize=3,
            linewidth=1.4,
            label=_title(summary, name),
        )
        said.append(f"{_title(summary, name)} {measure.number(cell['mean'])} at {seconds:.2g} s")
    if not said:
        return None
    axes.set_xscale("log")
    axes.margins(x=0.16, y=0.1)
    _plain_ticks(axes)
    axes.set_xlabel("Median time a picture (s), logarithmic ←")
    axes.set_ylabel(f"{measure.label} {measure.arrow}".strip())
    axes.grid(color=_LINE, linewidth=0.6)
    if measure.better == "lower":
        axes.invert_yaxis()  # better is up, everywhere
    _legend(axes)
    alt = f"{measure.label} against time; better is up and to the left. {', '.join(said)}."
    return Plot(f"time-{measure.key}", _svg(figure), alt, f"{measure.label} against time")


def over_hole_share(summary: Mapping[str, Any], measure: Measure) -> Plot | None:
    """The mean of a measure in each tenth of hole share, a line a contestant, with 95 % intervals."""
    bins = [part["name"] for part in summary["bins"]]
    if len(bins) < 2 or measure.key not in summary["measures"]:
        return None
    figure, axes = _figure(4.6, 3.0)
    names = _names(summary)
    for place, name in enumerate(names):
        cells = [summary["by_bin"][part][measure.key][name] for part in bins]
        known = [number for number, cell in enumerate(cells) if cell["mean"] is not None]
        if not known:
            continue
        middle = np.array([cells[number]["mean"] for number in known])
        low = np.array([cells[number]["low"] for number in known])
        high = np.array([cells[number]["high"] for number in known])
        nudge = (place - (len(names) - 1) / 2) * 0.06
        axes.errorbar(
            np.array(known) + nudge,
            middle,
            yerr=np.abs(np.stack([middle - low, high - middle])),
            fmt=f"-{_MARKERS[place % 8]}",
            color=_colour(place),
            markersize=5,
            linewidth=1.5,
            capsize=2.5,
            label=_title(summary, name),
        )
    axes.set_xticks(range(len(bins)), bins)
    axes.set_xlabel("Hole share of the picture")
    axes.set_ylabel(f"{measure.label} {measure.arrow}".strip())
    axes.grid(axis="y", color=_LINE, linewidth=0.6)
    _legend(axes)
    alt = (
        f"{measure.label} by hole share, from {bins[0]} to {bins[-1]}, a line for each of "
        f"{', '.join(_title(summary, name) for name in names)}. The numbers are in the table of the same name."
    )
    return Plot(f"share-{measure.key}", _svg(figure), alt, f"{measure.label} by hole share")


def strengths(summary: Mapping[str, Any]) -> Plot | None:
    """Bradley–Terry strengths with their intervals."""
    votes = summary.get("votes")
    if not votes or "strengths" not in votes:
        return None
    rows = votes["strengths"]
    names = _names(summary)
    figure, axes = _figure(4.6, 0.8 + 0.4 * len(rows))
    for place, row in enumerate(rows):
        axes.errorbar(
            row["value"],
            place,
            xerr=[[max(0.0, row["value"] - row["low"])], [max(0.0, row["high"] - row["value"])]],
            fmt=_MARKERS[names.index(row["name"]) % 8],
            color=_colour(names.index(row["name"])),
            markersize=6,
            capsize=3,
        )
    axes.axvline(0, color=_SOFT, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [_wrapped(summary, row["name"]) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("Bradley–Terry log-strength, preferred →")
    axes.grid(axis="x", color=_LINE, linewidth=0.6)
    said = ", ".join(f"{_title(summary, row['name'])} {row['value']:+.2f}" for row in rows)
    return Plot("strengths", _svg(figure), f"Strengths from blind votes: {said}.", "Strengths from blind votes")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "reweave",
        "font.size": 9.5,
        "font.family": "DejaVu Sans",
        "axes.edgecolor": _LINE,
        "axes.labelcolor": _INK,
        "text.color": _INK,
        "xtick.color": _SOFT,
        "ytick.color": _SOFT,
        "xtick.labelcolor": _INK,
        "ytick.labelcolor": _INK,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=3)
    return figure, axes


def _svg(figure: Figure) -> bytes:
    """The file, with variables in place of the stand-ins; it follows the reader's colour scheme by itself."""
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "reweave"}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode()
    pairs = {_INK: "--ink", _SOFT: "--soft", _LINE: "--line"}
    pairs |= {colour: f"--c{number}" for number, colour in enumerate(_STAND_INS)}
    for colour, variable in pairs.items():
        text = text.replace(colour, f"var({variable})")
    text = re.sub(
        r"font: ([^;\"]*?)'DejaVu Sans'[^;\"]*", r"font: \1system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif", text
    )
    light = "--ink:#1a2140;--soft:#4a5273;--line:#c9cede;" + _variables(_LIGHT)
    dark = "--ink:#e8eaf6;--soft:#a8afcb;--line:#343b5c;" + _variables(_DARK)
    style = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    return re.sub(r"(<svg[^>]*>)", lambda found: found.group(1) + style, text, count=1).encode()


def _legend(axes: Axes) -> None:
    """Below the plot, where it covers nothing."""
    legend = axes.figure.legend(loc="outside lower center", ncols=2, fontsize=8.5, frameon=False)
    for text in legend.get_texts():
        text.set_color(_INK)


def _plain_ticks(axes: Axes) -> None:
    """0.1, 1, 10 in place of powers, with some steps between."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _variables(colours: Sequence[str]) -> str:
    return "".join(f"--c{number}:{colour};" for number, colour in enumerate(colours))


def _colour(place: int) -> str:
    return _STAND_INS[place % len(_STAND_INS)]


def _names(summary: Mapping[str, Any]) -> list[str]:
    return [str(each["name"]) for each in summary["contestants"]]


def _title(summary: Mapping[str, Any], name: str) -> str:
    return next(str(each["title"]) for each in summary["contestants"] if each["name"] == name)


def _wrapped(summary: Mapping[str, Any], name: str) -> str:
    return "\n".join(textwrap.wrap(_title(summary, name), _WRAP)[:3])


def _finite(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    numbers = np.array([np.nan if value is None else float(value) for value in values], np.float64)
    return numbers[np.isfinite(numbers)]


def all_plots(summary: Mapping[str, Any], keys: Sequence[str]) -> dict[str, list[Plot]]:
    """Section → its plots."""
    measures = [MEASURE_BY_KEY[key] for key in keys]
    sections = {
        "distribution": [
            distribution(summary, MEASURE_BY_KEY[key])
            for key in (*keys, "seam_error", "seconds")
            if key in summary["measures"]
        ],
        "time": [against_time(summary, each) for each in measures[:3]],
        "share": [over_hole_share(summary, each) for each in measures],
        "votes": [strengths(summary)],
    }
    return {name: [plot for plot in found if plot is not None] for name, found in sections.items()}
