"""The report as HTML: a body that a site can put into its own page, or one file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inpainting.evaluation.measures import MEASURE_BY_KEY
from inpainting.evaluation.report import plots, tables
from inpainting.evaluation.report.html import Markup, tag
from inpainting.evaluation.report.showcase import ReadPicture, ranking_measure, showcase
from inpainting.evaluation.report.words import abstract, findings, holes_text

ASSETS = Path(__file__).parent.parent / "assets"
AddFile = Callable[[str, bytes, str], str]
_SHOWN = ("psnr", "ssim", "lite0_distance", "l1_hole")
"""Measures that get plots and tables by hole share."""


def report_page(summary: Mapping[str, Any], read: ReadPicture) -> bytes:
    """One HTML file with everything inside."""
    body = report_body(summary, read, data_address)
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{summary['title']} · Reweave"),
        tag("style", Markup((ASSETS / "page.css").read_text(encoding="utf-8"))),
        tag("style", Markup((ASSETS / "report.css").read_text(encoding="utf-8"))),
    ]
    script = tag("script", Markup((ASSETS / "report.js").read_text(encoding="utf-8")), type="module")
    main = tag("main", tag("h1", summary["title"]), body, class_="alone")
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), tag('body', main, script), lang='en')}\n".encode()


def data_address(_name: str, data: bytes, kind: str) -> str:
    """A file as its own address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def report_body(summary: Mapping[str, Any], read: ReadPicture, add_file: AddFile) -> Markup:
    """Everything below the title. Plots and pictures go to `add_file` (name, data, type), which returns addresses."""
    shown = [key for key in _SHOWN if key in summary["measures"]]
    drawn = plots.all_plots(summary, shown)

    def figure_of(plot: plots.Plot) -> Markup:
        address = add_file(f"{plot.name}.svg", plot.svg, "image/svg+xml")
        return tag("figure", tag("img", src=address, alt=plot.alt), tag("figcaption", plot.caption))

    def figures(section: str) -> Markup:
        return tag("div", [figure_of(plot) for plot in drawn[section]], class_="plots")

    def by_share(key: str) -> Markup:
        plot = next((each for each in drawn["share"] if each.name == f"share-{key}"), None)
        figure = None if plot is None else tag("div", figure_of(plot), class_="plots")
        return tag("div", figure, tables.share_table(summary, MEASURE_BY_KEY[key]), class_="beside")

    sections = [("results", "Results", _results(summary))]
    if len(summary["bins"]) > 1:
        sections.append(("hole-share", "By hole share", Markup("".join(by_share(key) for key in shown))))
    sections += [
        ("distributions", "Distributions", Markup(tag("p", _DISTRIBUTIONS) + figures("distribution"))),
        ("time", "Quality against time", Markup(tag("p", _TIME) + figures("time"))),
    ]
    if len(summary["contestants"]) > 1:
        sections.append(("wins", "Case by case", _wins(summary, shown)))
    if summary["votes"]:
        sections.append(("votes", "Blind votes", Markup(_votes(summary) + figures("votes"))))
    sections += [
        ("cases", "Worst and best cases", Markup(_cases_text(summary) + showcase(summary, read, add_file))),
        ("setup", "Setup", _setup(summary)),
        ("measures", "What was measured", tables.definitions(summary)),
        ("papers", "Figures from the papers", Markup(tag("p", _PAPERS) + tables.reported_tables())),
        ("environment", "Environment", _environment(summary)),
    ]
    contents = tag("nav", [tag("a", title, href=f"#{name}") for name, title, _ in sections], aria_label="Sections")
    blocks = [
        tag("section", tag("h2", f"{number}. {title}"), content, id=name)
        for number, (name, title, content) in enumerate(sections, start=1)
    ]
    return tag("div", abstract(summary), _warnings(summary), findings(summary), contents, blocks, class_="evaluation")


_DISTRIBUTIONS = (
    "Each dot is one case. The bar spans the middle half of the cases, the line stands at the median. Where dots of "
    "two methods overlap widely, their means may still differ surely, because every method filled the same holes."
)
_TIME = "Better is up and to the left. The marks are means with their 95 % intervals over the median time of a fill."
_PAPERS = (
    "For orientation only. These figures were measured by the papers’ authors on other photos, other holes, with other "
    "programs and partly by other definitions; they cannot be compared with the tables above."
)


