"""CARAFE, the patch grid with its blending, and the texture memory with its retrieval."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from inpainting.layers.blending import (
    PatchCanvas,
    Tiling,
    blend_window,
    covered_area,
    cut_windows,
    hole_cells,
    training_cells,
)
from inpainting.layers.carafe import CARAFE, reassemble
from inpainting.layers.retrieval import (
    Correspondence,
    choose_memory,
    find_patches,
    ranked,
    retrieve_top_k,
    weighted_sum,
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def box_mask(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., top:bottom, left:right] = 1
    return mask


# CARAFE


def sharp_carafe(channels: int) -> CARAFE:
    """With kernels far from the even ones of the start."""
    torch.manual_seed(0)
    layer = CARAFE(channels, compressed=6)
    with torch.no_grad():
        layer.encode.weight.normal_(std=1.0)
        layer.encode.bias.normal_(std=1.0)
    return layer


def naive_carafe(layer: CARAFE, features: Tensor) -> Tensor:
    """The definition, output pixel by output pixel."""
    logits = F.pixel_shuffle(layer.encode(layer.compress(features)), 2)
    _, channels, height, width = features.shape
    out = torch.zeros(len(features), channels, 2 * height, 2 * width)
    reach = layer.kernel // 2
    for b in range(len(features)):
        for y in range(2 * height):
            for x in range(2 * width):
                weights = logits[b, :, y, x].softmax(0)
                for n, weight in enumerate(weights):
                    sy, sx = y // 2 + n // layer.kernel - reach, x // 2 + n % layer.kernel - reach
                    if 0 <= sy < height and 0 <= sx < width:
                        out[b, :, y, x] += weight * features[b, :, sy, sx]
    return out


@pytest.mark.parametrize("size", [(4, 5), (1, 3)])
def test_carafe_equals_its_definition(size: tuple[int, int]) -> None:
    layer, features = sharp_carafe(3), random(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(layer(features), naive_carafe(layer, features), atol=1e-5, rtol=1e-5)


def test_carafe_kernels_sum_to_one_and_keep_a_constant_inside() -> None:
    layer = sharp_carafe(3)
    kernels = layer.kernels(random(1, 3, 7, 8))
    torch.testing.assert_close(kernels.sum(1), torch.ones(1, 4, 7, 8))
    raised = layer(torch.full((1, 3, 9, 9), 2.5))
    torch.testing.assert_close(raised[..., 4:-4, 4:-4], torch.full((1, 3, 10, 10), 2.5))


@pytest.mark.parametrize(("kernel", "parts"), [(5, 4), (3, 2), (1, 1)])
def test_reassembly_has_the_right_gradients(kernel: int, parts: int) -> None:
    features = random(1, 2, 3, 2).double().requires_grad_()
    weights = random(1, kernel**2, parts, 3, 2, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(reassemble, (features, weights))


def test_carafe_sums_in_full_precision_under_autocast() -> None:
    layer, features = sharp_carafe(3), random(1, 3, 6, 6)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        raised = layer(features.bfloat16())
    assert raised.dtype == torch.bfloat16
    with torch.no_grad():
        torch.testing.assert_close(raised.float(), layer(features), atol=0.1, rtol=0.1)


# The grid


def test_hole_cells_are_exactly_those_with_a_hole_pixel() -> None:
    mask = torch.zeros(2, 1, 32, 24)
    mask[0, 0, 8, 7] = 1
    mask[1, 0, 31, 23] = 1
    assert hole_cells(mask, 8).tolist() == [[0, 8, 0], [1, 24, 16]]
    overlapping = {tuple(cell) for cell in hole_cells(mask, 8, "overlap").tolist()}
    assert overlapping == {(0, 4, 0), (0, 4, 4), (0, 8, 0), (0, 8, 4), (1, 24, 16)}


def test_windows_mirror_the_image_over_its_border() -> None:
    image = random(2, 3, 12, 20)
    windows = torch.tensor([[0, 0, 0], [1, 4, 12], [1, 0, 4]])
    padded = F.pad(image, (4, 4, 4, 4), mode="reflect")
    expected = torch.stack([padded[b, :, y : y + 16, x : x + 16] for b, y, x in windows.tolist()])
    assert torch.equal(cut_windows(image, windows, 8, 4), expected)


@pytest.mark.parametrize("tiling", ["grid", "overlap"])
def test_pasting_what_was_cut_changes_nothing(tiling: Tiling) -> None:
    image = random(2, 3, 24, 32)
    mask = (random(2, 1, 24, 32, seed=1) > 1).float()
    cells = hole_cells(mask, 8, tiling)
    canvas = PatchCanvas(image, 8, tiling)
    canvas.add(cells, cut_windows(image, cells, 8))
    torch.testing.assert_close(canvas.over(image, mask), image, atol=1e-6, rtol=0)


@pytest.mark.parametrize("tiling", ["grid", "overlap"])
def test_a_canvas_of_the_holes_area_gives_the_same_picture(tiling: Tiling) -> None:
    image, mask = random(1, 3, 48, 64), box_mask(48, 64, 10, 21, 25, 40)
    cells = hole_cells(mask, 8, tiling)
    patches = random(len(cells), 3, 8, 8, seed=4)
    whole, part = PatchCanvas(image, 8, tiling), PatchCanvas(image, 8, tiling, covered_area(cells, 8))
    for canvas in (whole, part):
        canvas.add(cells, patches)
    assert part.colour.shape[1:3] < whole.colour.shape[1:3]
    assert torch.equal(part.over(image, mask), whole.over(image, mask))
    nothing = PatchCanvas(image, 8, tiling, covered_area(cells[:0], 8))
    assert torch.equal(nothing.over(image, mask), image)


@pytest.mark.parametrize("tiling", ["grid", "overlap"])
def test_patches_fill_all_of_the_hole_and_nothing_else(tiling: Tiling) -> None:
    image, mask = random(1, 3, 32, 32), box_mask(32, 32, 0, 3, 19, 32)
    cells = hole_cells(mask, 8, tiling)
    canvas = PatchCanvas(image, 8, tiling)
    for part in cells.split(3):
        canvas.add(part, torch.full((len(part), 3, 8, 8), 7.0))
    filled = canvas.over(image, mask)
    hole = mask.expand_as(image) > 0.5
    torch.testing.assert_close(filled[hole], torch.full_like(filled[hole], 7.0))
    assert torch.equal(filled[~hole], image[~hole])


def test_blend_windows_are_a_partition_of_unity() -> None:
    total = torch.zeros(64, 64)
    for top in range(0, 33, 16):
        for left in range(0, 33, 16):
            total[top : top + 32, left : left + 32] += blend_window(32, "overlap")
    torch.testing.assert_close(total[16:48, 16:48], torch.ones(32, 32))


def test_training_cells_take_the_hole_first_then_known_cells() -> None:
    mask = torch.cat([box_mask(64, 64, 8, 8, 24, 24), torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)])
    cells = training_cells(mask, 16, 9, generator())
    assert cells[:, 0].tolist() == [0] * 9 + [1] * 9 + [2] * 9
    for index in range(3):
        own = cells[cells[:, 0] == index, 1:].tolist()
        assert len({tuple(cell) for cell in own}) == 9
    first = {tuple(cell) for cell in cells[:4, 1:].tolist()}
    assert first == {(0, 0), (0, 16), (16, 0), (16, 16)}
    assert len(training_cells(mask[:1, :, :32, :32], 16, 9, generator())) == 9


# The memory


def window_holes(mask: Tensor, windows: Tensor, patch: int) -> Tensor:
    return cut_windows(mask, windows, patch).mean(dim=(1, 2, 3))


def test_memory_has_a_hundred_whole_windows_beside_a_large_hole() -> None:
    for top, left in ((0, 0), (64, 64), (128, 128), (37, 91)):
        mask = box_mask(256, 256, top, left, top + 128, left + 128)
        memory = choose_memory(mask, patch=32, count=100, stride=16, generator=generator())
        assert len({tuple(window) for window in memory.windows.tolist()}) == 100
        assert window_holes(mask, memory.windows, 32).max() == 0
        assert memory.hole_share.max() == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.05), st.integers(2, 60))
def test_memory_is_whole_where_it_can_be_and_least_masked_elsewhere(seed: int, share: float, count: int) -> None:
    mask = (torch.rand(1, 1, 48, 56, generator=generator(seed)) < share).float()
    memory = choose_memory(mask, patch=8, count=count, stride=8, generator=generator(seed))
    every = torch.cartesian_prod(torch.tensor([0]), torch.arange(0, 41, 4), torch.arange(0, 49, 4))
    holes = window_holes(mask, every, 8)
    torch.testing.assert_close(memory.hole_share, window_holes(mask, memory.windows, 8))
    if int((holes == 0).sum()) >= count:
        assert len(memory.windows) == count
        assert memory.hole_share.max() == 0
    else:
        best = holes.sort().values[:count]
        torch.testing.assert_close(memory.hole_share.sort().values, best[best <= 0.5])


def test_memory_is_seeded_and_a_dense_one_needs_no_seed() -> None:
    mask = box_mask(256, 256, 64, 64, 128, 128)

    def windows(seed: int, selection: str = "sampled") -> Tensor:
        return choose_memory(
            mask, patch=32, count=100, stride=16, selection=selection, generator=generator(seed)
        ).windows

    assert torch.equal(windows(1), windows(1))
    assert not torch.equal(windows(1), windows(2))
    assert torch.equal(windows(1, "dense"), windows(2, "dense"))
    assert len(windows(1, "dense")) == 200
    sampled = {tuple(window) for window in windows(1).tolist()}
    assert sampled <= {tuple(window) for window in windows(1, "dense").tolist()}


def test_memory_of_a_hole_without_surroundings_still_has_k_windows() -> None:
    mask = box_mask(64, 64, 0, 0, 64, 60)
    memory = choose_memory(mask, patch=16, count=100, stride=8, at_least=4, generator=generator())
    assert len(memory.windows) == 4
    assert (memory.hole_share > 0.5).all()


# Retrieval


def test_ranks_are_the_best_in_order_with_ties_to_the_lower_index() -> None:
    similarity = torch.tensor([[0.1, 0.9, 0.5, 0.9, -0.2], [0.0, 0.0, 0.0, 0.0, 0.1]])
    assert ranked(similarity, 4).tolist() == [[1, 3, 2, 0], [4, 0, 1, 2]]
    assert ranked(similarity[:, :2], 4).tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_retrieved_patches_are_bit_for_bit_those_of_the_memory() -> None:
    similarity = random(7, 11).requires_grad_()
    memory = random(11, 3, 8, 8, seed=1) * 3
    patches, indices = retrieve_top_k(similarity, memory, 4, 10.0)
    assert patches.requires_grad
    assert torch.equal(patches, memory[indices])
    assert torch.equal(indices, similarity.topk(4).indices)


def test_gradient_of_retrieval_is_that_of_the_weighted_sum() -> None:
    hard, soft = (random(5, 9).requires_grad_() for _ in range(2))
    memory = random(9, 3, 4, 4, seed=1).requires_grad_()
    pull = random(5, 4, 3, 4, 4, seed=2)
    (retrieve_top_k(hard, memory, 4, 10.0)[0] * pull).sum().backward()
    (weighted_sum(soft, memory, 10.0) * pull.sum(1)).sum().backward()
    assert hard.grad is not None
    assert hard.grad.abs().max() > 0
    torch.testing.assert_close(hard.grad, soft.grad)
    assert memory.grad is None


def test_similarities_are_cosines() -> None:
    torch.manual_seed(0)
    correspondence = Correspondence(4)
    coarse, memory = random(6, 3, 8, 8), random(5, 3, 8, 8, seed=1)
    expected = F.cosine_similarity(
        correspondence.phi(coarse).flatten(1)[:, None], correspondence.theta(memory).flatten(1)[None], dim=2
    )
    torch.testing.assert_close(correspondence(coarse, memory), expected)
    # The norm of an embedding must not matter: equation (3) against equation (2).
    assert correspondence(coarse * 1000, memory).abs().max() <= 1 + 1e-5


def test_planted_twins_are_found_first() -> None:
    torch.manual_seed(0)
    correspondence = Correspondence(8)
    memory = random(60, 3, 16, 16)
    twins = [3, 59, 17, 17, 0]
    coarse = memory[twins] + 0.05 * random(5, 3, 16, 16, seed=1)
    assert ranked(correspondence(coarse, memory), 4)[:, 0].tolist() == twins


@pytest.mark.parametrize("chunk", [1, 7, 200])
def test_search_in_chunks_equals_the_whole(chunk: int) -> None:
    torch.manual_seed(0)
    correspondence = Correspondence(8)
    coarse, memory = random(23, 3, 8, 8), random(40, 3, 8, 8, seed=1)
    seen: list[int] = []
    found = find_patches(
        correspondence,
        lambda start, end: coarse[start:end],
        23,
        lambda start, end: memory[start:end],
        40,
        4,
        chunk=chunk,
        on_chunk=seen.append,
    )
    with torch.no_grad():
        assert torch.equal(found, ranked(correspondence(coarse, memory), 4))
    assert seen[-1] == 23
    assert len(seen) == -(-23 // chunk)
