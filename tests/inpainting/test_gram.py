"""Texture synthesis by Gramians: the model through the engine."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inpainting.engine import Cancelled
from inpainting.evaluation.metrics import psnr
from inpainting.imaging import Photo
from inpainting.imaging.context import Box
from inpainting.models.base import BoolMask, FillError, FillInput, Step
from inpainting.models.gram.fill import GREY
from inpainting.models.gram.reporting import TOO_SMALL
from inpainting.results import Progress
from tests.inpainting import gram_reference as plain
from tests.inpainting.gram_scenes import ENGINE, ENTRY, MODEL, QUICK, rectangle, run
from tests.inpainting.pictures import disc, noise, smooth, texture


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    plain.one_thread()


# The model


def test_a_periodic_texture_is_continued_better_than_telea() -> None:
    pixels = texture(224, 224, period=24)
    hole = rectangle((224, 224), Box(92, 92, 132, 132))
    made = np.rint(run(pixels, hole, fine_iterations=30).image * 255).astype(np.uint8)
    smooth_fill = ENGINE.fill(Photo(pixels), hole, model="telea").photo.pixels
    inside = Box(92, 92, 132, 132).slices
    ours, theirs = psnr(pixels[inside], made[inside]), psnr(pixels[inside], smooth_fill[inside])
    assert ours > 26
    assert ours > theirs + 12


@pytest.mark.parametrize("start", ["copy", "patchmatch", "telea", "noise", "mean"])
@pytest.mark.parametrize("boundary", ["exact", "soft"])
def test_every_start_and_boundary_leaves_the_known_region_alone(start: str, boundary: str) -> None:
    pixels, hole = texture(80, 96), disc(80, 96, center=(40, 48), radius=9)
    output = run(pixels, hole, start=start, boundary=boundary)
    assert np.array_equal(output.image[~hole], (pixels.astype(np.float32) / 255.0)[~hole])
    assert output.image.min() >= 0
    assert output.image.max() <= 1
    assert output.notes["loss_at_end"] < output.notes["loss_at_start"]
    assert "random orthogonal filters" in output.notes["backbone"]


def large_hole() -> tuple[NDArray[np.uint8], BoolMask]:
    return texture(288, 304, period=24), rectangle((288, 304), Box(50, 60, 260, 100))


@pytest.mark.parametrize("statistics", ["standard", "stochastic"])
def test_large_holes_go_from_coarse_grey_to_fine(statistics: str) -> None:
    """Two patches, one pooling: global statistics first, then grey, then patch by patch."""
    pixels, hole = large_hole()
    steps: list[Step] = []
    output = run(
        pixels, hole, steps.append, start="mean", coarse_iterations=3, fine_iterations=2, statistics=statistics
    )
    stages = [step.stage for step in steps]
    assert "Coarse stage, iteration 3/3" in stages
    assert "Fine stage, patch 1/2, iteration 2/2" in stages
    assert "Fine stage, patch 2/2, iteration 2/2" in stages
    assert (output.notes["patches"], output.notes["poolings"]) == (2, 1)
    assert {"detail", "global", "boundary"} <= set(steps[-2].losses or {})
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    coarse = next(overlay for overlay in output.overlays if overlay.name == "coarse")
    spread = np.ptp(coarse.image[hole].astype(int), axis=1)
    assert spread.max() <= 1  # grey, up to the rounding of the colour space
    assert sum(GREY) == pytest.approx(1, abs=1e-9)
    assert {overlay.name for overlay in output.overlays} == {"start", "coarse", "references"}


def test_patches_in_checkerboard_order_fill_the_hole_too() -> None:
    pixels, hole = texture(128, 512, period=24), rectangle((128, 512), Box(8, 60, 504, 70))
    steps: list[Step] = []
    output = run(pixels, hole, steps.append, order="checkerboard", fine_iterations=2)
    assert output.notes["patches"] == 3
    stages = [step.stage for step in steps]
    assert "Fine stage, patches 1 to 2 of 3, iteration 2/2" in stages
    assert "Fine stage, patch 3/3, iteration 2/2" in stages
    assert output.notes["loss_at_end"] < output.notes["loss_at_start"]


def test_a_preview_takes_fewer_iterations() -> None:
    pixels, hole = noise(128, 128, 3), disc(128, 128, center=(64, 64), radius=40)
    limits = []
    for quality in ("preview", "full"):
        steps: list[Step] = []

        def stop(step: Step, steps: list[Step] = steps) -> None:
            steps.append(step)
            if step.steps_total:
                raise Cancelled

        with pytest.raises(Cancelled):
            run(pixels, hole, stop, quality=quality, fine_iterations=250)
        limits.append(steps[-1].steps_total)
    assert limits[0] == 60
    assert limits[1] is not None
    assert limits[1] > 60


def test_cancelling_stops_within_one_evaluation() -> None:
    heard: list[int] = []

    def stop(step: Step) -> None:
        if step.steps_done is not None:
            heard.append(step.steps_done)
            if step.steps_done >= 3:
                raise Cancelled

    with pytest.raises(Cancelled):
        run(noise(96, 96, 3), disc(96, 96, center=(48, 48), radius=12), stop, fine_iterations=50)
    assert heard[-1] == 3
    assert heard.count(3) == 1


def test_progress_carries_losses_and_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpainting.models.gram.reporting.PREVIEW_SECONDS", 0.0)
    heard: list[Progress] = []
    pixels, hole = texture(90, 90), disc(90, 90, center=(45, 45), radius=10)
    ENGINE.fill(Photo(pixels), hole, model="gram", params=QUICK, on_step=heard.append)
    tuned = [progress for progress in heard if progress.losses]
    assert len(tuned) >= 6
    assert {"detail", "boundary", "shading"} == set(tuned[-1].losses or {})
    shown = tuned[-1].render_preview()
    assert shown is not None
    assert shown.rgba[..., 3].any()


def test_height_maps_keep_their_depth() -> None:
    """16-bit grey: known heights stay, and the hole has more than 256 levels' worth of steps."""
    generator = np.random.default_rng(0)
    heights = smooth(120, 120)[..., :1].astype(np.float64) * 257 + generator.normal(0, 600, (120, 120, 1))
    photo = Photo(heights.clip(0, 65535).astype(np.uint16))
    hole = disc(120, 120, center=(60, 60), radius=14)
    made = ENGINE.fill(photo, hole, model="gram", params=QUICK).photo.pixels
    assert made.dtype == np.uint16
    assert np.array_equal(made[~hole], photo.pixels[~hole])
    assert len(np.unique(made[hole] % 257)) > 50


