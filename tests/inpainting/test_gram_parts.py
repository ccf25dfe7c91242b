"""Parts of texture synthesis by Gramians: layout, losses, look-up and start against the plain transcription."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from inpainting.backbones.vgg import random_vgg19
from inpainting.imaging.context import Box
from inpainting.layers.gram_statistics import Statistics
from inpainting.layers.lbfgs import LBFGSState
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.layout import lattice, non_overlapping, plan_layout
from inpainting.models.gram.reference import ReferenceTexture
from inpainting.models.gram.start import GOOD_FIT, copied_start, joined_to_edge, noise_start
from inpainting.models.gram.synthesis import (
    FINE_LEVEL_WEIGHT,
    RANGE_WEIGHT,
    Branch,
    PatchLoss,
    PatchProblem,
    Surroundings,
    synthesise,
)
from inpainting.models.gram.variables import PyramidVariables
from tests.inpainting import gram_reference as plain
from tests.inpainting.gram_scenes import picture_of, quarter, rectangle, space_of
from tests.inpainting.pictures import disc, noise, smooth, texture


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    plain.one_thread()


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


def test_poolings_can_be_chosen_as_far_as_the_photo_has_room() -> None:
    hole = rectangle((512, 512), Box(200, 200, 240, 240))
    assert [plan_layout(hole, wanted).poolings for wanted in (None, 1, 3)] == [0, 1, 3]
    assert plan_layout(rectangle((70, 90), Box(30, 30, 40, 40)), 3).poolings == 1


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
    excess = RANGE_WEIGHT * (within - within.clamp(0, 1)).square().flatten(1).mean(1)

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


def test_matrix_products_and_loops_of_the_transcription_agree() -> None:
    taps = ("relu1_1", "pool1")
    first, second = (quarter(taps).network.features_of(picture_of(noise(18, 22, 3, seed=k)) - 0.5) for k in (1, 2))
    wanted = [plain.shifted_gramians(tap, plain.DELTA[name]) for tap, name in zip(second, taps, strict=True)]
    arrays = [[tap[0].double().numpy() for tap in each] for each in (first, second)]
    expected = plain.texture_loss(*arrays, taps)
    assert float(plain.differentiable_loss(first, wanted, taps)) == pytest.approx(expected, rel=1e-4)


def test_the_model_gets_as_low_as_the_transcription() -> None:
    """The same patch, reference and number of evaluations: within 10 % of SciPy's L-BFGS-B, by the plain loss."""
    taps = ("relu1_1", "pool1", "pool2")
    photo = 0.25 + 0.5 * picture_of(texture(64, 128, period=16))  # away from black and white, where bounds differ
    space = space_of(photo)
    backbone = quarter(taps).calibrated(space.encode(photo), space)
    reference, truth = photo[..., 64:], photo[..., :64]
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 20:44, 18:40] = 1.0
    start = torch.where(hole > 0, truth.mean((2, 3), keepdim=True), truth)

    def network(picture: torch.Tensor) -> list[torch.Tensor]:
        return backbone.features(space.encode(picture), space)

    with torch.no_grad():
        names = zip(network(reference), taps, strict=True)
        wanted = [plain.shifted_gramians(tap, plain.DELTA[name]) for tap, name in names]

    def loss(picture: torch.Tensor) -> float:
        moved = (1.0 - hole) * (picture - start) * 255.0
        return float(plain.differentiable_loss(network(picture), wanted, taps) + 10.0 * moved.square().mean())

    theirs, evaluations = plain.optimise_patch(start, 1.0 - hole, reference, network, taps, 25)
    problem = PatchProblem(
        start=space.encode(start),
        movable=torch.ones_like(hole),
        bound=1.0 - hole,
        detail=Branch(Statistics.of(taps, network(reference)), 1.0, None, taps),
        overview=None,
        surroundings=None,
        boundary_weight=10.0,
        level_weight=FINE_LEVEL_WEIGHT,
        good_enough=0.0,
    )
    made, result = synthesise(problem, backbone, space, iterations=evaluations - 1, on_evaluation=lambda *_: None)
    mine = space.decode(made).clamp(0.0, 1.0)
    assert result.evaluations <= evaluations + 3
    assert loss(theirs) < 0.05 * loss(start)
    assert loss(mine) < 1.1 * loss(theirs)


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
    filled, sources, misfit = copied_start(image, hole, 0, lambda: calls.append(None))
    ys, xs = np.nonzero(hole)
    from_y, from_x = sources[ys, xs].T
    assert not hole[from_y, from_x].any()
    assert (sources[~hole] == -1).all()
    assert np.abs(filled - pixels).max() < 0.02
    assert misfit < GOOD_FIT
    assert calls


def test_a_copy_that_does_not_fit_is_joined_to_the_edge() -> None:
    """Noise on a ramp: the copied piece meets the known pixels only in what is made anew between them."""
    ramp = np.linspace(0.1, 0.9, 120, dtype=np.float32)
    random = np.random.default_rng(0)
    pixels = (ramp[:, None, None] + random.normal(0, 0.03, (120, 120, 3))).clip(0, 1).astype(np.float32)
    hole = rectangle((120, 120), Box(40, 40, 80, 80))
    copied = np.where(hole[..., None], np.float32(0.5), pixels)
    sources = np.full((120, 120, 2), -1, np.int32)
    sources[hole] = np.argwhere(hole) + np.array([0, 40])
    shares: list[float] = []
    joined, found = joined_to_edge(copied, sources, hole, 0, shares.append)
    inner = rectangle((120, 120), Box(50, 50, 70, 70))
    band = hole & ~inner
    assert np.array_equal(joined[~band], copied[~band])
    assert np.array_equal(found[inner], sources[inner])
    assert not hole[tuple(found[band][found[band][:, 0] >= 0].T)].any()
    assert (found[band] >= 0).mean() > 0.9
    assert shares == sorted(shares)

    def step(picture: Any) -> float:
        return float(np.abs(picture[40, 40:80] - picture[39, 40:80]).mean())

    assert step(joined) < 0.5 * step(copied)
    narrow = rectangle((120, 120), Box(40, 40, 80, 44))
    assert joined_to_edge(copied, sources, narrow, 0, shares.append)[0] is copied


def test_what_has_no_source_is_a_membrane() -> None:
    image = np.full((6, 6, 3), 0.25, np.float32)
    hole = rectangle((6, 6), Box(1, 1, 6, 6))
    image[hole] = 0
    np.testing.assert_allclose(copied_start(image, hole, 0, lambda: None)[0], 0.25, atol=1e-4)


def test_noise_begins_with_the_photos_own_spread_of_colours() -> None:
    photo, hole = smooth(80, 90).astype(np.float32) / 255, rectangle((80, 90), Box(20, 20, 70, 60))
    begun = noise_start(photo, hole, 3)
    known = photo[~hole]
    assert np.array_equal(begun[~hole], known)
    np.testing.assert_allclose(begun[hole].mean(axis=0), known.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(begun[hole].std(axis=0), known.std(axis=0), rtol=0.1)
    assert np.array_equal(noise_start(photo, hole, 3), begun)
    assert not np.array_equal(noise_start(photo, hole, 4), begun)
