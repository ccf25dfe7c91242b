"""Two reports beside each other: paired where they have the same photo with the same hole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inpainting.evaluation.measures import LEAST_PICTURES_FOR_INTERVALS, MEASURE_BY_KEY, RANKED, Measure
from inpainting.evaluation.statistics import paired_difference


@dataclass(frozen=True, slots=True)
class Line:
    """One method's value in both reports."""

    title: str
    one: str
    other: str
    gap: str
    """The second minus the first, with its paired 95 % interval; empty where nothing can be paired."""
    verdict: str
    """“better”, “worse” or empty: of the second report, where that is certain."""


@dataclass(frozen=True, slots=True)
class Section:
    """One measure."""

    label: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the page shows."""

    sections: list[Section]
    shared: int
    """Cases with the same photo and the same hole in both."""
    photos: int
    only_one: list[str]
    only_other: list[str]
    differences: list[tuple[str, str, str]]
    """Settings and versions that are not the same: name, first, second."""

    @property
    def too_few(self) -> bool:
        """Whether the intervals are too narrow to call anything certain."""
        return 0 < self.photos < LEAST_PICTURES_FOR_INTERVALS


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> Comparison:
    """Compare two summaries."""
    places, groups = _shared_cases(one, other)
    titles = {each["name"]: each["title"] for each in one["contestants"]}
    others = {each["name"]: each["title"] for each in other["contestants"]}
    names = [name for name in titles if name in others]
    sections = []
    for measure in RANKED:
        if measure.key in one["measures"] and measure.key in other["measures"] and names:
            lines = [_line(measure, one, other, name, titles[name], places, groups) for name in names]
            sections.append(Section(f"{measure.label} {measure.arrow}", lines))
    return Comparison(
        sections=sections,
        shared=len(places),
        photos=len(set(groups)),
        only_one=[title for name, title in titles.items() if name not in others],
        only_other=[title for name, title in others.items() if name not in titles],
        differences=_differences(one, other),
    )


def _shared_cases(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[list[tuple[int, int]], list[str]]:
    """Places of the shared cases in both lists of values, and the photo of each."""

    def keyed(summary: Mapping[str, Any]) -> dict[tuple[str, str], int]:
        facts = {case["id"]: (case["sha256"], case["hole_sha256"]) for case in summary["cases"]}
        return {facts[case_id]: place for place, case_id in enumerate(summary["value_cases"])}

    first, second = keyed(one), keyed(other)
    shared = [key for key in first if key in second]
    return [(first[key], second[key]) for key in shared], [key[0] for key in shared]


def _line(
    measure: Measure,
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    name: str,
    title: str,
    places: Sequence[tuple[int, int]],
    groups: Sequence[str],
) -> Line:
    gap = verdict = ""
    ours = _numbers(other["values"][measure.key][name], [second for _, second in places])
    theirs = _numbers(one["values"][measure.key][name], [first for first, _ in places])
    if np.isfinite(ours - theirs).any():
        found = paired_difference(ours, theirs, groups=groups)
        digits = measure.digits
        gap = f"{found.mean:+.{digits}f} ({found.low:+.{digits}f} to {found.high:+.{digits}f})"
        if found.certain and len(set(groups)) >= LEAST_PICTURES_FOR_INTERVALS:
            verdict = "better" if (found.mean > 0) == (measure.better == "higher") else "worse"
    return Line(
        title,
        measure.number(one["overall"][measure.key][name]["mean"]),
        measure.number(other["overall"][measure.key][name]["mean"]),
        gap,
        verdict,
    )


def _numbers(values: Sequence[Any], places: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([math.nan if values[place] is None else float(values[place]) for place in places], np.float64)


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    def facts(summary: Mapping[str, Any]) -> dict[str, str]:
        environment, settings = summary["environment"], summary["settings"]
        found = {
            "Holes": settings.get("holes_text", ""),
            "Size": settings.get("size_text", ""),
            "Seed": str(settings.get("seed", "")),
            "Photos": str(summary["photos"]),
            "Device": environment.get("device", ""),
            "Processor": environment.get("processor", ""),
            "Not computed": ", ".join(MEASURE_BY_KEY[key].title for key in summary["not_computed"]),
        }
        found |= environment.get("libraries", {})
        found |= {name: sha[:16] for name, sha in environment.get("weights", {}).items()}
        return found

    first, second = facts(one), facts(other)
    return [
        (name, first.get(name, "–"), second.get(name, "–"))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    ]