def test_another_seed_copies_from_elsewhere() -> None:
    """Noise on a flat ground: many places fit equally well."""
    pixels = (128 + 4 * np.random.default_rng(0).standard_normal((128, 128, 3))).astype(np.uint8)
    hole = disc(128, 128, center=(64, 64), radius=12)
    first, again, other = (
        ENGINE.fill(Photo(pixels), hole, model="gram", params=QUICK, seed=seed).photo.pixels for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_photo_too_small_for_a_texture_says_so() -> None:
    hole = np.zeros((1, 3), np.bool_)
    hole[0, 1] = True
    result = ENGINE.fill(Photo(np.full((1, 3, 3), 90, np.uint8)), hole, model="gram")
    assert result.notes["too_small"] == TOO_SMALL
    assert np.abs(result.photo.pixels.astype(int) - 90).max() <= 1


def test_nothing_known_and_nothing_to_fill() -> None:
    image = np.zeros((20, 20, 3), np.float32)
    params = ENTRY.parse_params({})
    with pytest.raises(FillError, match="covers everything"):
        MODEL.fill(FillInput(image, np.ones((20, 20), np.bool_), params, 0, lambda step: None))
    untouched = MODEL.fill(FillInput(image, np.zeros((20, 20), np.bool_), params, 0, lambda step: None))
    assert np.array_equal(untouched.image, image)
