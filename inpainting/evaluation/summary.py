"""From rows to the numbers of a report. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpainting.evaluation.frechet import Features, frechet_distance
from inpainting.evaluation.measures import (
    LEAST_PATCHES,
    LEAST_PATCHES_AT_ALL,
    LEAST_PICTURES_FOR_FID,
    LEAST_PICTURES_FOR_INTERVALS,
    MEASURE_BY_KEY,
    MEASURES,
    Measure,
)
from inpainting.evaluation.statistics import bradley_terry, mean_interval, paired_difference, rate_of, win_rate

FORMAT = 1
Values = NDArray[np.float64]
Table = dict[str, dict[str, Values]]
"""Measure → contestant → one value a complete case, NaN where it is not defined."""


def summarise(
    *,
    title: str,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    contestants: Sequence[Mapping[str, Any]],
    cases: Sequence[Mapping[str, Any]],
    rows: Mapping[tuple[str, str], Mapping[str, Any]],
    cells: Mapping[str, tuple[Features, Features]],
    inception: Mapping[str, tuple[Features, Features]],
    missing: Mapping[str, str],
    skipped: Sequence[Mapping[str, str]] = (),
    votes: Mapping[tuple[str, str], tuple[int, int, int]] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The JSON summary of an evaluation, which everything else of a report is made from.

    Args:
        contestants: `Contestant.as_json` of each, in the order to show.
        cases: `Case.facts` of each.
        rows: ``(case id, contestant's name)`` → ``{"values": …, "error": …}``.
        cells, inception: contestant → (truth's, results') features over the complete cases, in the same order.
        missing: measure → why it was not computed.
        skipped: photos that could not be evaluated at all, ``{"photo", "why"}``.
        votes: pair of contestants → (wins of the first, ties, wins of the second) of a blind comparison.
        seed: of the bootstrap.

    A case that any contestant failed on is left out for all of them, so that no mean is over different holes.
    """
    names = [str(each["name"]) for each in contestants]
    failures = [
        {"case": str(case["id"]), "contestant": name, "why": str(rows[str(case["id"]), name]["error"])}
        for case in cases
        for name in names
        if rows[str(case["id"]), name]["error"]
    ]
    failed = {each["case"] for each in failures}
    complete = [case for case in cases if case["id"] not in failed]
    table = _table(complete, names, rows)
    groups = [str(case["sha256"]) for case in complete]
    bins = sorted({str(case["bin"]) for case in complete}, key=lambda name: int(name.split("–")[0]))
    present = [measure for measure in MEASURES if any(np.isfinite(table[measure.key][name]).any() for name in names)]
    why = _why_missing(present, missing, complete)
    distances = _distances(names, cells, inception, missing, why)
    found: dict[str, Any] = {
        "format": FORMAT,
        "title": title,
        "settings": dict(settings),
        "environment": dict(environment),
        "contestants": [dict(each) for each in contestants],
        "cases": [dict(case) for case in cases],
        "photos": len({str(case["sha256"]) for case in complete}),
        "complete": len(complete),
        "bins": [{"name": name, "cases": sum(case["bin"] == name for case in complete)} for name in bins],
        "failures": failures,
        "skipped": [dict(each) for each in skipped],
        "measures": [measure.key for measure in present],
        "not_computed": why,
        "truth": _truth(complete),
        "overall": {measure.key: _column(measure, table, names, groups, seed) for measure in present},
        "by_bin": {
            name: {
                measure.key: _column(
                    measure,
                    _part(table, [case["bin"] == name for case in complete]),
                    names,
                    [group for group, case in zip(groups, complete, strict=True) if case["bin"] == name],
                    seed,
                )
                for measure in present
            }
            for name in bins
        },
        "wins": {measure.key: _wins(measure, table, names) for measure in present if measure.better},
        "sets": distances,
        "votes": _votes(votes, names, seed),
        "values": {
            measure.key: {name: [_json_number(value) for value in table[measure.key][name]] for name in names}
            for measure in present
        },
        "value_cases": [str(case["id"]) for case in complete],
    }
    found["warnings"] = _warnings(found, table, names)
    return found


