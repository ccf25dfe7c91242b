"""The two library methods: what they fill with, and how the child process behaves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpainting.engine import Cancelled, Engine, FillError
from inpainting.imaging import Photo
from inpainting.models import baselines
from inpainting.models.patchmatch_child import HEADER
from inpainting.results import Progress
from tests.inpainting.pictures import disc, noise, smooth, texture


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that PatchMatch starts, as they start."""
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def remember(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(start(*args, **options))
        return started[-1]

    monkeypatch.setattr(baselines.subprocess, "Popen", remember)
    return started


def test_telea_continues_a_gradient() -> None:
    truth = smooth(200, 240)
    mask = disc(200, 240, center=(100, 120), radius=14)
    damaged = truth.copy()
    damaged[mask] = 0
    filled = Engine().fill(Photo(damaged), mask, model="telea").photo.pixels
    assert np.abs(filled[mask].astype(int) - truth[mask]).mean() < 6


def test_patchmatch_continues_a_texture() -> None:
    truth = texture(160, 200, period=10)
    mask = disc(160, 200, center=(80, 100), radius=20)
    damaged = truth.copy()
    damaged[mask] = 0
    filled = Engine().fill(Photo(damaged), mask, model="patchmatch").photo.pixels
    # Every 10 × 10 tile is the same noise: a mean-coloured or smooth fill would be wrong by about 60 levels.
    assert np.abs(filled[mask].astype(int) - truth[mask]).mean() < 20


def test_the_patch_size_and_the_seed_matter() -> None:
    photo = Photo(noise(90, 90, 3))
    mask = disc(90, 90, center=(45, 45), radius=15)

    def fill(**options: Any) -> np.ndarray[Any, Any]:
        return Engine().fill(photo, mask, model="patchmatch", **options).photo.pixels

    plain = fill()
    assert not np.array_equal(plain, fill(seed=1))
    assert not np.array_equal(plain, fill(params={"patch_size": 11}))
    assert np.array_equal(plain, fill(params={"patch_size": 7}))


def test_deep_photos_keep_their_depth_outside_the_hole() -> None:
    pixels = noise(60, 60, 3, dtype=np.uint16)
    mask = disc(60, 60, center=(30, 30), radius=6)
    filled = Engine().fill(Photo(pixels), mask, model="telea").photo.pixels
    assert (filled[mask] % 257 == 0).all()  # 8-bit steps inside, as documented
    assert (filled[~mask] % 257 != 0).any()


def test_cancelling_kills_the_child_at_once(children: list[subprocess.Popen[bytes]]) -> None:
    photo = Photo(noise(1200, 1600, 3))
    mask = disc(1200, 1600, center=(600, 800), radius=280)
    told: list[float] = []

    def stop(progress: Progress) -> None:
        if "scale" in progress.stage:
            told.append(progress.fraction)
            raise Cancelled

    with pytest.raises(Cancelled):
        Engine().fill(photo, mask, model="patchmatch", on_step=stop)
    returned = time.monotonic()
    [child] = children
    assert child.returncode is not None
    assert child.returncode < 0  # killed, so it had not finished
    assert told[0] < 0.5  # and much was left to do
    assert time.monotonic() - returned < 1.0


def test_signs_of_life_come_several_times_a_second() -> None:
    times: list[float] = []
    fractions: list[float] = []

    def listen(progress: Progress) -> None:
        times.append(time.monotonic())
        fractions.append(progress.fraction)

    mask = disc(500, 600, center=(250, 300), radius=100)
    Engine().fill(Photo(noise(500, 600, 3)), mask, model="patchmatch", on_step=listen)
    assert np.median(np.diff(times)) < 0.5
    assert len(set(fractions)) > 4
    assert fractions == sorted(fractions)


def test_a_dying_child_is_an_error_with_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "child.py"
    broken.write_text("import sys\nsys.exit('the library is missing')\n")
    monkeypatch.setattr(baselines, "_CHILD", broken)
    mask = disc(50, 50, center=(25, 25), radius=5)
    with pytest.raises(FillError, match=r"PatchMatch stopped without a result\. the library is missing"):
        Engine().fill(Photo(smooth(50, 50)), mask, model="patchmatch")


def test_the_child_ends_when_its_parent_is_gone() -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", str(baselines._CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stderr is not None
    side = 1500
    hole = np.zeros((side, side), np.uint8)
    hole[400:1100, 400:1100] = 1
    child.stdin.write(HEADER.pack(side, side, 3, 0) + noise(side, side, 3).tobytes() + hole.tobytes())
    child.stdin.flush()
    os.read(child.stderr.fileno(), 1)  # it is computing
    child.stdin.close()  # what a parent's death does
    child.stdin = None
    _output, _report = child.communicate(timeout=10)
    assert child.returncode == 1


@pytest.mark.parametrize(
    ("report", "least", "most"),
    [
        (b"", 0.0, 0.0),
        (b"Inpainting level: 8\nEM Iteration: 3\n", 0.0, 0.02),
        (b"Inpainting level: 8\nInpainting level: 4\nInpainting level: 5\n", 0.0, 0.15),
        (b"Inpainting level: 8\nInpainting level: 1\nEM Iteration: 2\n", 0.5, 0.75),
        (b"Inpainting level: 8\nInpainting level: 0\nEM Iteration: 0\n", 0.6, 0.8),
    ],
)
def test_the_share_done_is_never_more_than_certain(report: bytes, least: float, most: float) -> None:
    progress = baselines._ScaleProgress()
    progress.read(bytearray(report))
    assert least <= progress.step().fraction <= most
