"""Rows and tables for other programs: CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from inpainting.evaluation.measures import MEASURE_BY_KEY, MEASURES

_FACTS = ("photo", "sha256", "part", "width", "height", "hole_share", "hole_pixels", "hole_sha256")
_LATEX = {
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "–": "--", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "×": r"$\times$", "²": r"\textsuperscript{2}", "é": r"\'e",
}  # fmt: skip
_TABLE = ("l1_mean", "l1_hole", "psnr", "ssim", "ms_ssim", "lite0_distance", "lpips", "seam_error", "seconds")


def rows_csv(summary: Mapping[str, Any], rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> bytes:
    """One line a case and contestant, numbers unrounded; failed ones with their sentence."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    measures = [measure.key for measure in MEASURES]
    writer.writerow(["case", *_FACTS, "model", *measures, "error"])
    for case in summary["cases"]:
        for contestant in summary["contestants"]:
            row = rows[str(case["id"]), str(contestant["name"])]
            values = [row["values"].get(key) for key in measures]
            writer.writerow(
                [
                    case["id"],
                    *(case[name] for name in _FACTS),
                    contestant["name"],
                    *("" if value is None else repr(float(value)) for value in values),
                    row["error"],
                ]
            )
    return out.getvalue().encode()


def latex_table(summary: Mapping[str, Any]) -> str:
    """The main table for a paper that uses booktabs: means, best in bold, a dagger where the best is surely better."""
    keys = [key for key in _TABLE if key in summary["measures"]]
    sets = [key for key in ("frechet_lite0", "fid") if key in summary["sets"]]
    columns = [MEASURE_BY_KEY[key] for key in (*keys, *sets)]
    head = " & ".join(["Method", *(f"{escape_latex(each.label)} {escape_latex(each.arrow)}" for each in columns)])
    lines = [
        f"% {summary['title']}: {summary['complete']} cases of {summary['photos']} photos.".replace("\n", " "),
        "% Bold: best mean. Dagger: the paired 95 % bootstrap interval of the difference to the best leaves zero out.",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
    ]
    for contestant in summary["contestants"]:
        name = contestant["name"]
        cells = [escape_latex(str(contestant["title"]))]
        for key in keys:
            cell = summary["overall"][key][name]
            text = MEASURE_BY_KEY[key].number(cell["mean"]).replace("–", "--")
            if cell["best"]:
                text = rf"\textbf{{{text}}}"
            elif cell.get("to_best", {}).get("certain"):
                text += r"\textsuperscript{\dag}"
            cells.append(text)
        for key in sets:
            values = summary["sets"][key]["values"]
            text = MEASURE_BY_KEY[key].number(values.get(name)).replace("–", "--")
            cells.append(rf"\textbf{{{text}}}" if values.get(name) == min(values.values()) else text)
        lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    return "\n".join(lines)


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it stands."""
    return "".join(_LATEX.get(char, char) for char in text)
