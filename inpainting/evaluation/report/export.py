"""Rows and tables for other programs: CSV, Parquet and LaTeX."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from inpainting.evaluation.measures import MEASURE_BY_KEY, MEASURES

Rows = Mapping[tuple[str, str], Mapping[str, Any]]
"""(case id, contestant's name) → ``values`` by measure (None where there is none) and ``error``."""
_FACTS = ("photo", "sha256", "part", "width", "height", "hole_share", "hole_pixels", "hole_sha256")
_WHOLE_NUMBERS, _SHARES = ("width", "height", "hole_pixels"), ("hole_share",)
_LATEX = {
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "–": "--", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "×": r"$\times$", "²": r"\textsuperscript{2}", "é": r"\'e",
}  # fmt: skip
_MEASURED = tuple(measure.key for measure in MEASURES)
_TABLE = ("l1_mean", "l1_hole", "psnr", "ssim", "ms_ssim", "lite0_distance", "lpips", "seam_error", "seconds")


def rows_csv(summary: Mapping[str, Any], rows: Rows) -> bytes:
    """One line a case and contestant, numbers unrounded; failed ones with their sentence."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _columns(), lineterminator="\n")
    writer.writeheader()
    for line in _lines(summary, rows):
        values = {key: repr(float(line[key])) for key in _MEASURED if line[key] is not None}
        writer.writerow({**line, **dict.fromkeys(_MEASURED, ""), **values})
    return out.getvalue().encode()


def rows_parquet(summary: Mapping[str, Any], rows: Rows) -> bytes:
    """The same lines as an Apache Parquet file: whole numbers, doubles (null where there is none) and texts.

    Under the key ``reweave`` of the schema's metadata stand the report's title and settings as JSON.
    """
    import pyarrow  # takes a moment, and only reports need it
    from pyarrow import parquet

    kinds = {
        **dict.fromkeys(_columns(), pyarrow.string()),
        **dict.fromkeys(_WHOLE_NUMBERS, pyarrow.int64()),
        **dict.fromkeys((*_SHARES, *_MEASURED), pyarrow.float64()),
    }
    about = json.dumps({"title": summary["title"], "settings": summary["settings"]}, ensure_ascii=False)
    schema = pyarrow.schema(kinds.items(), metadata={"reweave": about})
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(_lines(summary, rows)), schema), out, compression="zstd")
    return out.getvalue()


def _columns() -> list[str]:
    return ["case", *_FACTS, "model", *_MEASURED, "error"]


def _lines(summary: Mapping[str, Any], rows: Rows) -> Iterator[dict[str, Any]]:
    """Column → value, for each case and contestant in the report's order."""
    for case in summary["cases"]:
        for contestant in summary["contestants"]:
            row = rows[str(case["id"]), str(contestant["name"])]
            yield {
                "case": case["id"],
                **{name: case[name] for name in _FACTS},
                "model": contestant["name"],
                **{key: row["values"].get(key) for key in _MEASURED},
                "error": row["error"],
            }


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
