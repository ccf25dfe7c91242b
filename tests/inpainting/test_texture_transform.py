"""Texture Transform Attention, level by level, against plain implementations of the paper's equations."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inpainting.layers.patches import fold_patches, unfold_patches
from inpainting.layers.texture_transform import (
    LevelMatch,
    Search,
    TextureTransform,
    admissible_keys,
    find_level_match,
    mix_patches,
    query_positions,
    swap_patches,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rectangle(side: int, top: int, left: int, height: int, width: int) -> Tensor:
    hole = torch.zeros(1, 1, side, side, dtype=torch.bool)
    hole[..., top : top + height, left : left + width] = True
    return hole


def own_sources(rows: int, columns: int, batch: int = 1) -> Tensor:
    return torch.arange(rows * columns).view(1, rows, columns).repeat(batch, 1, 1)


def folded_swap(texture: Tensor, sources: Tensor) -> Tensor:
    """The swap as the paper has it: unfold, exchange, fold; parts beyond the edge do not count."""
    both = torch.cat([texture, torch.ones_like(texture[:, :1])], dim=1)
    patches = unfold_patches(both, 5, 2, 2)
    index = sources.flatten(1)[..., None].expand(-1, -1, patches.shape[2])
    size = (texture.shape[2], texture.shape[3])
    folded = fold_patches(patches.gather(1, index), size, 5, 2, 2)
    return folded[:, :-1] / folded[:, -1:]


def brute_ratio(context: Tensor, texture: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. (1) and (4) for one sample with the whole similarity matrix: values and indices for every query."""
    q = unfold_patches(context[:, :, ::2, ::2], 3, padding=1)[0]
    p = unfold_patches(texture[:, :, ::2, ::2], 3, padding=1)[0]
    similarity = F.normalize(q, dim=1) @ F.normalize(p, dim=1).T
    similarity = similarity.masked_fill(~admissible_keys(hole)[0], -torch.inf)
    values, indices = similarity[query_positions(hole)[0]].max(1)
    return values, indices


