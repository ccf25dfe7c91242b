"""Texture synthesis by Gramians: its parts against the plain transcription, and the model through the engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from inpainting.backbones.vgg import random_vgg19
from inpainting.catalog import get_entry
from inpainting.engine import Cancelled, Engine
from inpainting.evaluation.metrics import psnr
from inpainting.imaging import Photo
from inpainting.imaging.context import Box
from inpainting.layers.gram_statistics import Statistics
from inpainting.layers.lbfgs import LBFGSState
from inpainting.models.base import BoolMask, FillError, FillInput, FillOutput, Step
from inpainting.models.gram import GramFill
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.fill import GREY, TAPS, TOO_SMALL
from inpainting.models.gram.layout import lattice, non_overlapping, plan_layout
from inpainting.models.gram.reference import ReferenceTexture
from inpainting.models.gram.start import copied_start
from inpainting.models.gram.synthesis import Branch, PatchLoss, PatchProblem, Surroundings, synthesise
from inpainting.models.gram.variables import PyramidVariables
from inpainting.results import Progress
from tests.inpainting import gram_reference as plain
from tests.inpainting.pictures import disc, noise, smooth, texture

ENTRY = get_entry("gram")
MODEL = GramFill(ENTRY)
ENGINE = Engine("cpu")
QUICK = {"width": "quarter", "fine_iterations": 6}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    plain.one_thread()


def rectangle(shape: tuple[int, int], box: Box) -> BoolMask:
    hole = np.zeros(shape, np.bool_)
    hole[box.slices] = True
    return hole


def run(pixels: NDArray[Any], hole: BoolMask, on_step: Any = lambda step: None, **params: Any) -> FillOutput:
    image = pixels.astype(np.float32) / 255.0
    image[hole] = 0
    return MODEL.fill(FillInput(image, hole, ENTRY.parse_params(QUICK | params), 0, on_step))


def quarter(taps: tuple[str, ...] = TAPS) -> Backbone:
    return Backbone(random_vgg19(taps, width=0.25), taps, False, "test")


def space_of(picture: torch.Tensor) -> ColourSpace:
    return ColourSpace.of(picture, torch.zeros_like(picture[:, :1]).bool())


def picture_of(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255.0).permute(2, 0, 1)[None]


# Plans


def test_the_papers_hole_takes_nine_patches_and_two_poolings() -> None:
    """512² in 2048²: patches of 256 from 64 before the hole, 192 apart; a pooled window of 1024."""
    plan = plan_layout(rectangle((2048, 2048), Box(768, 768, 1280, 1280)))
    assert [(box.top, box.left) for box in plan.patches] == [(y, x) for y in (704, 896, 1088) for x in (704, 896, 1088)]
    assert {(box.width, box.height) for box in plan.patches} == {(256, 256)}
    assert plan.poolings == 2
    assert plan.window.left <= 704
    assert plan.window.right >= 1344
    assert plan.window.width >= 1024


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ((512, 512), Box(192, 192, 320, 320)),
        ((700, 600), Box(0, 100, 599, 180)),
        ((333, 777), Box(500, 0, 777, 333)),
        ((97, 130), Box(0, 48, 130, 49)),
        ((20, 9), Box(4, 4, 5, 5)),
    ],
)
def test_patches_cover_the_hole_inside_the_picture(shape: tuple[int, int], box: Box) -> None:
    hole = rectangle(shape, box)
    plan = plan_layout(hole)
    covered = np.zeros_like(hole)
    for patch in plan.patches:
        assert 0 <= patch.left < patch.right <= shape[1]
        assert 0 <= patch.top < patch.bottom <= shape[0]
        assert patch.left % 16 == patch.top % 16 == 0
        covered[patch.slices] = True
    assert covered[hole].all()
    if max(box.width, box.height) <= 192:
        assert len(plan.patches) == 1
        assert plan.poolings == 0


def test_a_checkerboard_never_touches_itself() -> None:
    plan = plan_layout(rectangle((2048, 2048), Box(768, 768, 1280, 1280)))
    groups = non_overlapping(plan.patches, together=True)
    assert len(groups) == 4
    assert sorted(box for group in groups for box in group) == sorted(plan.patches)
    for group in groups:
        sheet = np.zeros((2048, 2048), np.int64)
        for box in group:
            sheet[box.slices] += 1
        assert sheet.max() == 1
    assert [len(group) for group in non_overlapping(plan.patches, together=False)] == [1] * len(plan.patches)


def test_the_lattice_avoids_the_hole() -> None:
    hole = rectangle((2048, 2048), Box(768, 768, 1280, 1280))
    windows = lattice(hole.shape, (256, 256), hole, 64)
    assert len(windows) == 29**2 - 11**2
    assert not any(hole[window.slices].any() for window in windows)


# Parts against the plain transcription


def test_the_loss_is_the_papers() -> None:
    """Detail, global and boundary terms of two patches at once equal the plain sums of each alone."""
    taps = ("relu1_1", "pool1", "pool2")
    photo = picture_of(noise(128, 128, 3))
    space, backbone = space_of(photo), quarter(taps)
    colours = space.encode(photo)
    backbone = backbone.calibrated(colours, space)
    boxes = [Box(16, 16, 48, 48), Box(64, 32, 96, 64)]
    starts = torch.cat([colours[..., box.top : box.bottom, box.left : box.right] for box in boxes])
    moved = starts + 0.1 * torch.randn(starts.shape, generator=torch.Generator().manual_seed(1))
    held = (torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(2)) > 0.5).float()
    window = F.avg_pool2d(colours, 2)
    corners = tuple((box.top // 2, box.left // 2) for box in boxes)
    wanted_detail = backbone.features(colours[..., 96:128, 96:128], space)
    wanted_global = backbone.features(window.flip(3), space)
    detail, overview = (
        Statistics.of(taps, [tap.expand(2, -1, -1, -1) for tap in wanted]) for wanted in (wanted_detail, wanted_global)
    )
    problem = PatchProblem(
        start=starts,
        movable=torch.ones_like(held),
        bound=held,
        detail=Branch(detail, 1.0, None, taps),
        overview=Branch(overview, 0.05, None, taps),
        surroundings=Surroundings(window.expand(2, -1, -1, -1), corners, 1),
        boundary_weight=10.0,
    )
    loss = PatchLoss(problem, backbone, space)
    found = loss(moved)
    within = space.decode(moved)
    excess = 1e5 * (within - within.clamp(0, 1)).square().flatten(1).mean(1)

    def network(picture: torch.Tensor) -> list[torch.Tensor]:
        return backbone.features(picture, space)

    for index, corner in enumerate(corners):
        one = slice(index, index + 1)
        expected = plain.total_loss(
            moved[one],
            starts[one],
            held[one],
            window,
            corner,
            1,
            (wanted_detail, wanted_global),
            (network, network),
            taps,
            (1.0, 0.05, 10.0),
            space.decode,
        )
        assert float(found[index] - excess[index]) == pytest.approx(expected, rel=2e-3)
    assert set(loss.terms) == {"detail", "global", "boundary"}


def test_the_gradient_through_both_branches_is_that_of_finite_differences() -> None:
    taps = ("relu1_1", "pool1")
    photo = picture_of(noise(48, 48, 3))
    space = space_of(photo)
    space = ColourSpace(space.mean.double(), space.forward.double(), space.backward.double())
    network = random_vgg19(taps, width=0.1).double()
    backbone = Backbone(network, taps, False, "test")
    colours = space.encode(photo.double())
    start = colours[..., :16, :16]
    reference = Statistics.of(taps, backbone.features(colours[..., 16:, 16:], space))
    problem = PatchProblem(
        start=start,
        movable=torch.ones_like(start[:, :1]),
        bound=torch.ones_like(start[:, :1]),
        detail=Branch(reference, 1.0, None, taps),
        overview=Branch(reference, 0.5, None, taps),
        surroundings=Surroundings(F.avg_pool2d(colours, 2), ((8, 4),), 1),
        boundary_weight=1.0,
        shading_weight=1.0,
    )
    loss = PatchLoss(problem, backbone, space)
    point = (start + 0.2).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(point).sum(), point)
    direction = torch.randn(point.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    step = 1e-5
    with torch.no_grad():
        slope = (loss(point + step * direction) - loss(point - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(slope), rel=1e-4)


def test_the_look_up_finds_the_true_source_as_the_plain_one_does() -> None:
    """A patch with a hole that is a copy of the window at (0, 64); candidates are slices of one pass."""
    taps = ("relu1_1", "pool1", "pool2")
    picture = picture_of(noise(128, 192, 3))
    picture = F.interpolate(picture[..., ::4, ::4], scale_factor=4, mode="bicubic").clamp(0, 1)
    picture[..., 64:, 128:] = picture[..., :64, 64:128]
    hole = rectangle((128, 192), Box(144, 80, 176, 112))
    picture[..., torch.from_numpy(hole)] = 0.5
    space = ColourSpace.of(picture, torch.from_numpy(hole)[None, None])
    backbone = quarter(taps).calibrated(space.encode(picture), space)
    colours = space.encode(picture)
    mask = torch.from_numpy(hole)[None, None].float()
    source = ReferenceTexture(backbone, space, colours, mask)
    patch = colours[..., 64:, 128:]
    found = source.look_up(backbone.features(patch, space), (64, 64), mask[..., 64:, 128:])
    assert found == Box(64, 0, 128, 64)
    best = plain.best_window(colours, hole, (64, 128), 64, lambda each: backbone.features(each, space), taps)
    assert best == (0, 64)


def test_without_a_free_window_the_whole_known_region_is_the_reference() -> None:
    picture = picture_of(texture(80, 80))
    hole = rectangle((80, 80), Box(30, 30, 50, 50))
    space, mask = space_of(picture), torch.from_numpy(hole)[None, None].float()
    backbone = quarter()
    source = ReferenceTexture(backbone, space, space.encode(picture), mask)
    found = source.look_up(backbone.features(space.encode(picture), space), (80, 80), mask)
    assert found is None
    statistics = source.known_region()
    other = torch.where(mask > 0, torch.rand(1, 3, 80, 80), space.encode(picture))
    again = ReferenceTexture(backbone, space, other, mask).known_region()
    assert again.taps == statistics.taps
    torch.testing.assert_close(again.gramians[0], statistics.gramians[0])


def test_embedding_puts_the_pooled_patch_into_its_window() -> None:
    photo = torch.rand(1, 3, 64, 96)
    surroundings = Surroundings(F.avg_pool2d(photo, 4), ((4, 8),), 2)
    patch = photo[..., 16:48, 32:64]
    torch.testing.assert_close(surroundings.embed(patch), F.avg_pool2d(photo, 4))
    changed = surroundings.embed(patch + 1)[0] - F.avg_pool2d(photo, 4)[0]
    expected = torch.zeros(3, 16, 24)
    expected[:, 4:12, 8:16] = 1
    torch.testing.assert_close(changed, expected)


def test_colours_are_whitened_and_come_back() -> None:
    photo = picture_of(noise(40, 40, 3))
    space = space_of(photo)
    flat = space.encode(photo)[0].flatten(1)
    assert flat.mean(1).abs().max() < 1e-3
    assert (flat @ flat.T / flat.shape[1] - torch.eye(3)).abs().max() < 0.1
    torch.testing.assert_close(space.decode(space.encode(photo)), photo, atol=1e-5, rtol=0)


def test_pyramid_variables_reach_every_picture_and_move_nothing_else() -> None:
    base, movable = torch.rand(1, 3, 33, 20), torch.zeros(1, 1, 33, 20)
    movable[..., 4:20, 3:11] = 1
    variables = PyramidVariables(base, movable)
    start = variables.start()
    torch.testing.assert_close(variables.pictures(start), base)
    target = torch.rand(1, 3, 33, 20)
    start[:, : 3 * 33 * 20] = (target - base).flatten(1)
    torch.testing.assert_close(variables.pictures(start), torch.where(movable > 0, target, base))
    assert variables.pictures(torch.randn_like(start))[..., :3].equal(base[..., :3])


def test_synthesis_lowers_the_loss_and_keeps_what_may_not_move() -> None:
    photo = picture_of(texture(96, 96))
    space = space_of(photo)
    colours = space.encode(photo)
    backbone = quarter(("relu1_1", "pool1", "pool2")).calibrated(colours, space)
    reference = Statistics.of(backbone.taps, backbone.features(colours[..., :48, :48], space))
    movable = torch.zeros(1, 1, 48, 48)
    movable[..., 12:36, 12:36] = 1
    start = torch.where(movable > 0, 0.0, colours[..., :48, :48])
    problem = PatchProblem(start, movable, 1 - movable, Branch(reference, 1.0, None, backbone.taps), None, None, 10.0)
    heard: list[int] = []

    def listen(state: LBFGSState, pictures: torch.Tensor, terms: Any) -> None:
        heard.append(max(state.iterations))
        assert pictures.shape == start.shape
        assert terms["boundary"] == 0

    made, result = synthesise(problem, backbone, space, iterations=25, on_evaluation=listen)
    assert float(result.values) < 0.05 * float(result.first_values)
    assert made[(movable == 0).expand_as(made)].equal(start[(movable == 0).expand_as(made)])
    rgb = space.decode(made)
    assert (rgb - rgb.clamp(0, 1)).abs().mean() < 0.005
    assert heard == sorted(heard)


def test_copied_pieces_continue_a_pattern_exactly() -> None:
    pixels = texture(96, 120, period=10).astype(np.float32) / 255.0
    hole = disc(96, 120, center=(48, 60), radius=14)
    image = np.where(hole[..., None], np.float32(0), pixels)
    calls: list[None] = []
    filled, sources = copied_start(image, hole, 0, lambda: calls.append(None))
    ys, xs = np.nonzero(hole)
    from_y, from_x = sources[ys, xs].T
    assert not hole[from_y, from_x].any()
    assert (sources[~hole] == -1).all()
    assert np.abs(filled - pixels).max() < 0.02
    assert calls


def test_what_has_no_source_is_a_membrane() -> None:
    image = np.full((6, 6, 3), 0.25, np.float32)
    hole = rectangle((6, 6), Box(1, 1, 6, 6))
    image[hole] = 0
    np.testing.assert_allclose(copied_start(image, hole, 0, lambda: None)[0], 0.25, atol=1e-4)


# The model


def test_a_periodic_texture_is_continued_better_than_telea() -> None:
    pixels = texture(224, 224, period=24)
    hole = rectangle((224, 224), Box(92, 92, 132, 132))
    made = np.rint(run(pixels, hole, fine_iterations=30).image * 255).astype(np.uint8)
    smooth_fill = ENGINE.fill(Photo(pixels), hole, model="telea").photo.pixels
    inside = Box(92, 92, 132, 132).slices
    ours, theirs = psnr(pixels[inside], made[inside]), psnr(pixels[inside], smooth_fill[inside])
    assert ours > 30
    assert ours > theirs + 15


@pytest.mark.parametrize("start", ["copy", "patchmatch", "telea", "mean"])
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
    assert "coarse, iteration 3/3" in stages
    assert "fine 1/2 patches, iteration 2/2" in stages
    assert "fine 2/2 patches, iteration 2/2" in stages
    assert (output.notes["patches"], output.notes["poolings"]) == (2, 1)
    assert {"detail", "global", "boundary"} <= set(steps[-2].losses or {})
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    coarse = next(overlay for overlay in output.overlays if overlay.name == "coarse")
    spread = np.ptp(coarse.image[hole].astype(int), axis=1)
    assert spread.max() <= 1  # grey, up to the rounding of the colour space
    assert sum(GREY) == pytest.approx(1, abs=1e-3)
    assert {overlay.name for overlay in output.overlays} == {"start", "coarse", "references"}


def test_patches_in_checkerboard_order_fill_the_hole_too() -> None:
    pixels, hole = texture(128, 512, period=24), rectangle((128, 512), Box(8, 60, 504, 70))
    steps: list[Step] = []
    output = run(pixels, hole, steps.append, order="checkerboard", fine_iterations=2)
    assert output.notes["patches"] == 3
    assert "fine 2/2 patches, iteration 2/2" in [step.stage for step in steps]
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
    monkeypatch.setattr("inpainting.models.gram.fill.PREVIEW_SECONDS", 0.0)
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