def _table(cases: Sequence[Mapping[str, Any]], names: Sequence[str], rows: Mapping[Any, Mapping[str, Any]]) -> Table:
    def value(case: Mapping[str, Any], name: str, key: str) -> float:
        found = rows[str(case["id"]), name]["values"].get(key)
        return math.nan if found is None else float(found)

    return {
        measure.key: {name: np.array([value(case, name, measure.key) for case in cases], np.float64) for name in names}
        for measure in MEASURES
    }


def _part(table: Table, chosen: Sequence[bool]) -> Table:
    kept = np.asarray(chosen, np.bool_)
    return {key: {name: values[kept] for name, values in columns.items()} for key, columns in table.items()}


def _column(
    measure: Measure, table: Table, names: Sequence[str], groups: Sequence[str], seed: int
) -> dict[str, dict[str, Any]]:
    """Of each contestant: mean, interval, how many values, and the paired difference to the best one.

    With fewer photos than intervals can be trusted for, no difference counts as certain.
    """
    columns = table[measure.key]
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        values = columns[name]
        finite = values[np.isfinite(values)]
        cell: dict[str, Any] = {"n": int(finite.size), "infinite": int(np.isposinf(values).sum()), "mean": None}
        if finite.size:
            interval = mean_interval(values, seed=seed, groups=groups)
            cell |= {
                "mean": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "median": float(np.median(finite)),
            }
        found[name] = cell
    best = best_of(measure, found)
    enough = len(set(groups)) >= LEAST_PICTURES_FOR_INTERVALS
    for name in names:
        cell = found[name]
        cell["best"] = name == best
        if best is None or name == best or cell["mean"] is None:
            continue
        both = np.isfinite(columns[name]) & np.isfinite(columns[best])
        if not both.any():
            continue
        gap = paired_difference(columns[name], columns[best], seed=seed, groups=groups)
        cell["to_best"] = {"mean": gap.mean, "low": gap.low, "high": gap.high, "certain": gap.certain and enough}
    return found


