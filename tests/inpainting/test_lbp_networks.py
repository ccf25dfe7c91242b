"""The two networks and their losses: parameter counts, the layer table, gradients, overfitting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.layers.binary_patterns import photo_patterns, unknown_patterns
from inpainting.layers.discriminators import PatchGAN
from inpainting.layers.spatial_attention import Picks, SpatialAttention
from inpainting.layers.unet import UNet
from inpainting.models.lbp_losses import (
    GeneratorLosses,
    LossWeights,
    discriminator_loss,
    gram,
    hole_view,
    image_losses,
    multi_level_loss,
    pattern_losses,
)
from inpainting.models.lbp_networks import SIZES, LBPConfig, LBPInpainter


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def seeded(**switches: object) -> LBPInpainter:
    torch.manual_seed(0)
    return LBPInpainter(LBPConfig.of("small", **switches))


def example(batch: int = 2, side: int = 64, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Smooth random photos in [-1, 1] and free-form-like holes."""
    generator = torch.Generator().manual_seed(seed)
    photo = F.interpolate(torch.rand(batch, 3, 8, 8, generator=generator), size=side, mode="bicubic").clamp(0, 1)
    mask = torch.zeros(batch, 1, side, side)
    mask[:, :, side // 4 : side // 2, side // 3 : side // 3 * 2] = 1
    mask[:, :, -5:, :9] = 1
    return photo * 2 - 1, mask


def count(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


# Sizes


def test_parameters_of_the_papers_size() -> None:
    """The layer table's own numbers: 54.40 M and 54.93 M."""
    with torch.device("meta"):
        system = LBPInpainter(SIZES["paper"])
    assert count(system.pattern_network) == 54_399_553
    assert count(system.image_network) == 54_931_011
    assert round(count(system) / 1e6, 1) == 109.3
    assert system.multiple == 256


def test_parameters_of_the_shipped_size() -> None:
    system = seeded()
    assert (count(system.pattern_network), count(system.image_network)) == (1_827_985, 1_862_547)
    assert count(system) <= 4_000_000
    assert system.multiple == 64


def test_the_papers_layers_channel_by_channel() -> None:
    """Table V; layer 13 of G2 takes 768 channels because of the attention."""
    with torch.device("meta"):
        system = LBPInpainter(SIZES["paper"])
    assert system.pattern_network is not None
    for network, first, last, joined in ((system.pattern_network, 2, 1, 512), (system.image_network, 5, 3, 768)):
        assert [layer.in_channels for layer in network.contract] == [first, 64, 128, 256, 512, 512, 512, 512]
        assert [layer.out_channels for layer in network.contract] == [64, 128, 256, 512, 512, 512, 512, 512]
        assert [layer.in_channels for layer in network.expand] == [512, 1024, 1024, 1024, 1024, joined, 256, 128]
        assert [layer.out_channels for layer in network.expand] == [512, 512, 512, 512, 256, 128, 64, last]
        for layer in (*network.contract, *network.expand):
            assert (layer.kernel_size, layer.stride, layer.padding) == ((4, 4), (2, 2), (1, 1))


@pytest.mark.parametrize(("size", "layers"), [("paper", 14), ("small", 10)])
def test_inner_activations_and_the_attentions_resolution(size: str, layers: int) -> None:
    """At 256×256 the attention works on 32×32 positions; the multi-level loss sees all layers but the last."""
    widths = tuple(max(2, width // 32) for width in SIZES[size].widths)
    torch.manual_seed(0)
    network = UNet(5, 3, widths, SpatialAttention())
    seen: list[Picks] = []
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 101, 99] = 1
    output = network(torch.rand(1, 5, 256, 256), mask, keep_activations=True, on_attention=seen.append)
    assert output.response.shape == (1, 3, 256, 256)
    assert len(output.activations) == layers
    assert (seen[0].height, seen[0].width) == (32, 32)
    assert seen[0].positions.tolist() == [[12 * 32 + 12]]


# The networks' behaviour


def test_sides_must_fit() -> None:
    photo, mask = example(side=96)
    with pytest.raises(ValueError, match="multiples of 64"):
        seeded()(photo, mask)


def test_known_values_pass_through_and_hidden_ones_do_not_matter() -> None:
    system = seeded().eval()
    photo, mask = example()
    other = torch.where(mask > 0, torch.rand_like(photo), photo)
    with torch.no_grad():
        filled, patterns = system(photo, mask)
        again, _ = system(other, mask)
    assert patterns is not None
    known = (mask == 0).expand_as(photo)
    assert torch.equal(filled.composite[known], photo[known])
    certain = unknown_patterns(mask) == 0
    assert torch.equal(patterns.composite[certain], photo_patterns(photo)[certain])
    assert torch.equal(filled.composite, again.composite)
    assert filled.composite.abs().max() <= 1


def test_batch_equals_single() -> None:
    system = seeded().eval()
    photo, mask = example(batch=3)
    mask[1, :, 20:60, 2:30] = 1
    with torch.no_grad():
        together, _ = system(photo, mask)
        for row in range(3):
            alone, _ = system(photo[row : row + 1], mask[row : row + 1])
            torch.testing.assert_close(together.composite[row : row + 1], alone.composite, rtol=0, atol=1e-5)


def test_zeroed_attention_is_the_u_net_without_it() -> None:
    torch.manual_seed(0)
    widths = SIZES["small"].widths
    attended = UNet(5, 3, widths, SpatialAttention()).eval()
    plain = UNet(5, 3, widths).eval()
    state = attended.state_dict()
    joined = 2 * widths[2]
    layer = next(name for name, value in state.items() if value.shape[0] == 3 * widths[2] and "expand" in name)
    plain.load_state_dict({name: value[:joined] if name == layer else value for name, value in state.items()})
    features, mask = torch.rand(1, 5, 64, 64), example(batch=1)[1]
    with torch.no_grad():
        before = attended(features, mask).response
        attended.get_parameter(layer)[joined:] = 0
        without = attended(features, mask).response
        torch.testing.assert_close(without, plain(features, mask).response, rtol=0, atol=1e-5)
    assert (before - without).abs().max() > 1e-3


def test_guidance_reaches_the_result() -> None:
    system = seeded().eval()
    photo, mask = example()
    with torch.no_grad():
        dark = system.inpaint(photo, mask, torch.full_like(mask, -1.0)).composite
        bright = system.inpaint(photo, mask, torch.full_like(mask, 1.0)).composite
    assert (dark - bright).abs().max() > 1e-3


def test_a_network_without_guidance_says_so() -> None:
    system = seeded(guidance=False)
    photo, mask = example()
    filled, patterns = system(photo, mask)
    assert patterns is None
    assert filled.composite.shape == photo.shape
    with pytest.raises(ValueError, match="without guidance"):
        system.predict_patterns(photo, mask)
    with pytest.raises(ValueError, match="guidance"):
        system.inpaint(photo, mask, mask)
    with pytest.raises(ValueError, match="guidance"):
        seeded().inpaint(photo, mask, None)


@pytest.mark.parametrize("switches", [{}, {"guidance": False}, {"attention": "known"}, {"attention": "off", "top": 3}])
def test_configuration_survives_a_weights_files_metadata(switches: dict[str, object]) -> None:
    config = LBPConfig.of("small", **switches)
    assert LBPConfig.from_metadata(config.to_metadata()) == config


# Losses


def taps(photo: Tensor) -> Sequence[Tensor]:
    """A stand-in for a feature network with the same shape of answer: fixed filters at two scales."""
    generator = torch.Generator().manual_seed(5)
    first = F.relu(F.conv2d(photo, torch.randn(6, 3, 3, 3, generator=generator)))
    second = F.relu(F.conv2d(F.avg_pool2d(first, 2), torch.randn(8, 6, 3, 3, generator=generator)))
    return [first, second]


def moving(system: nn.Module) -> set[str]:
    return {
        name
        for name, parameter in system.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().max() > 0
    }


@pytest.mark.parametrize("switches", [{}, {"guidance": False}, {"attention": "known"}, {"attention": "off"}])
def test_gradient_reaches_every_parameter_end_to_end(switches: dict[str, object]) -> None:
    system, critic = seeded(**switches), PatchGAN(3, 32)
    photo, mask = example()
    losses = image_losses(system, photo, mask, critic, taps)
    losses.total.backward()
    assert moving(system) == {name for name, _ in system.named_parameters()}
    assert set(losses.terms) == {"reconstruction", "multilevel", "adversarial", "perceptual", "style"}


def test_stage_one_trains_the_first_network_alone() -> None:
    system, critic = seeded(), PatchGAN(1, 32)
    photo, mask = example()
    pattern_losses(system, photo, mask, critic).total.backward()
    assert moving(system) == {name for name, _ in system.named_parameters() if name.startswith("pattern_network")}


def test_the_discriminators_step_leaves_the_generator_alone() -> None:
    system, critic = seeded(), PatchGAN(1, 32)
    photo, mask = example()
    losses = pattern_losses(system, photo, mask, critic)
    critic.zero_grad()
    discriminator_loss(critic, losses.real, losses.fake).backward()
    assert moving(critic) == {name for name, _ in critic.named_parameters()}
    assert moving(system) == set()


def test_totals_are_the_weighted_sums_of_the_papers_equations() -> None:
    photo, mask = example()
    critic = PatchGAN(3, 32).eval()
    losses = image_losses(seeded(), photo, mask, critic, taps)
    t = {name: float(value) for name, value in losses.terms.items()}
    expected = (
        0.01 * t["multilevel"] + 10 * t["reconstruction"] + 0.2 * t["adversarial"] + t["perceptual"] + 10 * t["style"]
    )
    assert losses.total.item() == pytest.approx(expected, rel=1e-5)
    rest = image_losses(seeded(), photo, mask, None, None, LossWeights(multilevel=0))
    assert set(rest.terms) == {"reconstruction"}
    assert float(rest.terms["reconstruction"]) == pytest.approx(t["reconstruction"], rel=1e-5)


def test_a_perfect_result_has_no_loss_but_the_adversarial() -> None:
    """A network that is told the truth: raw = truth, and activations equal their own goal."""
    activations = [torch.rand(1, 2, 4, 4), torch.rand(1, 3, 2, 2)]
    assert float(multi_level_loss(activations, activations)) == 0
    shifted = [part + 0.5 for part in activations]
    assert float(multi_level_loss(shifted, activations)) == pytest.approx(2 * 0.25)


def test_the_multi_level_goal_is_a_constant() -> None:
    made, goal = torch.rand(1, 2, requires_grad=True), torch.rand(1, 2, requires_grad=True)
    multi_level_loss([made], [goal]).backward()
    assert made.grad is not None
    assert goal.grad is None


def test_gram_is_the_normalised_inner_product_of_channels() -> None:
    features = torch.rand(2, 3, 4, 5)
    expected = torch.einsum("bchw,bdhw->bcd", features, features) / (3 * 4 * 5)
    torch.testing.assert_close(gram(features), expected)


def test_discriminators_see_rectangular_holes_alone() -> None:
    images = torch.rand(2, 3, 128, 128)
    mask = torch.zeros(2, 1, 128, 128)
    mask[0, :, 10:74, 20:90] = 1
    mask[1, :, 60:124, 5:75] = 1
    view = hole_view(images, mask)
    assert torch.equal(view, torch.stack([images[0, :, 10:74, 20:90], images[1, :, 60:124, 5:75]]))
    mask[1, :, 60, 5] = 0
    assert hole_view(images, mask) is images
    for unfit in (torch.zeros_like(mask), F.pad(torch.ones(2, 1, 20, 20), (4, 104, 4, 104))):
        assert hole_view(images, unfit) is images


# Training


def test_both_stages_overfit_two_photos() -> None:
    """The hole of each photo comes within 20 dB of the truth, by the losses a trainer uses."""
    torch.manual_seed(0)
    system, critics = seeded(), (PatchGAN(1, 16), PatchGAN(3, 16))
    photo, mask = example(seed=3)
    first = _train(lambda critic: pattern_losses(system, photo, mask, critic), system, critics[0], 30)
    assert first[-1] < 0.1 * first[0]
    second = _train(lambda critic: image_losses(system, photo, mask, critic, taps), system, critics[1], 50)
    with torch.no_grad():
        filled, _ = system(photo, mask)
    error = ((filled.composite - photo) / 2).square() * mask
    assert second[-1] < 0.2 * second[0]
    assert -10 * torch.log10(error.sum() / (3 * mask.sum())) > 20


def _train(
    losses_of: Callable[[nn.Module], GeneratorLosses], system: LBPInpainter, critic: nn.Module, steps: int
) -> list[float]:
    makers = torch.optim.Adam(system.parameters(), lr=1e-3, betas=(0.5, 0.999))
    judges = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    history = []
    for _ in range(steps):
        losses = losses_of(critic)
        makers.zero_grad()
        losses.total.backward()
        makers.step()
        judges.zero_grad()
        discriminator_loss(critic, losses.real, losses.fake).backward()
        judges.step()
        history.append(float(losses.terms["reconstruction"]))
    return history
