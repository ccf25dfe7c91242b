"""Gramians, masks and seams against plain loops, and what section 3 of the paper promises of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from inpainting.backbones.vgg import random_vgg19
from inpainting.imaging.membrane import membrane
from inpainting.layers.gram_statistics import (
    EXPANSIONS,
    SHIFTS,
    Statistics,
    gramians,
    known_masks,
    statistics_distance,
    texture_loss,
)
from inpainting.layers.quilting import minimum_cut, quilt
from inpainting.models.gram.fill import TAPS
from inpainting.models.gram.reference import EXACT_EXPANSIONS
from tests.inpainting import gram_reference as plain


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    plain.one_thread()


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("masked", [False, True])
def test_gramians_are_the_plain_sums(masked: bool) -> None:
    features = random(2, 5, 9, 11)
    known = (random(1, 1, 9, 11, seed=1) > 0.3).float() if masked else None
    found = gramians(features, 3, known)
    for one, picture in zip(found, features, strict=True):
        mask = None if known is None else known[0, 0].numpy() > 0
        for ours, theirs in zip(one, plain.all_gramians(picture.numpy(), 3, mask), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-6)


def test_a_shift_beyond_the_map_counts_nothing() -> None:
    found = gramians(random(1, 4, 3, 8), 3)
    assert found[0, 2].abs().max() == 0
    assert found[0, 1].abs().max() > 0


def test_plain_gramians_do_not_feel_a_circular_shift() -> None:
    features = random(1, 6, 12, 12)
    moved = features.roll((5, 3), (2, 3))
    torch.testing.assert_close(gramians(features, 2)[:, 0], gramians(moved, 2)[:, 0])


def test_a_moved_crop_of_a_periodic_texture_has_the_same_statistics() -> None:
    """Away from the border that the crop adds; shifted ones count a few columns more of one phase than of another."""
    network = random_vgg19(("relu1_1", "pool1"), width=0.25)
    picture = random(1, 3, 8, 8).repeat(1, 1, 16, 16) * 2 - 1
    first, moved = (network(picture[..., at : at + 96, at : at + 96]) for at in (0, 14))
    for tap, a, b in zip(("relu1_1", "pool1"), first, moved, strict=True):
        inner = [each[..., 4:-4, 4:-4] for each in (a, b)]
        ours, theirs = (gramians(each, SHIFTS[tap]) for each in inner)
        assert (ours - theirs)[:, 0].norm() < 0.01 * ours[:, 0].norm()
        assert (ours - theirs).norm() < 0.05 * ours.norm()


def test_the_known_strip_of_a_patch_goes_63_31_14_5_1() -> None:
    """A quarter of 256 columns is known; exact growth would leave none at the deepest tap."""
    hole = torch.ones(1, 1, 256, 256)
    hole[..., :64] = 0
    assert [int(mask[0, 0, 0].sum()) for mask in known_masks(hole, TAPS)] == [63, 31, 14, 5, 1]
    assert not known_masks(hole, TAPS, EXACT_EXPANSIONS)[-1].any()


def test_known_masks_are_the_plain_chain() -> None:
    hole = np.zeros((70, 83), np.bool_)
    hole[20:31, 40:52] = hole[60:, 3] = True
    found = known_masks(torch.from_numpy(hole)[None, None], TAPS)
    for ours, theirs in zip(found, plain.mask_chain(hole, TAPS), strict=True):
        assert np.array_equal(ours[0, 0].numpy() > 0, theirs)


def test_masks_of_deep_taps_alone_have_the_whole_chain_behind_them() -> None:
    hole = torch.zeros(1, 1, 96, 96)
    hole[..., 40:44, 40:44] = 1
    assert torch.equal(known_masks(hole, ("pool3",))[0], known_masks(hole, TAPS)[3])
    assert set(EXPANSIONS) == set(SHIFTS)


def test_masked_gramians_are_those_of_the_known_part() -> None:
    """The hole cuts the map in two; what is left of it alone has the same Gramians."""
    features = random(1, 5, 10, 16)
    known = torch.zeros(1, 1, 10, 16)
    known[..., :7] = 1
    torch.testing.assert_close(gramians(features, 2, known), gramians(features[..., :7], 2))
    everything = torch.ones_like(known)
    torch.testing.assert_close(gramians(features, 2, everything), gramians(features, 2))


def test_masked_statistics_forget_the_hole() -> None:
    """With exact growth of the hole nothing of its pixels is left; with the paper's, little."""
    network = random_vgg19(TAPS, width=0.25)
    hole = torch.zeros(1, 1, 192, 192)
    hole[..., 64:112, 64:112] = 1
    first = random(1, 3, 192, 192) * 2 - 1
    second = torch.where(hole > 0, random(1, 3, 192, 192, seed=7) * 2 - 1, first)
    features = [network(picture) for picture in (first, second)]
    strict, lax = known_masks(hole, TAPS, EXACT_EXPANSIONS), known_masks(hole, TAPS)
    for tap, a, b, exact, paper in zip(TAPS, *features, strict, lax, strict=True):
        clean = gramians(a, SHIFTS[tap], exact)
        torch.testing.assert_close(gramians(b, SHIFTS[tap], exact), clean, rtol=1e-5, atol=1e-5)
        loose = gramians(a, SHIFTS[tap], paper)
        assert (gramians(b, SHIFTS[tap], paper) - loose).norm() < 0.01 * loose.norm()