def _warnings(summary: Mapping[str, Any]) -> Markup | None:
    said = list(summary["warnings"])
    if not said:
        return None
    return tag(
        "aside",
        tag("h2", "Read with care"),
        tag("ul", [tag("li", text) for text in said]),
        class_="care",
        aria_label="Warnings",
    )


def _results(summary: Mapping[str, Any]) -> Markup:
    caption = (
        f"Means over {summary['complete']} cases of {summary['photos']} photos; below each its 95 % interval "
        "(percentile bootstrap over photos, 10 000 resamples). Bold is the best mean. "
        f"{tables.CERTAIN} marks where the paired 95 % interval of the difference to the best leaves zero out; without "
        "the mark these data cannot tell the method from the best. Intervals are not corrected for the number "
        "of comparisons."
    )
    return Markup(tag("p", caption, class_="note") + tables.main_table(summary))


def _wins(summary: Mapping[str, Any], shown: list[str]) -> Markup:
    made = [tables.win_table(summary, MEASURE_BY_KEY[key]) for key in shown if key in summary["wins"]]
    text = (
        "Ties count half; in small print the Wilson 95 % interval. Bold where it lies above one half. Cases of the "
        "same photo are counted one by one."
    )
    return Markup(tag("p", text, class_="note") + tag("div", made, class_="pair"))


def _votes(summary: Mapping[str, Any]) -> Markup:
    votes = summary["votes"]
    where = str(summary["settings"].get("votes_text", "supplied with the evaluation"))
    text = f"{votes['count']} votes of people who did not know which method made which picture; {where}."
    more = tag("p", votes["undetermined"]) if "undetermined" in votes else None
    return Markup(tag("p", text) + tables.votes_table(summary) + (more or ""))


def _cases_text(summary: Mapping[str, Any]) -> Markup:
    measure = ranking_measure(summary)
    return tag(
        "p",
        f"The two worst cases and the best one of each method by {measure.title}, each case once. Scroll or pinch over "
        "a picture, or focus a row and press + − 0 and the arrow keys: all pictures of the row move together.",
        class_="note",
    )


def _setup(summary: Mapping[str, Any]) -> Markup:
    settings = summary["settings"]
    rows: list[tuple[str, object]] = [
        ("Photos", f"{summary['photos']} evaluated, {len(summary['skipped'])} left out"),
        ("Size", settings.get("size_text", "")),
        ("Holes", holes_text(summary)),
        ("Seed of holes and models", settings.get("seed", "")),
    ]
    contestants = [
        (
            each["title"],
            "; ".join(
                [
                    ", ".join(f"{name} = {value}" for name, value in each["params"].items()) or "no parameters",
                    *([f"{each['trained'] / 1e6:.2f} million trained weights"] if each["trained"] else []),
                ]
            ),
        )
        for each in summary["contestants"]
    ]
    left_out = [(each["photo"], each["why"]) for each in summary["skipped"]]
    failed = [(f"{each['case']}, {each['contestant']}", each["why"]) for each in summary["failures"]]
    made = tables.pairs(rows) + tag("h3", "Methods and their parameters") + tables.pairs(contestants)
    if left_out:
        made += tag("h3", "Photos left out") + tables.pairs(left_out)
    if failed:
        made += tag("h3", "Cases that were not filled") + tables.pairs(failed)
    return Markup(made)


def _environment(summary: Mapping[str, Any]) -> Markup:
    facts = summary["environment"]
    rows: list[tuple[str, object]] = [
        ("Device", facts.get("device", "")),
        ("Processor", f"{facts.get('processor', '')}, {facts.get('cores', '')} cores"),
        ("System", facts.get("system", "")),
        ("Python", facts.get("python", "")),
        *sorted(facts.get("libraries", {}).items()),
    ]
    weights = [(name, tag("code", sha)) for name, sha in sorted(facts.get("weights", {}).items())]
    made: str = tables.pairs(rows)
    made += tag("h3", "Weights (sha256)") + (
        tables.pairs(weights) if weights else tag("p", "No method here uses weights of its own.")
    )
    return Markup(made)
