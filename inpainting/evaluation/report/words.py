"""The sentences of a report: what was done, and what can be said about it with which certainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inpainting.evaluation.measures import LEAST_PICTURES_FOR_INTERVALS, MEASURE_BY_KEY, Measure
from inpainting.evaluation.report.html import Markup, tag

_TOLD = ("lite0_distance", "lpips", "psnr", "ssim", "l1_hole", "seam_error", "seconds")


def abstract(summary: Mapping[str, Any]) -> Markup:
    """Who was compared on what."""
    names = [str(each["title"]) for each in summary["contestants"]]
    photos, complete = summary["photos"], summary["complete"]
    text = (
        f"{_listed(names)} {'fills' if len(names) == 1 else 'fill'} the same {_counted(complete, 'hole')} in "
        f"{_counted(photos, 'photo')} ({summary['settings'].get('size_text', '')}; {_lowered(holes_text(summary))})."
    )
    return tag("p", text, class_="lead")


def holes_text(summary: Mapping[str, Any]) -> str:
    """The protocol with the range of hole shares."""
    shares = [case["hole_share"] for case in summary["cases"]]
    text = str(summary["settings"].get("holes_text", ""))
    low, high = min(shares), max(shares)
    span = f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"
    return f"{text}; {span} of the picture".strip("; ").replace("%", " %").replace("  ", " ")


def findings(summary: Mapping[str, Any]) -> Markup | None:
    """One sentence a measure: who is best, and from whom it can and cannot be told apart."""
    if len(summary["contestants"]) < 2:
        return None
    said = [
        sentence for key in _TOLD if key in summary["measures"] if (sentence := finding(summary, MEASURE_BY_KEY[key]))
    ]
    return tag("ul", [tag("li", text) for text in said], class_="findings", aria_label="Findings")


def finding(summary: Mapping[str, Any], measure: Measure) -> str:
    """What the data say about one measure; empty when there is no best."""
    titles = {each["name"]: str(each["title"]) for each in summary["contestants"]}
    cells = summary["overall"][measure.key]
    best = next((name for name, cell in cells.items() if cell["best"]), None)
    if best is None:
        return ""
    behind = [name for name, cell in cells.items() if cell.get("to_best", {}).get("certain")]
    level = [name for name, cell in cells.items() if name != best and name not in behind and cell["mean"] is not None]
    value = measure.number(cells[best]["mean"])
    unit = f" {measure.unit}" if measure.unit and not measure.unit.startswith("×") else ""
    text = f"{measure.title}: {titles[best]} is best on average ({value}{unit})"
    few = summary["photos"] < LEAST_PICTURES_FOR_INTERVALS
    if few:
        return f"{text}; {_counted(summary['photos'], 'photo')} are too few to call that certain."
    if behind and not level:
        return f"{text}, ahead of {_listed([titles[name] for name in behind])} with 95 % confidence."
    if behind:
        return (
            f"{text}, ahead of {_listed([titles[name] for name in behind])} with 95 % confidence; "
            f"{_listed([titles[name] for name in level])} cannot be told from it."
        )
    return f"{text}, but cannot be told from {_listed([titles[name] for name in level])}."


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