def test_the_loss_is_zero_at_the_reference_and_matches_the_plain_sum() -> None:
    taps = ("relu1_1", "pool1")
    ours, theirs = [[random(1, 4, 14, 14, seed=s), random(1, 6, 9, 9, seed=s + 1)] for s in (0, 5)]
    found, wanted = Statistics.of(taps, ours), Statistics.of(taps, theirs)
    assert float(texture_loss(found, found)) == 0
    expected = plain.texture_loss([f[0].numpy() for f in ours], [f[0].numpy() for f in theirs], taps)
    assert float(texture_loss(found, wanted)) == pytest.approx(expected, rel=1e-4)


def test_the_gradient_is_that_of_finite_differences() -> None:
    features = random(1, 3, 8, 8).double().requires_grad_()
    wanted = Statistics.of(("pool4",), [random(1, 3, 8, 8, seed=3).double()])
    assert torch.autograd.gradcheck(
        lambda f: texture_loss(Statistics.of(("pool4",), [f]), wanted, plain=1.0, shifted=10.0), (features,)
    )


def test_distances_count_usable_taps_only() -> None:
    taps = ("relu1_1", "pool1")
    a, b = (Statistics.of(taps, [random(1, 3, 8, 8, seed=s), random(1, 3, 8, 8, seed=s + 1)]) for s in (0, 9))
    both = float(statistics_distance(a, b, [True, True]))
    alone = [float(statistics_distance(a, b, usable)) for usable in ([True, False], [False, True])]
    assert both == pytest.approx(sum(alone))
    assert float(statistics_distance(a, a, [True, True])) == 0
    with pytest.raises(ValueError, match="known position"):
        statistics_distance(a, b, [False, False])


def test_the_minimum_cut_is_the_best_of_all_paths() -> None:
    generator = np.random.default_rng(0)
    for height, width in [(1, 4), (5, 1), (5, 3), (4, 5)]:
        cost = generator.random((height, width)).astype(np.float32)
        best = min(
            sum(float(cost[y, x]) for y, x in enumerate(path))
            for path in itertools.product(range(width), repeat=height)
            if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
        )
        path = minimum_cut(cost)
        assert all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
        assert sum(float(cost[y, x]) for y, x in enumerate(path)) == pytest.approx(best)


def test_the_cut_follows_a_free_column() -> None:
    cost = np.ones((20, 9), np.float32)
    cost[:, 6] = 0
    assert (minimum_cut(cost) == 6).all()


@pytest.mark.parametrize("turns", range(4))
def test_quilting_keeps_the_old_outside_the_cut_on_every_side(turns: int) -> None:
    old, new = np.zeros((12, 12, 3), np.float32), np.ones((12, 12, 3), np.float32)
    new[:, 3] = 0  # the two agree along one column of the overlap
    written = np.zeros((12, 12), np.bool_)
    written[:, :5] = True
    taken = np.rot90(quilt(*(np.rot90(each, turns) for each in (new, old, written, ~written)), (5, 5)), -turns)
    assert not taken[:, :3].any()
    assert taken[:, 3:].all()


def test_quilting_takes_everything_where_nothing_is_written() -> None:
    patch = np.ones((6, 8, 3), np.float32)
    assert quilt(patch, patch, np.zeros((6, 8), np.bool_), np.ones((6, 8), np.bool_), (2, 2)).all()


def test_both_arms_of_an_l_shaped_overlap_are_cut() -> None:
    old, new = np.zeros((10, 10, 1), np.float32), np.ones((10, 10, 1), np.float32)
    new[2], new[:, 2] = 0, 0
    written = np.zeros((10, 10), np.bool_)
    written[:4], written[:, :4] = True, True
    taken = quilt(new, old, written, ~written, (4, 4))
    assert not taken[:2, 4:].any()
    assert not taken[4:, :2].any()
    assert not taken[:2, :2].any()
    assert taken[4:, 4:].all()


def test_equal_overlaps_give_the_same_picture_whatever_the_cut() -> None:
    picture = np.random.default_rng(1).random((9, 9, 3)).astype(np.float32)
    written = np.zeros((9, 9), np.bool_)
    written[:, :4] = True
    taken = quilt(picture, picture, written, ~written, (4, 4))
    assert np.array_equal(np.where(taken[..., None], picture, picture), picture)


def test_the_membrane_solves_laplaces_equation() -> None:
    hole = np.zeros((24, 31), np.bool_)
    hole[5:20, 4:27] = True
    hole[10:12, 10:12] = False
    values = np.random.default_rng(2).random((24, 31, 2)).astype(np.float32) * ~hole[..., None]
    ys, xs = np.nonzero(hole)
    number = {(y, x): i for i, (y, x) in enumerate(zip(ys, xs, strict=True))}
    matrix, right = np.zeros((len(ys), len(ys))), np.zeros((len(ys), 2))
    for (y, x), i in number.items():
        matrix[i, i] = 4
        for neighbour in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if neighbour in number:
                matrix[i, number[neighbour]] -= 1
            else:
                right[i] += values[neighbour]
    exact = np.linalg.solve(matrix, right)
    film = membrane(values, hole)
    assert np.array_equal(film[~hole], values[~hole])
    assert np.abs(film[hole] - exact).max() < 0.02  # of a boundary that jumps over the whole range


@pytest.mark.parametrize("shape", [(1, 2), (3, 3), (40, 7)])
def test_the_membrane_of_a_constant_is_the_constant(shape: tuple[int, int]) -> None:
    hole = np.zeros(shape, np.bool_)
    hole[shape[0] // 2, shape[1] // 2 :] = True
    values = np.full((*shape, 3), 0.7, np.float32)
    np.testing.assert_allclose(membrane(values * ~hole[..., None], hole), values, atol=1e-5)