def test_periodic_texture_is_restored_exactly() -> None:
    truth = random(1, 6, 8, 8).repeat(1, 1, 6, 6)
    hole = rectangle(48, 16, 18, 16, 16)
    match = find_level_match(truth, truth.masked_fill(hole, 0.0), hole, search=Search())
    restored = swap_patches(truth.masked_fill(hole, 0.0), match.sources)
    torch.testing.assert_close(restored, truth, atol=1e-6, rtol=0)
    own, source = own_sources(24, 24)[match.queries], match.sources[match.queries]
    assert match.queries.any()
    assert (own // 24 % 4 == source // 24 % 4).all()
    assert (own % 4 == source % 4).all()
    assert match.ratio.min() >= 1 - 1e-5


def test_a_hole_with_one_twin_finds_it() -> None:
    truth = random(1, 5, 64, 64)
    truth[..., 40:60, 36:56] = truth[..., 8:28, 6:26]
    hole = rectangle(64, 12, 10, 12, 12)
    match = find_level_match(truth, truth.masked_fill(hole, 0.0), hole, search=Search())
    queries = match.queries[0].nonzero()
    found = match.sources[0][match.queries[0]]
    assert torch.equal(torch.stack([found // 32, found % 32], dim=1), queries + torch.tensor([16, 15]))
    restored = swap_patches(truth.masked_fill(hole, 0.0), match.sources)
    torch.testing.assert_close(restored, truth, atol=1e-6, rtol=0)


@settings(max_examples=40, deadline=None)
@given(st.integers(9, 40), st.integers(9, 40), st.integers(0, 10**6), st.floats(0.0005, 0.05))
def test_no_key_touches_the_hole(height: int, width: int, seed: int, share: float) -> None:
    hole = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(seed)) < share
    columns = (width + 1) // 2
    padded = F.pad(hole, (2, 3, 2, 3))[0, 0]
    halved = F.pad(F.max_pool2d(hole.float(), 2, ceil_mode=True), (1, 1, 1, 1))[0, 0] > 0
    for position, usable in enumerate(admissible_keys(hole)[0].tolist()):
        r, c = divmod(position, columns)
        clean = not padded[2 * r : 2 * r + 5, 2 * c : 2 * c + 5].any() and not halved[r : r + 3, c : c + 3].any()
        assert usable == clean
    queries = query_positions(hole)[0].view(-1, columns)
    for y, x in hole[0, 0].nonzero().tolist():
        assert queries[y // 2, x // 2], "every hole pixel's nearest position looks for a match"


@pytest.mark.parametrize("shape", [(16, 16), (13, 18), (9, 7)])
def test_swap_is_unfold_exchange_fold(shape: tuple[int, int]) -> None:
    rows, columns = (shape[0] + 1) // 2, (shape[1] + 1) // 2
    texture = random(2, 3, *shape)
    sources = own_sources(rows, columns, 2)
    generator = torch.Generator().manual_seed(1)
    moved = torch.rand(2, rows, columns, generator=generator) < 0.4
    sources[moved] = torch.randint(rows * columns, (int(moved.sum()),), generator=generator)
    torch.testing.assert_close(swap_patches(texture, sources), folded_swap(texture, sources), atol=1e-5, rtol=0)


def test_swap_has_the_gradient_of_the_fold() -> None:
    sources = own_sources(6, 6)
    sources[0, 2:4, 2:4] = torch.tensor([[0, 35], [5, 20]])
    weights = random(1, 2, 12, 12, seed=1)
    gradients = []
    for swap in (swap_patches, folded_swap):
        texture = random(1, 2, 12, 12).requires_grad_()
        (swap(texture, sources) * weights).sum().backward()
        gradients.append(texture.grad)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=0)


def test_nothing_moved_nothing_changed() -> None:
    texture = random(2, 3, 10, 12)
    assert torch.equal(swap_patches(texture, own_sources(5, 6, 2)), texture)


def test_constant_texture_stays_constant_at_the_border() -> None:
    """Zeros beyond the edge must not be copied along with a border patch."""
    sources = torch.zeros(1, 6, 6, dtype=torch.int64)
    torch.testing.assert_close(swap_patches(torch.ones(1, 1, 12, 12), sources), torch.ones(1, 1, 12, 12))


def test_matches_are_the_brute_force_ones() -> None:
    context, texture = random(1, 4, 26, 26), random(1, 4, 26, 26, seed=1)
    hole = rectangle(26, 8, 9, 7, 6)
    match = find_level_match(context, texture, hole, search=Search())
    values, indices = brute_ratio(context, texture, hole)
    assert torch.equal(match.sources[match.queries], indices)
    grid = match.ratio[:, 0, ::2, ::2][match.queries]
    torch.testing.assert_close(grid, values.clamp(0, 1), atol=1e-5, rtol=0)
    assert (match.ratio[:, 0, ::2, ::2][~match.queries] == 1).all()
    unmoved = ~match.queries
    assert torch.equal(match.sources[unmoved], own_sources(13, 13)[unmoved])


def test_ratio_has_the_gradient_of_the_plain_maximum() -> None:
    hole = rectangle(18, 6, 6, 5, 5)
    weights = random(81, seed=3)
    gradients = []
    for plain in (False, True):
        context = random(1, 3, 18, 18).requires_grad_()
        texture = random(1, 3, 18, 18, seed=1).requires_grad_()
        if plain:
            values = brute_ratio(context, texture, hole)[0].clamp(0, 1)
        else:
            match = find_level_match(context, texture, hole, search=Search())
            values = match.ratio[:, 0, ::2, ::2][match.queries]
        (values * weights[: len(values)]).sum().backward()
        gradients.append((context.grad, texture.grad))
    for gathered, maximum in zip(*gradients, strict=True):
        assert maximum.abs().sum() > 0
        torch.testing.assert_close(gathered, maximum, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("budget", [1, 7 * 8 * 300, 2**20])
def test_chunks_change_nothing(budget: int) -> None:
    context, texture = random(2, 4, 40, 40), random(2, 4, 40, 40, seed=1)
    hole = torch.cat([rectangle(40, 8, 9, 12, 12), rectangle(40, 20, 2, 9, 20)])
    torch.manual_seed(0)
    block = TextureTransform(4)
    whole, found = block(context, texture, hole)
    parts, found_again = block(context, texture, hole, search=Search(budget_bytes=budget))
    assert torch.equal(found.sources, found_again.sources)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)


def block_with(fused: str, normalise: bool = True) -> TextureTransform:
    """A block whose fusion convolution returns Q itself (``"context"``) or something random."""
    torch.manual_seed(0)
    block = TextureTransform(3, normalise=normalise)
    if fused == "context":
        with torch.no_grad():
            block.fuse.weight.zero_()
            block.fuse.weight[range(3), range(3), 1, 1] = 1.0
    return block


def test_fusion_without_trust_keeps_the_context() -> None:
    context, swapped = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    block = block_with("anything")
    assert torch.equal(block.combine(context, swapped, torch.zeros(1, 1, 8, 8)), context)


def test_fusion_with_full_trust_is_the_mean() -> None:
    context, swapped = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    block = block_with("anything")
    fused = F.conv2d(F.pad(torch.cat([context, swapped], 1), (1,) * 4, mode="reflect"), block.fuse.weight)
    result = block.combine(context, swapped, torch.ones(1, 1, 8, 8))
    torch.testing.assert_close(result, (context + fused) / 2, atol=1e-6, rtol=0)


def test_normalisation_keeps_brightness_under_a_checkerboard_ratio() -> None:
    """What (1 + R) is for: figure 7 of the paper."""
    context, swapped = torch.full((1, 3, 8, 8), 0.7), random(1, 3, 8, 8)
    ratio = torch.tensor([[0.1, 0.9], [0.9, 0.1]]).repeat(4, 4).view(1, 1, 8, 8)
    with_it = block_with("context").combine(context, swapped, ratio)
    torch.testing.assert_close(with_it, context, atol=1e-6, rtol=0)
    without = block_with("context", normalise=False).combine(context, swapped, ratio)
    assert without.std() > 0.1


def test_no_admissible_key_passes_the_context_on() -> None:
    context, texture = random(2, 3, 16, 16), random(2, 3, 16, 16, seed=1)
    hole = torch.cat([torch.ones(1, 1, 16, 16, dtype=torch.bool), rectangle(16, 6, 6, 3, 3)])
    result, match = block_with("anything")(context, texture, hole)
    assert torch.equal(result[0], context[0])
    assert not match.queries[0].any()
    assert (match.ratio[0] == 0).all()
    assert match.queries[1].any()
    assert not torch.equal(result[1], context[1])


def test_barred_places_are_not_copied_from() -> None:
    truth = random(1, 5, 64, 64)
    truth[..., 40:60, 36:56] = truth[..., 8:28, 6:26]
    hole, barred = rectangle(64, 12, 10, 12, 12), rectangle(64, 36, 0, 28, 64)
    match = find_level_match(truth, truth, hole, barred=hole | barred, search=Search())
    assert (match.sources[match.queries] // 32 < 18).all()
    assert torch.equal(match.queries.flatten(1), query_positions(hole)), "barring takes keys away, not queries"


def test_plain_skip_takes_the_texture_as_it_is() -> None:
    torch.manual_seed(0)
    context, texture = random(1, 3, 10, 10), random(1, 3, 10, 10, seed=1)
    block = TextureTransform(3, attention="off")
    result, match = block(context, texture, rectangle(10, 3, 3, 4, 4))
    assert torch.equal(result, block.combine(context, texture, torch.ones(1, 1, 10, 10)))
    assert not match.queries.any()


def test_soft_mix_of_one_key_is_the_swap() -> None:
    context, texture, hole = random(1, 3, 20, 20), random(1, 3, 20, 20, seed=1), rectangle(20, 8, 8, 4, 4)
    only = torch.zeros(1, 100, dtype=torch.bool)
    only[0, 21] = True
    queries = query_positions(hole).view(1, 10, 10)
    sources = torch.where(queries, 21, own_sources(10, 10))
    mixed = mix_patches(context, texture, queries, only, Search())
    torch.testing.assert_close(mixed, swap_patches(texture, sources), atol=1e-5, rtol=0)


def test_soft_mix_is_a_softmax_over_all_keys() -> None:
    context, texture, hole = random(1, 3, 20, 20), random(1, 3, 20, 20, seed=1), rectangle(20, 8, 8, 4, 4)
    queries, keys = query_positions(hole), admissible_keys(hole)
    q, p = (unfold_patches(maps[:, :, ::2, ::2], 3, padding=1)[0] for maps in (context, texture))
    weights = (10 * F.normalize(q[queries[0]]) @ F.normalize(p[keys[0]]).T).softmax(1)
    values = unfold_patches(torch.cat([texture, torch.ones_like(texture[:, :1])], 1), 5, 2, 2)[0]
    values[queries[0]] = weights @ values[keys[0]]
    folded = fold_patches(values[None], (20, 20), 5, 2, 2)
    expected = folded[:, :-1] / folded[:, -1:]
    mixed = mix_patches(context, texture, queries.view(1, 10, 10), keys, Search(budget_bytes=2000))
    torch.testing.assert_close(mixed, expected, atol=1e-5, rtol=0)


def two_levels(truth: Tensor, hole: Tensor, mode: str) -> LevelMatch:
    """The finer level's match, guided by an exhaustive one at half the size."""
    coarse = F.avg_pool2d(truth, 2)
    guide = find_level_match(coarse, coarse, F.max_pool2d(hole.float(), 2) > 0, search=Search("exhaustive"))
    search = Search(mode, random_keys=16)  # type: ignore[arg-type]
    return find_level_match(truth, truth, hole, coarser=guide, search=search)


def test_index_propagation_finds_the_twin_that_exhaustive_search_finds() -> None:
    truth = random(1, 5, 96, 96)
    truth[..., 52:84, 48:80] = truth[..., 8:40, 4:36]
    hole = rectangle(96, 16, 12, 12, 12)
    exhaustive, quick = two_levels(truth, hole, "exhaustive"), two_levels(truth, hole, "quick")
    assert torch.equal(exhaustive.sources, quick.sources)
    found = quick.sources[quick.queries]
    assert torch.equal(found, own_sources(48, 48)[quick.queries] + 22 * 48 + 22)


def test_index_propagation_comes_near_on_a_smooth_map() -> None:
    truth = F.interpolate(random(1, 5, 12, 12), size=(96, 96), mode="bicubic") + 0.05 * random(1, 5, 96, 96, seed=1)
    hole = rectangle(96, 30, 34, 24, 20)
    exhaustive, quick = (two_levels(truth, hole, mode).ratio for mode in ("exhaustive", "quick"))
    assert (quick <= exhaustive + 1e-5).all()
    assert quick.mean() > 0.98 * exhaustive.mean()


def test_index_propagation_is_repeatable_and_seeded() -> None:
    context, texture, hole = random(1, 4, 64, 64), random(1, 4, 64, 64, seed=1), rectangle(64, 20, 20, 20, 20)
    guide = find_level_match(
        F.avg_pool2d(context, 2), F.avg_pool2d(texture, 2), F.max_pool2d(hole.float(), 2) > 0, search=Search()
    )

    def sources(seed: int) -> Tensor:
        search = Search("quick", random_keys=32, seed=seed)
        return find_level_match(context, texture, hole, coarser=guide, search=search).sources

    assert torch.equal(sources(1), sources(1))
    assert not torch.equal(sources(1), sources(2))


def test_auto_propagates_only_above_its_limit() -> None:
    device = torch.device("cpu")
    auto = Search(limit=1000)
    assert [auto.propagates(10, 10, width, device) for width in (10, 11)] == [False, True]
    assert Search("quick").propagates(1, 1, 1, device)
    assert not Search("exhaustive").propagates(10**6, 10**6, 288, device)


def test_similarities_stay_float32_under_autocast() -> None:
    context, texture = random(1, 16, 32, 32), random(1, 16, 32, 32, seed=1)
    hole = rectangle(32, 10, 10, 8, 8)
    expected = find_level_match(context, texture, hole, search=Search())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = find_level_match(context, texture, hole, search=Search())
    assert torch.equal(found.sources, expected.sources)
    torch.testing.assert_close(found.ratio, expected.ratio, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("attention", "normalise"), list(itertools.product(["hard", "soft", "off"], [True, False])))
def test_gradient_reaches_both_maps(attention: str, normalise: bool) -> None:
    torch.manual_seed(0)
    block = TextureTransform(3, attention=attention, normalise=normalise)  # type: ignore[arg-type]
    context = random(1, 3, 16, 16).requires_grad_()
    texture = random(1, 3, 16, 16, seed=1).requires_grad_()
    block(context, texture, rectangle(16, 5, 5, 6, 6))[0].square().sum().backward()
    for tensor in (context, texture, *block.parameters()):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().sum() > 0
