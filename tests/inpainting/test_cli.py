"""The command line as people run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inpainting.files import UsageError, plan_tasks, write_atomically
from inpainting.imaging import decode
from tests.inpainting.pictures import disc, noise, texture

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inpainting", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, **options)


def save(path: Path, pixels: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save(tmp_path / "photo.png", texture(60, 80))


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return save(tmp_path / "mask.png", disc(60, 80, center=(30, 40), radius=7).astype(np.uint8) * 255)


def test_models_as_a_table_and_as_json() -> None:
    table = run("models")
    assert table.returncode == 0
    assert table.stdout.splitlines()[0].startswith("KEY")
    assert any(line.startswith("telea ") and "radius=5" in line for line in table.stdout.splitlines())
    entries = {entry["key"]: entry for entry in json.loads(run("models", "--json").stdout)}
    assert entries["telea"]["trained"] is True
    assert entries["telea"]["params"][0]["maximum"] == 15
    assert entries["patchmatch"]["paper"]["year"] == 2009


def test_one_photo_with_a_report(tmp_path: Path, photo: Path, mask: Path) -> None:
    out, report = tmp_path / "deep" / "out.png", tmp_path / "report.json"
    done = run("fill", photo, mask, "-o", out, "--model", "telea", "--param", "radius=7", "--report", report)
    assert (done.returncode, done.stderr) == (0, "")
    before, after = decode(photo.read_bytes()).pixels, decode(out.read_bytes()).pixels
    hole = disc(60, 80, center=(30, 40), radius=7)
    assert np.array_equal(before[~hole], after[~hole])
    assert not np.array_equal(before[hole], after[hole])
    written = json.loads(report.read_text())
    assert (written["done"], written["failed"], written["params"]["radius"]) == (1, 0, 7)
    [line] = written["files"]
    assert line["proof"] == {"known_pixels": int((~hole).sum()), "changed_pixels": 0}
    assert line["lossless"] is True
    assert set(line["seconds"]) == {"decode", "prepare", "compute", "paste", "encode", "total"}
    assert [path.name for path in out.parent.iterdir()] == ["out.png"]


def test_the_ending_decides_the_format_and_lossy_ones_warn(tmp_path: Path, photo: Path, mask: Path) -> None:
    for suffix, format, warns in ((".jpg", "JPEG", True), (".tif", "TIFF", False), (".webp", "WEBP", True)):
        out = tmp_path / f"out{suffix}"
        done = run("fill", photo, mask, "-o", out, "--model", "telea")
        assert done.returncode == 0
        assert decode(out.read_bytes()).format == format
        assert ("Only PNG and TIFF keep" in done.stderr) == warns


def test_folders_pair_by_stem_and_failures_do_not_stop_the_rest(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        save(tmp_path / "photos" / f"{name}.jpg", texture(50, 60))
        if name != "c":
            size = (50, 60) if name != "b" else (50, 61)
            save(tmp_path / "masks" / f"{name}.png", disc(*size, center=(20, 20), radius=5).astype(np.uint8) * 255)
    (tmp_path / "photos" / "notes.txt").write_text("not a photo")
    (tmp_path / "photos" / "d.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    report = tmp_path / "report.json"
    done = run(
        "fill", tmp_path / "photos", tmp_path / "masks", "-o", tmp_path / "out", "--model", "telea", "--report", report
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "b.jpg: The mask has 61 × 50 pixels, but the photo has 60 × 50." in done.stderr
    assert "c.jpg: There is no mask for it." in done.stderr
    assert "d.jpg: The file is damaged" in done.stderr
    assert "3 of 4 photos were not filled." in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    written = json.loads(report.read_text())
    assert [line["status"] for line in written["files"]] == ["done", "failed", "failed", "failed"]
    assert (written["planned"], written["done"], written["failed"]) == (4, 1, 3)


def test_one_mask_for_all_photos(tmp_path: Path, mask: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "photos" / f"{name}.png", texture(60, 80))
    out = tmp_path / "out"
    done = run("fill", tmp_path / "photos", mask, "-o", out, "--model", "telea", "--suffix", ".tiff")
    assert done.returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["a.tiff", "b.tiff"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--model", "nothing"], "There is no model 'nothing'"),
        (["--model", "telea", "--param", "radius"], "--param wants NAME=VALUE"),
        (["--model", "telea", "--param", "radius=99"], "between 1 and 15"),
        (["--model", "telea", "--param", "depth=1"], "has no parameter depth"),
        (["--model", "telea", "--device", "tpu"], "invalid choice"),
        (["--model", "telea", "--seed", "x"], "invalid int"),
        ([], "--model"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(
    photo: Path, mask: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    done = run("fill", photo, mask, "-o", tmp_path / "out.png", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.png").exists()


def test_the_same_seed_gives_the_same_file(tmp_path: Path, mask: Path) -> None:
    photo = save(tmp_path / "noise.png", noise(60, 80, 3))
    files = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        out = tmp_path / f"{name}.png"
        assert run("fill", photo, mask, "-o", out, "--model", "patchmatch", "--seed", str(seed)).returncode == 0
        files.append(out.read_bytes())
    assert files[0] == files[1] != files[2]


def test_interrupting_ends_with_130_and_writes_the_report(tmp_path: Path) -> None:
    photo = save(tmp_path / "large.png", noise(1400, 1400, 3))
    hole = disc(1400, 1400, center=(700, 700), radius=280).astype(np.uint8) * 255
    mask, report = save(tmp_path / "large_mask.png", hole), tmp_path / "report.json"
    command = [sys.executable, "-m", "inpainting", "fill", str(photo), str(mask), "-o", str(tmp_path / "out.png")]
    process = subprocess.Popen(
        [*command, "--model", "patchmatch", "--report", str(report)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not has_children(process.pid):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    _output, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "Interrupted.\n"
    assert json.loads(report.read_text())["done"] == 0
    assert not (tmp_path / "out.png").exists()


def has_children(pid: int) -> bool:
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().strip())


def test_paths_that_do_not_fit_together(tmp_path: Path, photo: Path, mask: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for arguments, sentence in (
        ((tmp_path / "none.png", mask, tmp_path / "o.png"), "There is no file or folder"),
        ((photo, folder, tmp_path / "o.png"), "A folder of masks needs a folder of photos"),
        ((folder, mask, tmp_path / "o"), "There are no photos in"),
        ((folder, mask, photo), "must be a folder too"),
        ((photo, mask, tmp_path / "o.bmp"), "names no picture format"),
        ((photo, mask, photo), "would overwrite an input file"),
        ((photo, mask, mask), "would overwrite an input file"),
        ((photo, mask, tmp_path), "would overwrite an input file"),
    ):
        with pytest.raises(UsageError, match=sentence):
            plan_tasks(*arguments)
    save(folder / "x.png", texture(9, 9))
    save(folder / "x.jpg", texture(9, 9))
    with pytest.raises(UsageError, match="the same name before the ending"):
        plan_tasks(folder, mask, tmp_path / "o")


def test_writing_replaces_whole_files_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.png"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o400
    taken = tmp_path / "taken"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_atomically(taken, b"x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file.png", "taken"]
