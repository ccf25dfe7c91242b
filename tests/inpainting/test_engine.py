"""The engine's promises, whatever a model does."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inpainting.catalog import CatalogError
from inpainting.device import resolve_device
from inpainting.engine import Cancelled, Engine, FillError
from inpainting.imaging import Photo
from inpainting.results import LivePreview, Progress
from tests.inpainting.conftest import AddModel
from tests.inpainting.pictures import disc, noise, smooth, swapped_profile
from tests.inpainting.probe_models import Recording


def two_holes() -> np.ndarray[Any, np.dtype[np.bool_]]:
    return disc(400, 600, center=(60, 70), radius=20) | disc(400, 600, center=(330, 500), radius=30)


def model_of(engine: Engine, key: str) -> Recording:
    model = engine.models.get(key, lambda: pytest.fail("it was not loaded"))
    assert isinstance(model, Recording)
    return model


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["Recording", "Vandal"])
def test_known_pixels_are_bit_identical(add_model: AddModel, name: str, channels: int, dtype: Any) -> None:
    pixels = noise(400, 600, channels, dtype=dtype)
    before = pixels.copy()
    mask = two_holes()
    result = Engine().fill(Photo(pixels, exif=b"kept", format="TIFF"), mask, model=add_model(name))
    after = result.photo.pixels
    assert np.array_equal(pixels, before)
    assert after.dtype == dtype
    assert np.array_equal(after[~mask], before[~mask])
    assert (after[mask] != before[mask]).any(axis=1).mean() > 0.9
    assert result.proof == {"known_pixels": int((~mask).sum()), "changed_pixels": 0}
    assert (result.photo.exif, result.photo.format) == (b"kept", "TIFF")
    assert set(result.timings) == {"prepare", "compute", "paste"}


def test_values_return_at_full_depth(add_model: AddModel) -> None:
    pixels = np.full((80, 80, 1), 40001, np.uint16)
    mask = disc(80, 80, center=(40, 40), radius=10)
    result = Engine().fill(Photo(pixels), mask, model=add_model("Vandal"))
    assert np.abs(result.photo.pixels[mask].astype(int) - 40001).max() <= 1


def test_transparency_is_continued_into_the_hole(add_model: AddModel) -> None:
    key = add_model("Recording")
    pixels = np.full((200, 200, 4), 255, np.uint8)
    mask = disc(200, 200, center=(100, 100), radius=30)
    pixels[mask] = 0
    assert (Engine().fill(Photo(pixels), mask, model=key).photo.pixels[mask][:, 3] == 255).all()
    pixels[:, :, 3] = np.where(np.arange(200) < 100, 0, 255)
    alpha = Engine().fill(Photo(pixels), mask, model=key).photo.pixels[..., 3]
    assert alpha[100, 75] < 30
    assert alpha[100, 125] > 225


def test_an_empty_mask_returns_the_photo_itself(add_model: AddModel) -> None:
    photo = Photo(noise(20, 30, 3))
    engine = Engine()
    result = engine.fill(photo, np.zeros((20, 30), np.bool_), model=add_model("NotANumber"))
    assert result.photo is photo
    assert result.proof == {"known_pixels": 600, "changed_pixels": 0}
    assert not engine.models.sizes()


def test_masks_that_cannot_be_used(add_model: AddModel) -> None:
    key, photo = add_model("Recording"), Photo(noise(20, 30, 3))
    with pytest.raises(FillError, match="covers the whole photo"):
        Engine().fill(photo, np.ones((20, 30), np.bool_), model=key)
    with pytest.raises(FillError, match="The mask has 20 × 30 pixels, but the photo has 30 × 20"):
        Engine().fill(photo, np.ones((30, 20), np.bool_), model=key)
    with pytest.raises(FillError, match="true and false"):
        Engine().fill(photo, np.ones((20, 30), np.uint8), model=key)  # type: ignore[arg-type]  # the mistake under test


def test_requests_are_checked_before_anything_is_loaded(add_model: AddModel) -> None:
    photo, mask, engine = Photo(smooth(40, 40)), disc(40, 40, center=(20, 20), radius=5), Engine()
    untrained = add_model("Recording", weights=("no-such-file.safetensors",))
    with pytest.raises(CatalogError, match="There is no model 'nothing'"):
        engine.fill(photo, mask, model="nothing")
    with pytest.raises(CatalogError, match="Recording has not been trained yet"):
        engine.fill(photo, mask, model=untrained)
    with pytest.raises(CatalogError, match="no parameter depth"):
        engine.fill(photo, mask, model=untrained, params={"depth": 1}, allow_untrained=True)
    with pytest.raises(CatalogError, match="between 1 and 9"):
        engine.fill(photo, mask, model=untrained, params={"strength": 10}, allow_untrained=True)
    for seed in (-1, 2**63, True):
        with pytest.raises(FillError, match="The seed must be a whole number"):
            engine.fill(photo, mask, model=untrained, seed=seed, allow_untrained=True)
    assert not engine.models.sizes()
    engine.fill(photo, mask, model=untrained, allow_untrained=True)
    assert model_of(engine, untrained).jobs[0].params == {"strength": 3}


@pytest.mark.parametrize(("name", "words"), [("NotANumber", "not numbers"), ("WrongSize", "wrong size")])
def test_results_that_are_no_pictures_are_thrown_away(add_model: AddModel, name: str, words: str) -> None:
    with pytest.raises(FillError, match=words):
        Engine().fill(Photo(smooth(90, 90)), disc(90, 90, center=(40, 40), radius=9), model=add_model(name))


def test_each_group_has_its_own_crop_seed_and_place(add_model: AddModel) -> None:
    key, engine = add_model("Recording"), Engine()
    mask = two_holes()
    result = engine.fill(Photo(smooth(400, 600)), mask, model=key, seed=40)
    model = model_of(engine, key)
    jobs = model.jobs
    assert [job.seed for job in jobs] == [40, 41]
    assert all(max(job.mask.shape) <= 64 for job in jobs)
    assert result.notes["crops"] == 2
    assert result.notes["backbone"] == "none"
    assert [overlay.box for overlay in result.overlays] == [source.box for source in result.sources]
    first, second = result.overlays
    assert first.box.bottom <= second.box.top
    for source in result.sources:
        inside = source.sources[source.sources[..., 0] >= 0]
        assert inside.size
        assert (inside[:, 0] >= source.box.top).all()
        assert (inside[:, 0] < source.box.bottom).all()
        assert (inside[:, 1] >= source.box.left).all()
        assert (inside[:, 1] < source.box.right).all()


def test_other_holes_in_a_crop_are_unknown_to_the_model(add_model: AddModel) -> None:
    key, engine = add_model("Vandal"), Engine()
    mask = np.zeros((900, 900), np.bool_)
    mask[100:400, 100:110] = mask[500:510, 150:500] = True
    pixels = smooth(900, 900)
    hidden = pixels.copy()
    hidden[mask] = 255 - hidden[mask]
    first = engine.fill(Photo(pixels), mask, model=key)
    assert first.notes["crops"] == 2
    second = engine.fill(Photo(hidden), mask, model=key)
    assert np.array_equal(first.photo.pixels, second.photo.pixels)


def test_progress_runs_from_zero_to_one_and_renders_only_when_asked(add_model: AddModel) -> None:
    heard: list[Progress] = []
    previews: list[LivePreview] = []

    def listen(progress: Progress) -> None:
        heard.append(progress)
        preview = progress.render_preview(max_side=100)
        if preview is not None:
            previews.append(preview)

    mask = two_holes()
    Engine().fill(Photo(smooth(400, 600)), mask, model=add_model("Recording"), on_step=listen)
    fractions = [progress.fraction for progress in heard]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {progress.stage for progress in heard} >= {"Area 1 of 2: Thinking", "Area 2 of 2: Thinking", "Done"}
    thinking = next(progress for progress in heard if progress.losses)
    assert (thinking.steps_done, thinking.steps_total, thinking.losses) == (1, 2, {"style": 2.0})
    last = previews[-1]
    assert max(last.rgba.shape[:2]) <= 100
    scale = last.rgba.shape[1] / last.box.width
    opaque = last.rgba[..., 3] == 255
    assert opaque.sum() == pytest.approx(mask.sum() * scale**2, rel=0.5)
    assert previews[0].box.width < last.box.width  # the second area joins the first


def test_previews_go_through_the_profile(add_model: AddModel) -> None:
    red = np.zeros((90, 90, 3), np.uint8)
    red[..., 0] = 255
    seen: list[LivePreview] = []

    def listen(progress: Progress) -> None:
        preview = progress.render_preview()
        if preview is not None:
            seen.append(preview)

    mask = disc(90, 90, center=(45, 45), radius=9)
    Engine().fill(Photo(red, icc=swapped_profile()), mask, model=add_model("Recording"), on_step=listen)
    color = seen[-1].rgba[seen[-1].rgba[..., 3] == 255][0]
    assert color[1] > 200
    assert color[0] < 60


def test_cancelling_passes_through_and_leaves_the_engine_usable(add_model: AddModel) -> None:
    key, engine = add_model("Recording"), Engine()
    photo, mask = Photo(smooth(90, 90)), disc(90, 90, center=(45, 45), radius=9)

    def stop(progress: Progress) -> None:
        if progress.stage == "Thinking":
            raise Cancelled

    with pytest.raises(Cancelled):
        engine.fill(photo, mask, model=key, on_step=stop)
    assert engine.fill(photo, mask, model=key).proof["changed_pixels"] == 0


def test_a_batch_equals_single_fills(add_model: AddModel) -> None:
    key, engine = add_model("Recording"), Engine()
    items = [
        (Photo(noise(120, 100 + 20 * n, 3, seed=n)), disc(120, 100 + 20 * n, center=(50, 50), radius=9))
        for n in range(3)
    ]
    items.append((Photo(smooth(50, 50)), np.zeros((50, 50), np.bool_)))
    heard: set[int] = set()
    together = engine.fill_batch(items, model=key, on_step=lambda progress: heard.add(progress.item))
    assert model_of(engine, key).batches == [3]
    assert heard == {0, 1, 2, 3}
    for (photo, mask), result in zip(items, together, strict=True):
        alone = engine.fill(photo, mask, model=key)
        assert np.array_equal(result.photo.pixels, alone.photo.pixels)


def test_a_small_hole_in_a_huge_photo_costs_little_memory(add_model: AddModel) -> None:
    photo = Photo(np.zeros((6000, 9000, 3), np.uint8))
    mask = disc(6000, 9000, center=(3000, 4000), radius=40)
    key, engine = add_model("Recording"), Engine()
    tracemalloc.start()
    engine.fill(photo, mask, model=key)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * photo.pixels.nbytes  # the result, and less than half as much again


def test_nothing_imports_torch_before_a_model_needs_it() -> None:
    code = (
        "import sys, numpy as np, inpainting.cli;"
        "from inpainting.engine import Engine; from inpainting.imaging import Photo;"
        "mask = np.zeros((40, 40), bool); mask[9, 9] = True;"
        "Engine().fill(Photo(np.zeros((40, 40, 3), np.uint8)), mask, model='telea');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


def test_devices(add_model: AddModel) -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in ("cpu", "cuda")
    with pytest.raises(FillError, match="There is no device 'tpu'"):
        resolve_device("tpu")
    engine = Engine("tpu")  # noticed only when a model needs it: the probes run without torch
    engine.fill(Photo(smooth(90, 90)), disc(90, 90, center=(45, 45), radius=9), model=add_model("Recording"))
