"""`python -m inpainting evaluate` as people run it: numbers, interruptions, refusals, the page."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet
from skimage.metrics import structural_similarity

from inpainting.catalog import CatalogError
from inpainting.cli import main
from inpainting.engine import Engine
from inpainting.evaluation.cases import cases_of_folder
from inpainting.evaluation.cli import add_commands
from inpainting.evaluation.commands import read_votes, write_report
from inpainting.evaluation.contestants import make_contestant, parse_contestants
from inpainting.evaluation.features import Viewer
from inpainting.evaluation.protocols import get_protocol
from inpainting.evaluation.run import Evaluation
from inpainting.evaluation.store import Store
from inpainting.files import UsageError
from inpainting.imaging import decode_mask
from tests.inpainting.conftest import AddModel

ROOT = Path(__file__).parents[2]
_TIMED = {"seconds"}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "inpainting", "evaluate", *map(str, arguments)]


def given(photos: Path, out: Path) -> list[str]:
    """Three contestants on small photos: the wishes of the whole and of the interrupted run."""
    models = "telea,navier-stokes,telea:radius=9"
    return [
        *("--photos", str(photos), "--protocol", "irregular", "--models", models),
        *("--size", "256", "--seed", "5", "--device", "cpu", "-o", str(out)),
    ]


@pytest.fixture(scope="session")  # the slow test comes after those of other modules
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of several formats; one name that HTML must escape."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(7)
    for number, name in enumerate(("a.jpg", "b.png", "c & <i>.png")):
        coarse = rng.integers(0, 256, (9 + number, 12, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, (230, 200 + 10 * number), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(np.asarray(pixels, np.uint8)).save(folder / name)
    return folder


def numbers(report: Path) -> list[dict[str, str]]:
    """The rows without what a clock measured."""
    with (report / "rows.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in _TIMED} for row in csv.DictReader(file)]


@pytest.fixture(scope="session")  # the slow test comes after those of other modules
def report(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole evaluation, never interrupted. In a process of its own: the last digits depend on PyTorch's threads."""
    out = tmp_path_factory.mktemp("report") / "whole"
    arguments = [*given(photos, out), "--title", "A <b>bold</b> title"]
    subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, check=True, timeout=280)
    return out


