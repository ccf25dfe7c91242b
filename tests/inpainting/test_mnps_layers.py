"""Features of what changes only, nearest neural patches, and views of a photo."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from inpainting.backbones.vgg import random_vgg19
from inpainting.layers.neural_patches import (
    Nearest,
    PatchTargets,
    agreeing_patches,
    hole_positions,
    key_positions,
    nearest_patches,
    patches_at,
)
from inpainting.layers.regional_features import RegionalFeatures, Window
from inpainting.models.mnps.views import TURNED, View

TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
NETWORK = random_vgg19(TAPS, width=0.125)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def sparse(*shape: int, seed: int = 0) -> Tensor:
    return rand(*shape, seed=seed) < 0.15


@pytest.mark.parametrize(
    "window",
    [Window(20, 24, 40, 50), Window(0, 56, 17, 72), Window(47, 0, 64, 9), Window(31, 33, 32, 34), Window(0, 0, 64, 72)],
)
def test_regional_features_are_those_of_the_whole_photo(window: Window) -> None:
    photo, pixels = rand(1, 3, 64, 72), rand(1, 3, *window.size, seed=1).requires_grad_()
    wanted = {}
    for name, stride in zip(TAPS, (1, 2, 4, 8), strict=True):
        place = Window(
            window.top // stride, window.left // stride, -(-window.bottom // stride), -(-window.right // stride)
        )
        wanted[name] = place.grown(1).within(Window(0, 0, 64 // stride, 72 // stride))
    found = RegionalFeatures(NETWORK, photo, window, wanted)(pixels)
    whole = photo.clone()
    whole[(..., *window.slices)] = pixels.detach()
    whole.requires_grad_()
    expected = {name: tap[(..., *wanted[name].slices)] for name, tap in zip(TAPS, NETWORK(whole * 2 - 1), strict=True)}
    for name in TAPS:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-5)
    (mine,) = torch.autograd.grad(torch.stack([tap.square().sum() for tap in found.values()]).sum(), pixels)
    (theirs,) = torch.autograd.grad(torch.stack([tap.square().sum() for tap in expected.values()]).sum(), whole)
    torch.testing.assert_close(mine, theirs[(..., *window.slices)], rtol=1e-4, atol=1e-3)


def test_regional_features_compute_less_than_everything() -> None:
    features = RegionalFeatures(
        NETWORK, rand(1, 3, 128, 128), Window(56, 56, 72, 72), {"relu4_1": Window(6, 6, 10, 10)}
    )
    computed = sum(stage.active.size[0] * stage.active.size[1] for stage in features._stages)
    everything = sum(128 * 128 // 4 ** layer.name.count("pool") for layer in features._layers)
    assert computed < everything / 5


@pytest.mark.parametrize("stride", [1, 4, 8])
def test_no_key_touches_the_hole(stride: int) -> None:
    for seed in range(20):
        hole = sparse(64, 48, seed=seed) & (rand(64, 48, seed=seed + 100) < 0.1)
        holes = hole_positions(hole, stride)
        for y, x in key_positions(holes).nonzero().tolist():
            top, left = max(0, (y - 1) * stride), max(0, (x - 1) * stride)
            assert not hole[top : (y + 2) * stride, left : (x + 2) * stride].any()
        assert all(holes[y // stride, x // stride] for y, x in hole.nonzero().tolist())


@pytest.mark.parametrize("measure", ["distance", "correlation"])
@pytest.mark.parametrize("budget", [1, 40_000, None])
def test_search_in_blocks_equals_brute_force(measure: str, budget: int | None) -> None:
    keys, queries = torch.randn(1, 6, 11, 13), torch.randn(17, 54)
    admissible = ~sparse(11, 13, seed=4)
    found = nearest_patches(queries, keys, admissible, measure=measure, budget_bytes=budget)  # type: ignore[arg-type]
    places = admissible.nonzero()
    centre = keys[0][:, admissible].mean(1)
    patches = patches_at(keys, places) - centre.repeat_interleave(9)
    own = queries - centre.repeat_interleave(9)
    if measure == "distance":
        expected = places[torch.cdist(own, patches).argmin(1)]
    else:
        expected = places[
            (torch.nn.functional.normalize(own, dim=1) @ torch.nn.functional.normalize(patches, dim=1).T).argmax(1)
        ]
    assert torch.equal(found.places, expected)


def test_a_single_admissible_key_is_everybodys_neighbour() -> None:
    admissible = torch.zeros(9, 9, dtype=torch.bool)
    admissible[6, 2] = True
    found = nearest_patches(torch.randn(12, 36), torch.randn(1, 4, 9, 9), admissible)
    assert found.places.tolist() == [[6, 2]] * 12


def test_an_equal_patch_is_found_with_similarity_one() -> None:
    keys = torch.randn(1, 5, 10, 10)
    wanted = torch.tensor([[3, 7], [0, 0], [9, 4]])
    found = nearest_patches(patches_at(keys, wanted), keys, torch.ones(10, 10, dtype=torch.bool))
    assert torch.equal(found.places, wanted)
    torch.testing.assert_close(found.scores, torch.ones(3), rtol=0, atol=1e-4)


def test_search_can_be_stopped() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        nearest_patches(torch.randn(3, 36), torch.randn(1, 4, 9, 9), torch.ones(9, 9, dtype=torch.bool), on_block=stop)


def test_targets_sorted_by_position_equal_the_sum_over_patches() -> None:
    keys, features = torch.randn(1, 5, 9, 8).double(), torch.randn(1, 5, 9, 8).double().requires_grad_()
    positions = torch.tensor([[0, 0], [0, 1], [4, 4], [5, 4], [8, 7]])
    places = torch.tensor([[3, 3], [7, 1], [0, 0], [2, 6], [4, 4]])
    targets = PatchTargets(keys, positions, places, Window(0, 0, 9, 8))
    inside = patches_at(torch.ones(1, 5, 9, 8).double(), positions)
    expected = ((patches_at(features, positions) - patches_at(keys, places)) * inside).square().sum() / (5 * 45)
    torch.testing.assert_close(targets(features), expected)
    mine, theirs = (torch.autograd.grad(value, features)[0] for value in (targets(features), expected))
    torch.testing.assert_close(mine, theirs)
    assert targets.floor > 0


def test_agreement_joins_equally_good_matches() -> None:
    """In a texture of two equal halves every query has two neighbours; independent choices mixed by hand get sorted."""
    half = torch.randn(1, 4, 6, 6)
    keys = torch.cat([half, half, half], dim=3)
    queries = torch.tensor([[y, x + 6] for y in range(1, 5) for x in range(1, 5)])
    admissible = torch.ones(6, 18, dtype=torch.bool)
    admissible[:, 6:12] = False
    left, right = queries - torch.tensor([0, 6]), queries + torch.tensor([0, 6])
    mixed = torch.where((torch.arange(16) % 3 == 0)[:, None], right, left)
    patches = patches_at(keys, queries)
    found = agreeing_patches(patches, queries, keys, admissible, Nearest(mixed, torch.ones(16)), weight=0.2)
    moves = {tuple(move) for move in (found.places - queries).tolist()}
    assert moves in ({(0, -6)}, {(0, 6)})
    torch.testing.assert_close(found.scores, torch.ones(16), rtol=0, atol=1e-4)


def test_agreement_never_takes_what_is_not_admissible() -> None:
    keys = torch.randn(1, 3, 12, 12)
    holes = torch.zeros(12, 12, dtype=torch.bool)
    holes[3:8, 3:8] = True
    queries, admissible = holes.nonzero(), key_positions(holes)
    patches = patches_at(keys, queries)
    first = nearest_patches(patches, keys, admissible)
    found = agreeing_patches(patches, queries, keys, admissible, first, weight=5.0)
    assert admissible[found.places[:, 0], found.places[:, 1]].all()


def test_a_view_shows_the_photo_where_it_says() -> None:
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(56.0), indexing="ij")
    ramps = torch.stack([y, x])[None]  # the value of a pixel is its place
    for view in TURNED:
        shown = view.of(ramps)[0]
        points = torch.tensor([[20.0, 28.0], [15.0, 33.0], [24.0, 20.0]])
        expected = view.in_photo(points, (40, 56))
        found = torch.stack([shown[:, int(row), int(column)] for row, column in points])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    assert View().of(ramps) is ramps
    assert len({(view.angle, view.factor) for view in TURNED}) == 9
    assert max(abs(view.angle) for view in TURNED) == math.pi / 24
