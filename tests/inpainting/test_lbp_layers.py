"""Binary patterns and spatial attention against their definitions."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers.binary_patterns import (
    binary_patterns,
    grey_levels,
    photo_patterns,
    unknown_patterns,
)
from inpainting.layers.spatial_attention import SpatialAttention, best_first


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def bytes_photo(*shape: int, seed: int = 0, high: int = 256) -> Tensor:
    return torch.randint(0, high, shape, generator=torch.Generator().manual_seed(seed)).float() / 127.5 - 1.0


# Binary patterns


def test_the_papers_example() -> None:
    """Figure 2: b = 10011011; the neighbour that equals the centre gives 0."""
    levels = torch.tensor([[7.0, 3, 5], [6, 5, 8], [9, 2, 6]])[None, None]
    assert int(binary_patterns(levels)[0, 0, 1, 1]) == 0b10011011 == 155


def test_every_neighbour_has_its_own_bit() -> None:
    clockwise = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    for place, (y, x) in enumerate(clockwise):
        levels = torch.zeros(1, 1, 3, 3)
        levels[0, 0, y, x] = 1.0
        assert int(binary_patterns(levels)[0, 0, 1, 1]) == 1 << (7 - place)


def test_pattern_equals_a_loop_over_pixels_and_neighbours() -> None:
    levels = (rand(1, 1, 6, 7) * 4).floor()
    expected = torch.zeros_like(levels)
    for y, x in itertools.product(range(6), range(7)):
        code = ""
        for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)):
            neighbour = levels[0, 0, min(max(y + dy, 0), 5), min(max(x + dx, 0), 6)]
            code += "1" if neighbour > levels[0, 0, y, x] else "0"
        expected[0, 0, y, x] = int(code, 2)
    assert torch.equal(binary_patterns(levels), expected)


def test_constant_photo_has_pattern_zero() -> None:
    assert torch.equal(photo_patterns(torch.full((1, 3, 9, 9), 0.3)), torch.full((1, 1, 9, 9), -1.0))


def test_pattern_ignores_a_brighter_exposure() -> None:
    dark = bytes_photo(2, 3, 20, 20, high=246)
    brighter = dark + 10 / 127.5
    assert torch.equal(photo_patterns(dark), photo_patterns(brighter))


def test_grey_levels_are_exact() -> None:
    """0.299 R + 0.587 G + 0.114 B in whole numbers, half up, for colours on and around the rounding edge."""
    colours = torch.randint(0, 256, (4000, 3), generator=torch.Generator().manual_seed(0))
    colours[:2] = torch.tensor([[0, 0, 250], [250, 0, 250]])  # 28.5 and 103.25
    expected = (299 * colours[:, 0] + 587 * colours[:, 1] + 114 * colours[:, 2] + 500) // 1000
    photo = (colours.float() / 255 * 2 - 1).T.reshape(1, 3, 40, 100)
    assert torch.equal(grey_levels(photo).flatten().long(), expected)


def test_known_patterns_carry_nothing_of_the_hole() -> None:
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., 5:12, 8:20] = 1
    mask[..., 0, 0] = 1
    first, second = bytes_photo(1, 3, 24, 24, seed=1), bytes_photo(1, 3, 24, 24, seed=2)
    second = torch.where(mask > 0, second, first)
    known = unknown_patterns(mask) == 0
    assert torch.equal(photo_patterns(first)[known], photo_patterns(second)[known])
    ring = (mask == 0) & ~known
    assert not torch.equal(photo_patterns(first)[ring], photo_patterns(second)[ring])


def test_grey_levels_want_three_channels() -> None:
    with pytest.raises(ValueError, match="3, H, W"):
        grey_levels(torch.zeros(1, 1, 4, 4))


# Spatial attention


def layer_inputs(batch: int = 2, channels: int = 6, height: int = 9, width: int = 11) -> tuple[Tensor, Tensor, Tensor]:
    decoder, encoder = rand(batch, channels, height, width, seed=3), rand(batch, channels, height, width, seed=4)
    hole = torch.zeros(batch, 1, height, width)
    hole[0, :, 2:6, 3:8] = 1
    hole[1:, :, 0:3, 0:2] = 1
    hole[1:, :, 8, 10] = 1
    return decoder, encoder, hole


def naive_attention(decoder: Tensor, encoder: Tensor, hole: Tensor, top: int, within: bool) -> Tensor:
    """Equations (11)–(14) position by position, for one sample."""
    channels, height, width = decoder.shape
    given, made = encoder.reshape(channels, -1).T, decoder.reshape(channels, -1).T
    omega = [i for i in range(height * width) if hole.flatten()[i] > 0]
    known = [i for i in range(height * width) if hole.flatten()[i] == 0]
    mixed = torch.zeros_like(made)
    for j in omega:
        pairs: list[tuple[float, Tensor]] = []
        for places, source in (([k for k in omega if k != j] if within else [], made), (known, given)):
            scored = [(float(F.cosine_similarity(made[j], source[k], dim=0)), k) for k in places]
            best = sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:top]
            pairs += [(score, source[k]) for score, k in best]
        weights = torch.softmax(torch.tensor([score for score, _ in pairs]), dim=0)
        for weight, (_, feature) in zip(weights, pairs, strict=True):
            mixed[j] += weight * feature
    return mixed.T.reshape(channels, height, width)


@pytest.mark.parametrize("top", [1, 2, 3])
@pytest.mark.parametrize("within", [True, False])
def test_attention_equals_the_equations(top: int, within: bool) -> None:
    decoder, encoder, hole = layer_inputs()
    mixed, _ = SpatialAttention(top, within_hole=within)(decoder, encoder, hole)
    for row in range(2):
        expected = naive_attention(decoder[row], encoder[row], hole[row], top, within)
        torch.testing.assert_close(mixed[row], expected, rtol=0, atol=1e-5)


def test_weights_of_each_hole_position_sum_to_one() -> None:
    decoder, encoder, hole = layer_inputs()
    mixed, picks = SpatialAttention()(decoder, encoder, hole)
    counts = hole.flatten(1).sum(1).long()
    assert picks.weights.min() >= 0
    for row, count in enumerate(counts):
        torch.testing.assert_close(picks.weights[row, :count].sum(1), torch.ones(int(count)))
        assert torch.count_nonzero(picks.weights[row, count:]) == 0
    assert torch.count_nonzero(mixed * (1 - hole)) == 0


def test_a_twin_in_the_hole_is_the_first_pick_and_no_position_picks_itself() -> None:
    decoder, encoder, hole = layer_inputs(batch=1)
    decoder[0, :, 3, 4] = 2.5 * decoder[0, :, 5, 7]  # cosine 1 whatever the length
    _, picks = SpatialAttention()(decoder, encoder, hole)
    twins = {3 * 11 + 4: 5 * 11 + 7, 5 * 11 + 7: 3 * 11 + 4}
    first = dict(zip(picks.positions[0].tolist(), picks.chosen[0, :, 0].tolist(), strict=True))
    assert {place: first[place] for place in twins} == twins
    assert not (picks.chosen[0, :, :2] == picks.positions[0, :, None]).any()


def test_picks_lie_where_they_should() -> None:
    decoder, encoder, hole = layer_inputs(batch=1)
    # A known feature equal to each hole feature would win if the hole were searched in the encoder map too.
    encoder = torch.where(hole > 0, decoder, encoder)
    _, picks = SpatialAttention()(decoder, encoder, hole)
    inside = hole.flatten() > 0
    assert inside[picks.chosen[0, :, :2]].all()
    assert not inside[picks.chosen[0, :, 2:]].any()


@pytest.mark.parametrize("block_rows", [1, 7, 19])
def test_blocks_do_not_change_the_result(block_rows: int) -> None:
    decoder, encoder, hole = layer_inputs()
    whole, picks = SpatialAttention(block_rows=10_000)(decoder, encoder, hole)
    parts, same_picks = SpatialAttention(block_rows=block_rows)(decoder, encoder, hole)
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)
    used = picks.weights > 0
    assert torch.equal(picks.chosen[used], same_picks.chosen[used])


def test_batch_equals_single_samples() -> None:
    decoder, encoder, hole = layer_inputs(batch=3)
    together, _ = SpatialAttention()(decoder, encoder, hole)
    for row in range(3):
        alone, _ = SpatialAttention()(decoder[row : row + 1], encoder[row : row + 1], hole[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-6)


def test_a_single_hole_position_looks_at_the_known_region_only() -> None:
    decoder, encoder, hole = layer_inputs(batch=1)
    hole.zero_()[0, 0, 4, 4] = 1
    mixed, picks = SpatialAttention()(decoder, encoder, hole)
    assert torch.equal(picks.weights[0, 0, :2], torch.zeros(2))
    torch.testing.assert_close(mixed[0], naive_attention(decoder[0], encoder[0], hole[0], 2, True))


def test_a_map_without_known_positions_looks_at_the_hole_only() -> None:
    decoder, encoder, hole = layer_inputs(batch=1)
    mixed, picks = SpatialAttention()(decoder, encoder, torch.ones_like(hole))
    assert torch.count_nonzero(picks.weights[..., 2:]) == 0
    torch.testing.assert_close(picks.weights.sum(2), torch.ones(1, 99))
    assert torch.isfinite(mixed).all()


def test_nothing_to_look_at_gives_zero_and_a_finite_gradient() -> None:
    decoder, encoder, hole = layer_inputs(batch=1)
    decoder.requires_grad_()
    mixed, _ = SpatialAttention(within_hole=False)(decoder, encoder, torch.ones_like(hole))
    mixed.sum().backward()
    assert torch.count_nonzero(mixed) == 0
    assert decoder.grad is not None
    assert torch.isfinite(decoder.grad).all()


def test_no_hole_gives_zero() -> None:
    decoder, encoder, hole = layer_inputs()
    mixed, picks = SpatialAttention()(decoder, encoder, torch.zeros_like(hole))
    assert torch.count_nonzero(mixed) == 0
    assert picks.positions.shape == (2, 0)


def test_gradient_is_that_of_the_weighted_mean_over_the_picks() -> None:
    """Against eq. (11)–(14) written out for the picks, in plain indexing."""
    decoder, encoder, hole = layer_inputs(batch=1)
    probe = rand(*decoder.shape, seed=9)
    ours = [part.clone().requires_grad_() for part in (decoder, encoder)]
    mixed, picks = SpatialAttention()(ours[0], ours[1], hole)
    (mixed * probe).sum().backward()

    plain = [part.clone().requires_grad_() for part in (decoder, encoder)]
    made, given = (part[0].flatten(1).T for part in plain)
    inside, outside = picks.chosen[0, :, :2], picks.chosen[0, :, 2:]
    candidates = torch.cat([made[inside], given[outside]], dim=1)
    query = made[picks.positions[0]]
    weights = torch.softmax(F.cosine_similarity(query[:, None], candidates, dim=2), dim=1)
    values = (weights[..., None] * candidates).sum(1)
    (values * probe[0].flatten(1).T[picks.positions[0]]).sum().backward()
    for mine, reference in zip(ours, plain, strict=True):
        assert reference.grad is not None
        assert reference.grad.abs().max() > 0
        torch.testing.assert_close(mine.grad, reference.grad, rtol=1e-4, atol=1e-5)


def test_equal_scores_are_taken_in_order() -> None:
    scores = torch.tensor([[0.5, 0.9, 0.9, 0.9, -torch.inf], [-torch.inf] * 5])
    index, valid = best_first(scores, 2)
    assert index[0].tolist() == [1, 2]
    assert valid.tolist() == [[True, True], [False, False]]


def test_attention_refuses_parts_that_do_not_fit() -> None:
    decoder, encoder, hole = layer_inputs()
    with pytest.raises(ValueError, match="belong together"):
        SpatialAttention()(decoder, encoder[:, :3], hole)
    with pytest.raises(ValueError, match="at least one"):
        SpatialAttention(0)