@pytest.mark.slow
def test_an_evaluation_killed_at_any_point_goes_on_to_the_same_numbers(
    photos: Path, report: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    again = command(*given(photos, out))
    for wanted in (4, 30):
        process = subprocess.Popen(again, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(list(out.glob("work/*/*.json"))) < wanted and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None, "it was to be killed in the middle"
        process.kill()
        process.wait()
        assert not (out / "report.html").exists()
    # What a crash of the machine may leave: half a temporary file, and a row without its picture.
    (out / "work" / ".row.json.abc.part").write_bytes(b"{")
    next(out.glob("pictures/*/telea.png")).unlink()
    finished = subprocess.run(again, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert finished.returncode == 0, finished.stderr
    assert "were there from before" in finished.stdout
    assert numbers(out) == numbers(report)
    assert not list(out.rglob("*.part"))
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (out, report)]
    for key in ("psnr", "ssim", "lite0_distance", "seam_error"):
        assert summaries[0]["overall"][key] == summaries[1]["overall"][key]
        assert summaries[0]["by_bin"]["20–30 %"][key] == summaries[1]["by_bin"]["20–30 %"][key]


def test_an_independent_scorer_comes_to_the_same_numbers(report: Path) -> None:
    """From the files of the report alone, with libraries of its own."""
    rows = numbers(report)
    assert len(rows) == 3 * 5 * 3
    for row in [row for row in rows if row["model"] == "telea"][::4]:
        folder = report / "pictures" / row["case"]
        truth, hole, result = (
            np.asarray(Image.open(folder / f"{name}.png")) for name in ("truth", "hole", row["model"])
        )
        inside = hole >= 128
        assert float(row["hole_share"]) == pytest.approx(inside.mean(), abs=1e-6)
        gap = truth.astype(float) - result
        assert float(row["l1_hole"]) == pytest.approx(100 / 255 * np.abs(gap[inside]).mean(), abs=1e-4)
        assert float(row["psnr"]) == pytest.approx(cv2.PSNR(truth, result), abs=1e-4)
        wanted = structural_similarity(
            truth, result, channel_axis=2, data_range=255, gaussian_weights=True, use_sample_covariance=False
        )
        assert float(row["ssim"]) == pytest.approx(wanted, abs=1e-4)
        assert float(row["known_error"]) == 0.0
        assert not gap[~inside].any()


def test_every_model_sees_the_same_holes_and_means_are_over_the_same_cases(report: Path) -> None:
    summary = json.loads((report / "summary.json").read_text())
    holes: dict[str, set[str]] = {}
    for row in numbers(report):
        holes.setdefault(row["case"], set()).add(row["hole_sha256"])
    assert {len(found) for found in holes.values()} == {1}
    assert len(holes) == 15
    counts = {cell["n"] for columns in summary["overall"].values() for cell in columns.values()}
    assert counts == {15}
    assert [part["cases"] for part in summary["bins"]] == [3] * 5
    rows = [row for row in numbers(report) if row["model"] == "navier-stokes"]
    mean = np.mean([float(row["psnr"]) for row in rows])
    assert summary["overall"]["psnr"]["navier-stokes"]["mean"] == pytest.approx(mean)
    assert summary["photos"] == 3
    assert any("Only 3 photos" in text for text in summary["warnings"])
    assert not any(
        cell.get("to_best", {}).get("certain") for columns in summary["overall"].values() for cell in columns.values()
    )
    assert set(summary["not_computed"]) == {"lpips", "fid", "frechet_lite0"}  # too few patches for the last


class _Page(HTMLParser):
    """Collects what a page refers to, its pictures without words, its headings, and tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.wordless = 0
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.addresses += [str(given[name]) for name in ("src", "href") if name in given]
        self.wordless += tag == "img" and not given.get("alt")
        self.ids.add(str(given.get("id")))
        if tag not in {"meta", "img", "br", "hr", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


def test_the_page_needs_nothing_else_and_escapes_names(report: Path) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.unbalanced == []
    assert page.open == []
    outside = [address for address in page.addresses if not address.startswith(("data:", "#"))]
    assert outside == []
    assert all(address[1:] in page.ids for address in page.addresses if address.startswith("#"))
    assert page.wordless == 0
    assert "A &lt;b&gt;bold&lt;/b&gt; title" in text
    assert "<i>" not in text
    assert "Not computed" in text
    assert "As reported by the paper, on other data" in text
    assert not re.search(r"https?://(?!www\.w3\.org)[^\"]*\.(js|css|png)", text)


def test_plots_follow_the_readers_colours(report: Path) -> None:
    from inpainting.evaluation.report.plots import all_plots

    summary = json.loads((report / "summary.json").read_text())
    plots = [plot for section in all_plots(summary, ["psnr", "ssim"]).values() for plot in section]
    assert {plot.name for plot in plots} >= {"distribution-psnr", "time-psnr", "share-ssim"}
    for plot in plots:
        svg = plot.svg.decode()
        assert "prefers-color-scheme:dark" in svg
        assert "var(--ink)" in svg
        assert not re.search(r"#0[1-4][0-9a-f]{2}0[1-4]", svg.split("</style>")[1]), "a stand-in was left"
        assert len(plot.alt) > 40
    assert plots[0].svg == all_plots(summary, ["psnr"])["distribution"][0].svg, "the same numbers give the same file"


def test_latex_has_the_same_numbers(report: Path) -> None:
    summary = json.loads((report / "summary.json").read_text())
    table = (report / "table.tex").read_text()
    body = [line for line in table.splitlines() if line.startswith(("Telea", "Navier"))]
    assert len(body) == 3
    assert {line.count("&") for line in body} == {table.split("\\midrule")[0].count("&")}
    best = next(name for name, cell in summary["overall"]["psnr"].items() if cell["best"])
    assert rf"\textbf{{{summary['overall']['psnr'][best]['mean']:.2f}}}" in table


def test_a_model_that_fails_on_a_case_drops_it_for_everybody(photos: Path, tmp_path: Path, add_model: AddModel) -> None:
    broken = add_model("NotANumber")
    planned, _ = cases_of_folder(photos, size="256", protocol=get_protocol("centre-120"), masks=None, seed=0)
    said: list[str] = []
    run_ = Evaluation(
        Store(tmp_path / "out"),
        Engine("cpu"),
        Viewer(published=False),
        [*parse_contestants(["telea"]), make_contestant(broken, {})],
        seed=0,
        say=said.append,
    )
    run_._warm.add(broken)  # it fails on that too
    run_.add_photo(planned[0])
    fine = parse_contestants(["telea", "mean-colour"])
    other = Evaluation(run_.store, Engine("cpu"), Viewer(published=False), fine, seed=0)
    other.add_photo(planned[1])
    # The second photo both can fill: what the one makes of it stands for what the broken one would have made.
    case = other.outcome.cases[0]
    run_.outcome.cases.append(case)
    run_.outcome.rows[case["id"], "telea"] = other.outcome.rows[case["id"], "telea"]
    run_.outcome.rows[case["id"], broken] = other.outcome.rows[case["id"], "mean-colour"]
    data = run_.store.picture(case["id"], "mean-colour").read_bytes()
    run_.store.picture(case["id"], broken).write_bytes(data)
    summary = run_.summary(title="t", settings={}, device="cpu")
    assert (summary["complete"], summary["photos"]) == (1, 1)
    assert summary["overall"]["psnr"]["telea"]["n"] == 1
    assert [each["contestant"] for each in summary["failures"]] == [broken]
    assert any("not numbers" in text for text in said)
    assert any("left out for all of them" in text for text in summary["warnings"])
    write_report(run_.store, run_, summary)
    assert "Cases that were not filled" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--photos", "{}/nowhere", "--protocol", "object", "--models", "telea"], "There is no folder"),
        (["--photos", "{}", "--protocol", "squares", "--models", "telea"], "There is no protocol 'squares'"),
        (["--photos", "{}", "--protocol", "object", "--models", "magic"], "There is no model 'magic'"),
        (["--photos", "{}", "--protocol", "object", "--models", "telea,telea"], "named twice"),
        (["--photos", "{}", "--protocol", "object", "--models", "telea:radius"], "KEY:NAME=VALUE"),
        (["--photos", "{}", "--protocol", "object", "--models", ","], "at least one model"),
        (["--photos", "{}", "--masks", "{}/none", "--models", "telea"], "There is no file or folder"),
        (["--photos", "{}", "--protocol", "object", "--models", "telea", "--seed", "-1"], "The seed must be"),
    ],
)
def test_wrong_wishes_get_a_sentence(
    arguments: list[str], sentence: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = [argument.format(photos) for argument in arguments]
    assert main(["evaluate", *wishes, "-o", str(tmp_path / "out")], more=add_commands) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(report: Path, tmp_path: Path) -> None:
    plan = json.loads((report / "work" / "plan.json").read_text())
    with pytest.raises(UsageError, match="another seed"):
        Store(report).claim({**plan, "seed": 6}, overwrite=False)
    Store(report).claim(plan, overwrite=False)
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="holds no evaluation"):
        Store(tmp_path).claim(plan, overwrite=False)


def test_photos_that_cannot_be_read_are_named_and_left_out(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "good.png").write_bytes((photos / "b.png").read_bytes())
    (folder / "bad.jpg").write_bytes(b"not a photo at all")
    planned, _ = cases_of_folder(folder, size="256", protocol=get_protocol("object"), masks=None, seed=0)
    said: list[str] = []
    evaluation = Evaluation(
        Store(tmp_path / "out"), Engine("cpu"), Viewer(published=False), parse_contestants(["telea"]), seed=0,
        say=said.append,
    )  # fmt: skip
    for photo in planned:
        evaluation.add_photo(photo)
    assert len(evaluation.outcome.cases) == 1
    assert [each["photo"] for each in evaluation.outcome.skipped] == ["bad.jpg"]
    assert len(said) == 1
    empty = Evaluation(Store(tmp_path / "no"), Engine("cpu"), Viewer(published=False), [], seed=0)
    with pytest.raises(UsageError, match="nothing to report"):
        empty.summary(title="t", settings={}, device="cpu")


def test_parameters_make_different_contestants() -> None:
    plain, tuned = parse_contestants(["telea", "telea:radius=9"])
    assert (plain.name, tuned.name) == ("telea", "telea:radius=9")
    assert tuned.title == "Telea (radius=9)"
    assert plain.slug != tuned.slug
    assert parse_contestants(["telea:radius=5"])[0].name == "telea"  # the default
    with pytest.raises(CatalogError, match="between 1 and 15"):
        parse_contestants(["telea:radius=99"])


def test_votes_are_read_from_a_file(tmp_path: Path, report: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "model_a,model_b,winner\n"
        + "telea,navier-stokes,a\n" * 7
        + "navier-stokes,telea,a\n" * 2
        + "telea,navier-stokes,tie\n"
        + "telea,someone-else,b\n"
    )
    contestants = parse_contestants(["telea", "navier-stokes"])
    assert read_votes(path, contestants) == {("navier-stokes", "telea"): (2, 1, 7)}
    path.write_text("model_a,model_b,winner\ntelea,navier-stokes,both\n")
    with pytest.raises(UsageError, match="Line 2"):
        read_votes(path, contestants)


def test_the_masks_of_the_report_are_the_protocols(report: Path) -> None:
    path = next(report.glob("pictures/*30-40/hole.png"))
    hole = decode_mask(path.read_bytes(), width=256, height=256)
    assert 0.3 <= hole.mean() < 0.4


def test_every_measure_of_the_summary_is_in_the_csv(report: Path) -> None:
    summary: dict[str, Any] = json.loads((report / "summary.json").read_text())
    head = (report / "rows.csv").read_text().splitlines()[0].split(",")
    assert set(summary["measures"]) <= set(head)


def test_parquet_has_the_lines_of_the_csv_with_their_types(report: Path) -> None:
    table = parquet.read_table(report / "rows.parquet")
    with (report / "rows.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert table.column_names == list(lines[0])
    assert table.num_rows == len(lines)
    kinds = {name: str(table.schema.field(name).type) for name in ("case", "width", "hole_share", "psnr", "error")}
    assert kinds == {"case": "string", "width": "int64", "hole_share": "double", "psnr": "double", "error": "string"}
    for row, line in zip(table.to_pylist(), lines, strict=True):
        for name, value in row.items():
            if value is None:
                assert line[name] == ""
            else:
                assert type(value)(line[name]) == value
    about = json.loads(table.schema.metadata[b"reweave"])
    assert about["settings"]["seed"] == json.loads((report / "summary.json").read_text())["settings"]["seed"]