def best_of(measure: Measure, cells: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The contestant with the best mean; None where nothing ranks them."""
    means = {name: cell["mean"] for name, cell in cells.items() if cell["mean"] is not None}
    if measure.better is None or not means:
        return None
    sign = 1 if measure.better == "higher" else -1
    return max(means, key=lambda name: sign * means[name])


def _wins(measure: Measure, table: Table, names: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Row beats column: how often, with its interval."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
    columns = table[measure.key]
    for one in names:
        for other in names:
            if one == other or np.isnan(columns[one] + columns[other]).all():
                continue
            rate = win_rate(columns[one], columns[other], higher_is_better=measure.better == "higher")
            found[one][other] = {
                "wins": rate.wins,
                "ties": rate.ties,
                "losses": rate.losses,
                "rate": rate.rate,
                "low": rate.low,
                "high": rate.high,
            }
    return found


def _votes(
    votes: Mapping[tuple[str, str], tuple[int, int, int]] | None, names: Sequence[str], seed: int
) -> dict[str, Any] | None:
    """Win rates of a blind comparison and, where the votes determine them, Bradley–Terry strengths."""
    counted = {pair: count for pair, count in (votes or {}).items() if sum(count) and set(pair) <= set(names)}
    if not counted:
        return None
    pairs = []
    wins: dict[tuple[str, str], float] = {}
    for (one, other), (won, ties, lost) in counted.items():
        rate = rate_of(won, ties, lost)
        pairs.append(
            {
                "one": one,
                "other": other,
                "wins": won,
                "ties": ties,
                "losses": lost,
                "rate": rate.rate,
                "low": rate.low,
                "high": rate.high,
            }
        )
        wins[one, other] = wins.get((one, other), 0.0) + won + ties / 2
        wins[other, one] = wins.get((other, one), 0.0) + lost + ties / 2
    found: dict[str, Any] = {"pairs": pairs, "count": sum(sum(count) for count in counted.values())}
    try:
        strengths = bradley_terry(wins, seed=seed)
        found["strengths"] = [
            {"name": each.name, "value": each.value, "low": each.low, "high": each.high} for each in strengths
        ]
    except ValueError as error:
        found["undetermined"] = str(error)
    return found


def _distances(
    names: Sequence[str],
    cells: Mapping[str, tuple[Features, Features]],
    inception: Mapping[str, tuple[Features, Features]],
    missing: Mapping[str, str],
    why: dict[str, str],
) -> dict[str, dict[str, Any]]:
    """Fréchet distances, one number a contestant, with the number of samples."""
    found: dict[str, dict[str, Any]] = {}
    for key, features, least in (("frechet_lite0", cells, LEAST_PATCHES_AT_ALL), ("fid", inception, 2)):
        if key in missing:
            continue
        counts = {name: len(features[name][1]) for name in names if name in features}
        count = min(counts.values(), default=0)
        if count < least:
            unit = "patches" if key == "frechet_lite0" else "pictures"
            why[key] = f"There are {count} {unit} in holes; at least {least} are needed for any estimate at all."
            continue
        found[key] = {
            "samples": count,
            "values": {name: frechet_distance(*features[name]) for name in names if name in features},
        }
    return found


def _why_missing(
    present: Sequence[Measure], missing: Mapping[str, str], complete: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Measure → why it has no column."""
    keys = {measure.key for measure in present}
    found = dict(missing)
    for measure in MEASURES:
        if measure.key in keys or measure.key in found:
            continue
        small = complete and min(min(case["width"], case["height"]) for case in complete)
        found[measure.key] = (
            f"The pictures are too small for it (shorter side {small} px)."
            if complete
            else "There is no complete case."
        )
    return found


def _truth(complete: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    values = [case["total_variation"] for case in complete if "total_variation" in case]
    return {"total_variation": float(np.mean(values))} if values else {}


def _warnings(found: Mapping[str, Any], table: Table, names: Sequence[str]) -> list[str]:
    said = []
    photos = found["photos"]
    if photos < LEAST_PICTURES_FOR_INTERVALS:
        said.append(
            f"Only {_counted(photos, 'photo')}: below {LEAST_PICTURES_FOR_INTERVALS} the intervals are too narrow, so "
            "no difference is marked as certain here."
        )
    small = [part for part in found["bins"] if part["cases"] < LEAST_PICTURES_FOR_INTERVALS]
    if len(found["bins"]) > 1 and small and photos >= LEAST_PICTURES_FOR_INTERVALS:
        parts = ", ".join(f"{part['name']} ({part['cases']})" for part in small)
        said.append(
            f"Few cases with holes of {parts}: below {LEAST_PICTURES_FOR_INTERVALS} no difference there counts as "
            "certain."
        )
    for key, least, unit in (
        ("frechet_lite0", LEAST_PATCHES, "patches"),
        ("fid", LEAST_PICTURES_FOR_FID, "pictures"),
    ):
        sets = found["sets"].get(key)
        if sets and sets["samples"] < least:
            said.append(
                f"{MEASURE_BY_KEY[key].title} is estimated from {sets['samples']} {unit}; below {least} it is biased "
                "upwards and small differences mean nothing."
            )
    if found["failures"]:
        count = len({each["case"] for each in found["failures"]})
        said.append(
            f"{_counted(count, 'case')} could not be filled by every model and {'is' if count == 1 else 'are'} left "
            "out for all of them."
        )
    for name in names:
        errors = table["known_error"][name]
        if np.nansum(errors) > 0:
            said.append(f"{name} changed known pixels in {int((errors > 0).sum())} cases.")
    infinite = {name: int(np.isposinf(table["psnr"][name]).sum()) for name in names}
    if any(infinite.values()):
        text = ", ".join(f"{name}: {count}" for name, count in infinite.items() if count)
        said.append(f"Identical to the truth, and left out of the mean PSNR: {text}.")
    return said


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _json_number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf"
