"""Loss terms against their definitions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inpainting.layers import losses
from inpainting.layers.discriminators import PatchCritic, PatchGAN, SNPatchGAN


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def taps(pictures: Tensor) -> Sequence[Tensor]:
    return [pictures * 2, F.avg_pool2d(pictures, 2).square()]


def test_reconstruction_counts_what_it_is_told_to() -> None:
    prediction, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    target[..., 0, 0] = 8.0
    assert losses.reconstruction(prediction, target).item() == pytest.approx(0.5)
    corner = torch.zeros(1, 1, 4, 4)
    corner[..., 0, :2] = 1
    assert losses.reconstruction(prediction, target, corner).item() == pytest.approx(4.0)
    assert losses.reconstruction(prediction, target, torch.zeros(1, 1, 4, 4)).item() == 0


def test_hinge_stops_beyond_the_margin() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0])
    assert losses.hinge_discriminator(real, fake).item() == pytest.approx(0.25 + 0.5)
    assert losses.hinge_generator(fake).item() == pytest.approx(1.5)


def test_nonsaturating_is_binary_cross_entropy() -> None:
    real, fake = random(7), random(7, seed=1)
    one, zero = torch.ones(7), torch.zeros(7)
    cross_entropy = F.binary_cross_entropy_with_logits
    expected = cross_entropy(real, one) + cross_entropy(fake, zero)
    torch.testing.assert_close(losses.nonsaturating_discriminator(real, fake), expected)
    torch.testing.assert_close(losses.nonsaturating_generator(fake), cross_entropy(fake, one))


def test_gram_is_the_normalised_product() -> None:
    features = random(2, 3, 4, 5)
    expected = torch.einsum("bcyx,bdyx->bcd", features, features) / (3 * 4 * 5)
    torch.testing.assert_close(losses.gram(features), expected, atol=1e-6, rtol=0)


def test_style_ignores_places_and_perceptual_does_not() -> None:
    pictures = random(1, 3, 8, 8)
    moved = pictures.roll((4, 2), (2, 3))
    assert losses.style(taps(pictures), taps(moved)).item() == pytest.approx(0, abs=1e-6)
    assert losses.perceptual(taps(pictures), taps(moved)) > 0.1
    assert losses.perceptual(taps(pictures), taps(pictures)).item() == 0


def test_total_variation_of_a_ramp() -> None:
    ramp = torch.arange(6.0).expand(1, 3, 4, 6)
    assert losses.total_variation(ramp).item() == pytest.approx(1.0)
    assert losses.total_variation(ramp.transpose(2, 3) * 3).item() == pytest.approx(3.0)


def test_discriminators_have_the_papers_sizes() -> None:
    counts = [sum(p.numel() for p in critic.parameters()) / 1e6 for critic in (SNPatchGAN(), PatchGAN())]
    assert counts == [pytest.approx(5.95, abs=0.005), pytest.approx(2.77, abs=0.005)]


def test_discriminators_learn_to_tell_noise_from_plain() -> None:
    torch.manual_seed(0)
    mask = torch.zeros(4, 1, 32, 32)
    whole = SNPatchGAN(widths=(8, 16, 16))
    for critic, logits in (
        (whole, lambda x: whole(x, mask)),
        (patch := PatchGAN(width=8), lambda x: patch(x)),
        (single := PatchCritic(widths=(8, 8, 8, 8, 8)), lambda x: single(x)),
    ):
        optimiser = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
        history = []
        for step in range(25):
            plain = random(4, 3, 1, 1, seed=step).expand(4, 3, 32, 32)
            noise = random(4, 3, 32, 32, seed=step)
            loss = losses.nonsaturating_discriminator(logits(noise), logits(plain))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            history.append(loss.item())
        assert history[-1] < 0.75 * history[0], type(critic).__name__


def test_spectral_norm_bounds_every_layer() -> None:
    torch.manual_seed(0)
    critic = SNPatchGAN(widths=(8, 16))
    image, mask = random(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    for _ in range(30):
        critic(image, mask)
    for layer in critic.layers:
        if isinstance(layer, torch.nn.Conv2d):
            largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), ord=2)
            assert largest.item() == pytest.approx(1.0, abs=0.05)
