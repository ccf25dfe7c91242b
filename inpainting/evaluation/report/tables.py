"""The tables of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inpainting.evaluation.measures import MEASURE_BY_KEY, Measure
from inpainting.evaluation.papers import REPORTED, Reported
from inpainting.evaluation.report.html import Markup, tag

MAIN = ("l1_mean", "l1_hole", "psnr", "ssim", "ms_ssim", "lite0_distance", "lpips", "seam_error", "total_variation")
"""Columns of the main table before the distances between sets and the time."""
CERTAIN = "†"


def main_table(summary: Mapping[str, Any]) -> Markup:
    """Contestants by measures: means with intervals, the best in bold, a mark where the best is surely better."""
    keys = [key for key in (*MAIN, "seconds") if key in summary["measures"]]
    sets = [key for key in ("frechet_lite0", "fid") if key in summary["sets"]]
    measures = [MEASURE_BY_KEY[key] for key in keys]
    head = [tag("th", "Method", scope="col")]
    head += [_head(measure) for measure in [*measures[:-1], *(MEASURE_BY_KEY[key] for key in sets), measures[-1]]]
    body = []
    for contestant in summary["contestants"]:
        name = contestant["name"]
        cells = [_interval_cell(measure, summary["overall"][measure.key][name]) for measure in measures]
        cells[-1:-1] = [_set_cell(summary, key, name) for key in sets]
        body.append(tag("tr", _row_head(contestant), cells))
    truth = summary["truth"].get("total_variation")
    if truth is not None and "total_variation" in keys:
        values = [
            tag("td", MEASURE_BY_KEY[key].number(truth) if key == "total_variation" else "", class_="faint")
            for key in [*keys[:-1], *sets, keys[-1]]
        ]
        body.append(tag("tr", tag("th", "Truth", scope="row", class_="faint"), values))
    return _scrolling(tag("table", tag("thead", tag("tr", head)), tag("tbody", body), class_="numbers"), "Main results")


def share_table(summary: Mapping[str, Any], measure: Measure) -> Markup:
    """Contestants by hole share, for one measure."""
    bins = summary["bins"]
    head = [tag("th", "Method", scope="col")]
    head += [tag("th", part["name"], tag("span", f"n = {part['cases']}", class_="unit"), scope="col") for part in bins]
    body = [
        tag(
            "tr",
            _row_head(contestant),
            [
                _interval_cell(measure, summary["by_bin"][part["name"]][measure.key][contestant["name"]])
                for part in bins
            ],
        )
        for contestant in summary["contestants"]
    ]
    table = tag(
        "table",
        tag("caption", f"{measure.label} {measure.arrow} by hole share".replace("  ", " ")),
        tag("thead", tag("tr", head)),
        tag("tbody", body),
        class_="numbers",
    )
    return _scrolling(table, f"{measure.title} by hole share")


def win_table(summary: Mapping[str, Any], measure: Measure) -> Markup:
    """On how many cases the row beats the column."""
    contestants = summary["contestants"]
    head = [
        tag("th", f"better in {measure.title}", scope="col"),
        *(tag("th", each["title"], scope="col") for each in contestants),
    ]
    body = []
    for row in contestants:
        cells = []
        for column in contestants:
            rate = summary["wins"][measure.key][row["name"]].get(column["name"])
            if rate is None:
                cells.append(tag("td", "–", class_="faint"))
                continue
            sure = " sure" if rate["low"] > 0.5 else ""
            cells.append(
                tag(
                    "td",
                    tag("b", _percent(rate["rate"])) if sure else _percent(rate["rate"]),
                    tag("span", f"{100 * rate['low']:.0f}–{_percent(rate['high'])}", class_="interval"),
                )
            )
        body.append(tag("tr", _row_head(row), cells))
    table = tag(
        "table",
        tag("caption", f"{measure.label}: share of cases on which the row is better than the column"),
        tag("thead", tag("tr", head)),
        tag("tbody", body),
        class_="numbers",
    )
    return _scrolling(table, f"Wins in {measure.title}")


def votes_table(summary: Mapping[str, Any]) -> Markup:
    """Blind votes, pair by pair."""
    titles = {each["name"]: each["title"] for each in summary["contestants"]}
    body = [
        tag(
            "tr",
            tag("th", f"{titles[pair['one']]} against {titles[pair['other']]}", scope="row"),
            tag("td", pair["wins"]),
            tag("td", pair["ties"]),
            tag("td", pair["losses"]),
            tag(
                "td",
                _percent(pair["rate"]),
                tag("span", f"{100 * pair['low']:.0f}–{_percent(pair['high'])}", class_="interval"),
            ),
        )
        for pair in summary["votes"]["pairs"]
    ]
    head = ("Pair", "First preferred", "No difference", "Second preferred", "First’s win rate")
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", text, scope="col") for text in head])),
        tag("tbody", body),
        class_="numbers",
    )
    return _scrolling(table, "Blind votes")


def reported_tables() -> Markup:
    """What papers report on other data."""
    return tag("div", [_reported(each) for each in REPORTED], class_="pair")


def definitions(summary: Mapping[str, Any]) -> Markup:
    """Each measure with its exact meaning, and each that was not computed with the reason."""
    items = []
    keys = [*summary["measures"], *summary["sets"]]
    for key in keys:
        measure = MEASURE_BY_KEY[key]
        items += [tag("dt", f"{measure.label} {measure.arrow}".strip()), tag("dd", measure.definition)]
    for key, why in summary["not_computed"].items():
        items += [
            tag("dt", MEASURE_BY_KEY[key].label, class_="faint"),
            tag("dd", tag("strong", "Not computed: "), why),
        ]
    return tag("dl", items, class_="definitions")


def pairs(rows: Sequence[tuple[str, object]]) -> Markup:
    """A plain table of names and values."""
    body = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in rows]
    return _scrolling(tag("table", tag("tbody", body), class_="pairs"), "Facts")


def _reported(table: Reported) -> Markup:
    head = [tag("th", "Method", scope="col"), *(tag("th", column, scope="col") for column in table.columns)]
    body = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]]) for row in table.rows]
    caption = tag("caption", tag("b", "As reported by the paper, on other data. "), f"{table.source}. {table.data}.")
    made = _scrolling(
        tag("table", caption, tag("thead", tag("tr", head)), tag("tbody", body), class_="numbers reported"),
        table.source,
    )
    return tag("div", made, tag("p", table.note, class_="note") if table.note else None)


def _head(measure: Measure) -> Markup:
    unit = tag("span", measure.unit, class_="unit") if measure.unit else None
    return tag("th", f"{measure.title} {measure.arrow}".strip(), unit, scope="col")


def _row_head(contestant: Mapping[str, Any]) -> Markup:
    kind = tag("span", "for reference", class_="unit") if contestant["reference"] else None
    return tag("th", contestant["title"], kind, scope="row")


def _interval_cell(measure: Measure, cell: Mapping[str, Any]) -> Markup:
    if cell["mean"] is None:
        return tag("td", "–", class_="faint")
    text = measure.number(cell["mean"])
    value: Markup | str = tag("b", text) if cell["best"] else text
    gap = cell.get("to_best")
    mark = tip = None
    if gap is not None:
        tip = (
            f"{gap['mean']:+.{measure.digits}f} to the best, 95 % interval {gap['low']:+.{measure.digits}f} to "
            f"{gap['high']:+.{measure.digits}f}"
        )
        mark = tag("sup", CERTAIN) if gap["certain"] else None
    interval = tag("span", f"{measure.number(cell['low'])}–{measure.number(cell['high'])}", class_="interval")
    return tag("td", value, mark, interval, title=tip)


def _set_cell(summary: Mapping[str, Any], key: str, name: str) -> Markup:
    values = summary["sets"][key]["values"]
    text = MEASURE_BY_KEY[key].number(values.get(name))
    best = name in values and values[name] == min(values.values())
    samples = summary["sets"][key]["samples"]
    unit = "patches" if key == "frechet_lite0" else "pictures"
    return tag("td", tag("b", text) if best else text, tag("span", f"{samples} {unit}", class_="interval"))


def _scrolling(table: Markup, label: str) -> Markup:
    """Wide tables scroll by themselves; the keyboard can reach them."""
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
