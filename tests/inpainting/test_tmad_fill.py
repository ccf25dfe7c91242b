"""T-MAD behind the engine's interface, and its patch network after other models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inpainting.catalog import get_entry
from inpainting.models.base import BoolMask, Cancelled, FillError, FloatImage, Step
from inpainting.models.tmad import TMAD, TMADConfig, TMADFill, octaves
from inpainting.models.tmad.octaves import COARSE_DEPTH, doubled, halved, hole_area, octaves_down
from inpainting.models.tmad.overlays import enlarged_sources
from inpainting.models.tmad.refiner import PatchRefiner, RefineTask
from tests.inpainting.tmad_scenes import TINY, assert_sound, box, job, photo


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> TMADFill:
    filler = TMADFill(get_entry("tmad"))
    torch.manual_seed(0)
    filler.refiner = PatchRefiner(TMAD(TINY))
    return filler


@pytest.mark.parametrize("tiling", ["grid", "overlap"])
@pytest.mark.parametrize(
    "mask",
    [
        box(33, 47, 10, 20, 25, 30),
        box(70, 17, 0, 0, 9, 17),
        box(5, 9, 1, 2, 3, 4),
        box(1, 40, 0, 30, 1, 40),
        box(3, 3, 1, 1, 2, 2),
        box(64, 96, 31, 31, 32, 32),
        box(65, 64, 60, 0, 65, 64),
        box(50, 80, 0, 0, 12, 12) | box(50, 80, 45, 70, 50, 80) | box(50, 80, 20, 40, 21, 60),
    ],
    ids=["odd", "narrow", "tiny", "one-row", "three", "one-pixel", "border", "several"],
)
def test_any_size_and_any_hole(model: TMADFill, mask: BoolMask, tiling: str) -> None:
    crop = job(mask, tiling=tiling)
    assert_sound(model.fill(crop), crop)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 75), st.integers(1, 75), st.floats(0.01, 0.9), st.integers(0, 99))
def test_random_holes(height: int, width: int, share: float, seed: int) -> None:
    torch.manual_seed(0)
    filler = TMADFill(get_entry("tmad"))
    filler.refiner = PatchRefiner(TMAD(TINY))
    mask = np.random.default_rng(seed).random((height, width)) < share
    if mask.all():
        mask[0, 0] = False
    crop = job(mask)
    if mask.all():
        with pytest.raises(FillError):
            filler.fill(crop)
        return
    assert_sound(filler.fill(crop), crop)


def test_no_hole_returns_the_photo(model: TMADFill) -> None:
    crop = job(np.zeros((40, 50), dtype=np.bool_))
    assert np.array_equal(model.fill(crop).image, crop.image)


def test_nothing_known_is_refused(model: TMADFill) -> None:
    with pytest.raises(FillError, match="whole picture is masked"):
        model.fill(job(np.ones((40, 50), dtype=np.bool_)))


def test_too_little_known_keeps_the_coarse_result(model: TMADFill) -> None:
    mask = np.ones((96, 96), dtype=np.bool_)
    mask[:, :5] = False
    output = model.fill(job(mask))
    assert "coarse result" in output.notes["fallback"]
    assert output.sources is None
    assert [overlay.name for overlay in output.overlays] == ["coarse"]
    assert_sound(output, job(mask))


def test_seed_decides_the_memory_and_nothing_else_does(model: TMADFill) -> None:
    mask = box(256, 256, 100, 100, 150, 150)

    def filled(seed: int, memory: str = "sampled") -> FloatImage:
        return model.fill(job(mask, seed=seed, memory=memory)).image

    assert np.array_equal(filled(3), filled(3))
    assert not np.array_equal(filled(3), filled(4))
    assert np.array_equal(filled(3, "dense"), filled(4, "dense"))


def test_batch_equals_single_fills(model: TMADFill) -> None:
    jobs = [
        job(box(64, 64, 20, 20, 45, 45), seed=1),
        job(box(64, 64, 0, 0, 30, 20), seed=2, tiling="overlap"),
        job(np.zeros((20, 20), dtype=np.bool_)),
        job(box(90, 41, 20, 20, 45, 41), seed=1, memory="dense"),
        job(box(420, 400, 60, 60, 350, 350), seed=5),
    ]
    for together, single in zip(model.fill_batch(jobs), jobs, strict=True):
        alone = model.fill(single)
        np.testing.assert_allclose(together.image, alone.image, atol=1e-5)
        assert together.notes == alone.notes
        if single.mask.any():
            assert np.array_equal(together.sources, alone.sources)


@pytest.mark.parametrize("retrieval", ["topk", "weighted"])
@pytest.mark.parametrize("tiling", ["grid", "overlap"])
def test_number_of_patches_at_once_does_not_matter(tiling: Any, retrieval: Any) -> None:
    torch.manual_seed(0)
    network = TMAD(TMADConfig(**{name: getattr(TINY, name) for name in TINY.__slots__} | {"retrieval": retrieval}))
    image = torch.from_numpy(photo(100, 128)).permute(2, 0, 1)[None] * 2 - 1
    mask = torch.from_numpy(box(100, 128, 10, 20, 70, 90))[None, None].float()
    results = [
        PatchRefiner(network, patch_batch=count).refine([RefineTask(image, mask, tiling=tiling)])[0].image
        for count in (1, 7, 1000)
    ]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], atol=1e-5, rtol=0)


def test_refining_in_one_go_equals_the_network_of_training() -> None:
    """The chunked path of inference against `TMAD.forward`."""
    torch.manual_seed(0)
    network = TMAD(TINY).eval()
    image = torch.from_numpy(photo(96, 128)).permute(2, 0, 1)[None] * 2 - 1
    mask = torch.from_numpy(box(96, 128, 10, 20, 70, 90))[None, None].float()
    with torch.no_grad():
        whole = network(image, mask, generator=torch.Generator().manual_seed(7))
    composite = whole.composite.clamp(-1, 1)
    assert torch.equal(composite, whole.composite), "the coarse result of this seed must lie in range"
    refined = PatchRefiner(network).refine([RefineTask(composite, mask, seed=7, tiling="grid")])[0]
    torch.testing.assert_close(refined.image, whole.result.clamp(-1, 1), atol=1e-5, rtol=0)


def test_twin_of_the_hole_is_retrieved(model: TMADFill) -> None:
    image = photo(128, 192)
    image[32:64, 96:128] = image[64:96, 16:48]
    mask = torch.from_numpy(box(128, 192, 40, 100, 60, 120))[None, None].float()
    composite = torch.from_numpy(image).permute(2, 0, 1)[None] * 2 - 1
    refined = model.refiner.refine([RefineTask(composite, mask, selection="dense", tiling="grid")])[0]
    assert refined.cells.tolist() == [[0, 32, 96]]
    assert refined.memory.windows[refined.retrieved[0, 0]].tolist() == [0, 64, 16]


@pytest.mark.parametrize("tiling", ["grid", "overlap"])
def test_sources_lead_from_every_hole_pixel_into_the_known_region(model: TMADFill, tiling: str) -> None:
    mask = box(150, 170, 50, 60, 97, 108)
    output = model.fill(job(mask, tiling=tiling))
    sources: NDArray[np.int32] | None = output.sources
    assert sources is not None
    assert sources.dtype == np.int32
    assert (sources[~mask] == -1).all()
    rows, columns = sources[mask].T
    assert (rows >= 0).all()
    assert not mask[rows, columns].any()
    # All pixels of a cell move together.
    step = sources[65, 97:107] - sources[65, 96:106] if tiling == "grid" else sources[64, 81:87] - sources[64, 80:86]
    assert (step == [0, 1]).all()
    assert output.source_patch == 32


def test_places_inside_the_hole_are_no_sources(model: TMADFill) -> None:
    mask = box(96, 96, 20, 20, 70, 70)
    output = model.fill(job(mask))
    assert output.notes["memory_hole_share"] > 0
    assert output.sources is not None
    rows, columns = output.sources[mask].T
    found = rows >= 0
    assert 0 < found.sum() < found.size
    assert not mask[rows[found], columns[found]].any()


def test_overlays_show_the_stages(model: TMADFill) -> None:
    mask = box(200, 240, 40, 50, 80, 90)
    crop = job(mask, tiling="grid")
    output = model.fill(crop)
    overlays = {overlay.name: overlay.image for overlay in output.overlays}
    assert list(overlays) == ["coarse", "retrieved", "memory"]
    for picture in overlays.values():
        assert picture.shape == (200, 240, 3)
        assert picture.dtype == np.uint8
    assert np.array_equal(overlays["coarse"][~mask], np.rint(crop.image[~mask] * 255).astype(np.uint8))
    assert output.sources is not None
    shown = overlays["retrieved"][70, 70].astype(int)
    there = np.rint(crop.image[tuple(output.sources[70, 70])] * 255).astype(int)
    assert np.abs(shown - there).max() <= 1


# Large holes


def test_octaves_bring_the_deepest_pixel_into_reach() -> None:
    for size, depth in ((300, 40), (600, 200), (1000, 400)):
        mask = box(size, size, size // 2 - depth, size // 2 - depth, size // 2 + depth, size // 2 + depth)
        octaves = octaves_down(mask)
        assert depth / 2**octaves <= COARSE_DEPTH
        assert octaves == 0 or depth / 2 ** (octaves - 1) > COARSE_DEPTH
    assert octaves_down(box(3000, 1500, 10, 10, 12, 12)) == 2


def test_halving_looks_at_known_pixels_only() -> None:
    torch.manual_seed(0)
    image, mask = torch.rand(1, 3, 7, 9), (torch.rand(1, 1, 7, 9) < 0.5).float()
    mask[..., :4, :4] = 1
    small, small_mask = halved(image, mask)
    other, _ = halved(torch.where(mask > 0.5, torch.full_like(image, 9.0), image), mask)
    assert torch.equal(small, other)
    assert small.shape == (1, 3, 4, 5)
    for row in range(4):
        for column in range(5):
            part = (..., slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))
            known = image[part].flatten(2)[..., mask[part].flatten() == 0]
            assert bool(small_mask[0, 0, row, column]) == (known.shape[-1] == 0)
            if known.shape[-1]:
                torch.testing.assert_close(small[0, :, row, column], known.mean(-1)[0])
    constant, _ = halved(torch.full((1, 3, 7, 9), 0.5), mask)
    up = doubled(constant * (1 - small_mask) + 0.5 * small_mask, 7, 9)
    torch.testing.assert_close(up, torch.full((1, 3, 7, 9), 0.5))


@pytest.mark.parametrize(("height", "width"), [(16, 18), (7, 9), (5, 4)])
def test_doubling_an_area_equals_that_part_of_the_whole(height: int, width: int) -> None:
    image = torch.rand(1, 3, (height + 1) // 2, (width + 1) // 2, generator=torch.Generator().manual_seed(1))
    whole = doubled(image, height, width)
    for top, left, bottom, right in ((0, 0, height, width), (0, 1, 2, 3), (2, 3, height, width), (1, 0, 4, 4)):
        part = doubled(image, height, width, (top, left, bottom, right))
        torch.testing.assert_close(part, whole[:, :, top:bottom, left:right])


def test_halving_some_rows_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    image, mask = torch.rand(1, 3, 13, 9), (torch.rand(1, 1, 13, 9) < 0.6).float()
    at_once = halved(image, mask)
    monkeypatch.setattr(octaves, "ROWS", 4)
    in_parts = halved(image, mask)
    assert torch.equal(at_once[0], in_parts[0])
    assert torch.equal(at_once[1], in_parts[1])


def test_the_area_of_a_hole_is_its_bounding_box() -> None:
    mask = torch.zeros(1, 1, 9, 12)
    assert hole_area(mask) == (0, 0, 0, 0)
    mask[0, 0, 8, 3] = mask[0, 0, 2, 11] = 1
    assert hole_area(mask) == (2, 3, 9, 12)


@pytest.mark.parametrize("detail", ["full", "working"])
def test_large_holes_go_through_the_octaves(model: TMADFill, detail: str) -> None:
    mask = box(501, 620, 100, 100, 401, 520)
    stages: list[str] = []
    crop = job(mask, detail=detail, on_step=lambda step: stages.append(step.stage))
    output = model.fill(crop)
    assert_sound(output, crop)
    assert output.notes["octaves"] == 1
    assert "blending at 1/2 size" in stages
    assert ("blending" in stages) == (detail == "full")
    assert output.source_patch == (32 if detail == "full" else 64)
    assert output.sources is not None
    # At half size a pixel counts as known when one of its four is: the hole's rim has no source then.
    rows, columns = output.sources[102:399, 102:518].reshape(-1, 2).T
    found = rows >= 0
    assert found.mean() > 0.8
    assert not mask[rows[found], columns[found]].any()


@pytest.mark.parametrize("detail", ["full", "working"])
def test_scratch_that_vanishes_at_the_coarse_scale(model: TMADFill, detail: str) -> None:
    mask = np.zeros((1100, 240), dtype=np.bool_)
    mask[np.arange(1100), 100 + np.arange(1100) // 20] = True
    assert octaves_down(mask) == 1
    stages: list[str] = []
    crop = job(mask, detail=detail, on_step=lambda step: stages.append(step.stage))
    crop.image[~mask] = 0.25
    output = model.fill(crop)
    assert_sound(output, crop)
    assert stages[0] == "coarse"
    assert "blending" in stages
    # The estimate is made of what lies beside the scratch.
    coarse = {overlay.name: overlay.image for overlay in output.overlays}["coarse"]
    assert set(np.unique(coarse)) == {64}
    assert output.notes["cells"] >= 1100 // 32


def test_sources_are_enlarged_pixel_by_pixel() -> None:
    sources = np.array([[[1, 0], [-1, -1]], [[0, 1], [3, 3]]], dtype=np.int32)
    mask = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0]], dtype=np.bool_)
    large = enlarged_sources(sources, 2, mask)
    assert large[..., 0].tolist() == [[-1, 2, -1], [-1, 2, -1], [0, -1, -1]]
    assert large[..., 1].tolist() == [[-1, 1, -1], [-1, 1, -1], [2, -1, -1]]


# Signs of life


def test_steps_go_forward_and_name_the_stages(model: TMADFill) -> None:
    steps: list[Step] = []
    model.fill(job(box(420, 400, 60, 60, 350, 350), on_step=steps.append, tiling="grid"))
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    stages = [step.stage for step in steps]
    assert stages[0] == "coarse"
    assert stages[-1] == "done"
    for stage in ("memory", "retrieve", "blending"):
        assert stage in stages
    counted = [step for step in steps if step.stage == f"patches {step.steps_done}/{step.steps_total}"]
    assert counted[-1].steps_done == counted[-1].steps_total == 100
    previews = [step.preview for step in steps if step.preview is not None]
    assert previews
    assert all(preview.shape == (420, 400, 3) for preview in previews)


@pytest.mark.parametrize("where", ["coarse", "memory", "retrieve", "patches", "blending"])
def test_cancelling_stops_at_every_stage(model: TMADFill, where: str) -> None:
    seen: list[str] = []

    def stop(step: Step) -> None:
        seen.append(step.stage)
        if step.stage.startswith(where):
            raise Cancelled

    with pytest.raises(Cancelled):
        model.fill(job(box(128, 128, 30, 30, 100, 100), on_step=stop))
    assert seen[-1].startswith(where)


def test_damaged_weights_do_not_make_a_picture() -> None:
    torch.manual_seed(0)
    filler = TMADFill(get_entry("tmad"))
    with torch.no_grad():
        filler.refiner.network.coarse.out.bias.fill_(float("nan"))
    with pytest.raises(FillError, match="not finite"):
        filler.fill(job(box(40, 40, 10, 10, 20, 20)))
    filler = TMADFill(get_entry("tmad"))
    with torch.no_grad():
        filler.refiner.network.psnet.out.bias.fill_(float("inf"))
        filler.refiner.network.psnet.out.weight.fill_(float("nan"))
    with pytest.raises(FillError, match="not finite"):
        filler.fill(job(box(40, 40, 10, 10, 20, 20)))
