"""TTA-Net as a network: sizes, gradients, chunks, what it may look at."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers.gated import GatedConv2d
from inpainting.layers.texture_transform import Search
from inpainting.models.tta import TTAGenerator, build_generator


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def seeded(size: str = "tiny", **switches: Any) -> TTAGenerator:
    torch.manual_seed(5)
    return build_generator(size, **switches)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def hole_in(height: int, width: int) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 3 : height * 2 // 3, width // 3 : width * 2 // 3] = 1
    return mask


def pictures(count: int, side: int) -> Tensor:
    """Smooth pictures with some grain, (count, 3, side, side) in [-1, 1]."""
    smooth = F.interpolate(random(count, 3, side // 4, side // 4, seed=1), size=(side, side), mode="bilinear")
    return (smooth + 0.2 * random(count, 3, side, side, seed=1)).clamp(-1, 1)


@pytest.mark.parametrize(("size", "count"), [("paper", 7_376_331), ("small", 3_281_715), ("tiny", 1_847_847)])
def test_parameter_counts(size: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in build_generator(size).parameters()) == count


@pytest.mark.parametrize(("attention", "normalise"), list(itertools.product(["hard", "soft", "off"], [True, False])))
def test_gradient_reaches_every_parameter(attention: str, normalise: bool) -> None:
    network = seeded(attention=attention, normalise=normalise)
    output = network(random(2, 3, 48, 40), hole_in(48, 40).repeat(2, 1, 1, 1))
    assert output.prediction.shape == (2, 3, 48, 40)
    output.prediction.abs().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 72), (64, 8), (40, 56)])
def test_any_size_that_eight_divides(height: int, width: int) -> None:
    output = seeded()(random(1, 3, height, width), hole_in(height, width))
    assert output.prediction.shape == (1, 3, height, width)
    assert torch.isfinite(output.prediction).all()
    for level in (4, 2, 1):
        assert output.ratios[level].shape == (1, 1, height // level, width // level)
        assert output.indices[level].shape == (1, height // level // 2, width // level // 2)


def test_hidden_pixels_do_not_leak() -> None:
    network, mask = seeded(), hole_in(40, 40)
    image = random(1, 3, 40, 40)
    first = network(image, mask).prediction
    second = network(torch.where(mask > 0, random(1, 3, 40, 40, seed=9), image), mask).prediction
    assert torch.equal(first, second)


def test_chunked_search_gives_the_same_picture() -> None:
    network = seeded()
    image, mask = random(1, 3, 64, 64), hole_in(64, 64)
    whole = network(image, mask)
    parts = network(image, mask, search=Search(budget_bytes=5000))
    for level in (4, 2, 1):
        assert torch.equal(whole.indices[level], parts.indices[level])
    torch.testing.assert_close(parts.prediction, whole.prediction, atol=1e-5, rtol=0)


def test_quick_search_stays_near_the_exhaustive_one() -> None:
    """Even with random weights, where the coarse match says little about the fine one."""
    network = seeded()
    image = pictures(1, 128)
    mask = hole_in(128, 128)
    exhaustive = network(image, mask, search=Search("exhaustive")).ratios[1][mask > 0]
    quick = network(image, mask, search=Search("quick")).ratios[1][mask > 0]
    assert quick.mean() > 0.85 * exhaustive.mean()


def test_attention_copies_only_what_the_mask_leaves() -> None:
    mask = hole_in(64, 64)
    output = seeded()(random(1, 3, 64, 64), mask)
    for level, match in output.levels.items():
        hole = F.max_pool2d(mask, level)[0, 0]
        columns = match.sources.shape[2]
        for source in match.sources[match.queries].unique().tolist():
            r, c = 2 * (source // columns), 2 * (source % columns)
            assert not hole[max(0, r - 2) : r + 3, max(0, c - 2) : c + 3].any()


def test_gated_convolution_is_elu_times_sigmoid() -> None:
    torch.manual_seed(0)
    layer = GatedConv2d(3, 4, kernel=3, dilation=2)
    maps = random(1, 3, 9, 9)
    padded = F.pad(maps, (2, 2, 2, 2), mode="reflect")
    features = F.conv2d(padded, layer.conv.weight[:4], dilation=2)
    gates = F.conv2d(padded, layer.conv.weight[4:], dilation=2)
    torch.testing.assert_close(layer(maps), F.elu(features) * gates.sigmoid(), atol=1e-6, rtol=0)
    assert GatedConv2d(3, 4, stride=2)(maps).shape == (1, 4, 5, 5)


def test_a_deep_gated_stack_starts_with_a_living_signal() -> None:
    torch.manual_seed(0)
    maps = torch.randn(1, 32, 24, 24)
    for _ in range(12):
        maps = GatedConv2d(32, 32)(maps)
    assert 0.2 < maps.square().mean().sqrt() < 2


def test_a_short_training_learns_a_picture() -> None:
    torch.manual_seed(0)
    network = TTAGenerator(8)
    target = pictures(2, 32)
    mask = hole_in(32, 32).repeat(2, 1, 1, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.5, 0.999))
    losses = []
    for _ in range(60):
        loss = (network(target, mask).prediction - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


def test_unknown_sizes_and_switches_are_named() -> None:
    with pytest.raises(ValueError, match=r"no size 'huge'\. It has: paper, small, tiny"):
        build_generator("huge")
    with pytest.raises(ValueError, match="no attention 'loud'"):
        build_generator("tiny", attention="loud")  # type: ignore[arg-type]
