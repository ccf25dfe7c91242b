"""The networks of T-MAD and their losses: sizes, gradients, training."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from inpainting import catalog
from inpainting.models.tmad import PAPER, SIZES, SMALL, TMAD, Synthesis, TMADConfig, build, checkpoint
from inpainting.models.tmad.losses import (
    Critics,
    Logits,
    LossWeights,
    coarse_loss,
    critic_losses,
    generator_losses,
    patch_critic_loss,
    patch_generator_loss,
)
from inpainting.models.tmad.networks import CoarseNet, DownBlock, PSNet
from inpainting.weights.loading import WeightsError, load_into, read_weights, write_weights

TINY = TMADConfig(coarse=(8, 8, 12, 12), synthesis=(8, 8, 12), texture=(8, 8, 12), embedding=4, coarse_blocks=2)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scene(batch: int = 2, side: int = 64) -> tuple[Tensor, Tensor]:
    photo = F.interpolate(random(batch, 3, 8, 8).clamp(-1, 1), size=(side, side), mode="bicubic").clamp(-1, 1)
    mask = torch.zeros(batch, 1, side, side)
    mask[:, :, side // 4 : side // 2, side // 4 : side // 2 + 5] = 1
    return photo, mask


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_paper_size_has_the_papers_parameters() -> None:
    """Table III: 3.9 M in all."""
    network = TMAD(PAPER)
    assert parameters(network) == 3_869_050
    assert round(parameters(network) / 1e6, 1) == 3.9
    assert parameters(network.coarse) == 2_092_591
    assert parameters(network.psnet) - parameters(network.psnet.texture) == 1_300_459
    assert parameters(network.psnet.texture) == 455_712
    assert parameters(network.correspondence) == 20_288


def test_block_counts_are_those_of_table_1() -> None:
    network = TMAD(PAPER)
    assert [len(part) for part in (network.coarse.down, network.coarse.body, network.coarse.up)] == [3, 8, 3]
    assert [len(part) for part in (network.psnet.down, network.psnet.body)] == [2, 5]
    assert len(network.psnet.texture.body) == 2
    assert not any(isinstance(module, torch.nn.modules.batchnorm._NormBase) for module in network.modules())


def test_small_size_fits_the_repository(tmp_path: Path) -> None:
    network = TMAD(SMALL)
    assert parameters(network) == 2_053_866
    write_weights(tmp_path / "tmad.safetensors", network.state_dict(), checkpoint.describe(network, "small"))
    assert (tmp_path / "tmad.safetensors").stat().st_size < 8_000_000


def test_down_block_is_convolution_then_nearest_down_sampling() -> None:
    block = DownBlock(5, 7)
    features = random(2, 5, 12, 16)
    first, second = block[0][0], block[1][0]
    plain = F.leaky_relu(F.conv2d(F.leaky_relu(first(features), 0.2), second.weight, second.bias, padding=1), 0.2)
    expected = F.interpolate(plain, scale_factor=0.5, mode="nearest")
    torch.testing.assert_close(block(features), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", sorted(SIZES))
def test_shapes(size: str) -> None:
    network = build(size).eval()
    with torch.no_grad():
        assert CoarseNet(network.config)(torch.zeros(1, 3, 40, 24), torch.zeros(1, 1, 40, 24)).shape == (1, 3, 40, 24)
        patches = PSNet(network.config)(torch.zeros(3, 3, 64, 64), torch.zeros(3, 4, 3, 32, 32))
    assert patches.shape == (3, 3, 32, 32)


def test_nothing_inside_the_hole_is_seen() -> None:
    network = TMAD(TINY).eval()
    photo, mask = scene()
    with torch.no_grad():
        first = network(photo, mask, generator=torch.Generator().manual_seed(1))
        other = network(photo + 9 * mask, mask, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first.result, other.result)


def test_psnet_sees_the_neighbourhood_and_the_order_of_the_textures() -> None:
    network = TMAD(TINY).psnet.eval()
    context, textures = random(1, 3, 64, 64), random(1, 4, 3, 32, 32, seed=1)
    beside = context.clone()
    beside[..., :16, :] += 1
    with torch.no_grad():
        plain = network(context, textures)
        assert (network(beside, textures) - plain).abs().max() > 1e-4
        assert (network(context, textures.flip(1)) - plain).abs().max() > 1e-4


@pytest.mark.parametrize("retrieval", ["topk", "weighted"])
def test_gradient_reaches_every_parameter(retrieval: str) -> None:
    network = build("small", retrieval=retrieval)
    photo, mask = scene(batch=1)
    synthesis = network(photo, mask, cells_per_image=4)
    # Only what PSNet makes: the embeddings and the coarse network must be reached through retrieval and context.
    (synthesis.patches * random(*synthesis.patches.shape)).sum().backward()
    silent = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert silent == []
    assert [name for name, p in network.named_parameters() if p.grad is not None and not p.grad.abs().max() > 0] == []


def test_each_image_retrieves_from_its_own_memory() -> None:
    network = TMAD(TINY)
    photo, mask = scene(batch=1)
    both = network(torch.cat([photo, -photo]), torch.cat([mask, mask]), cells_per_image=3)
    for index, sign in ((0, 1), (1, -1)):
        own = both.memory[both.memory_windows[:, 0] == index]
        for retrieved in both.retrieved[both.cells[:, 0] == index].detach().flatten(0, 1):
            assert (own == retrieved).flatten(1).all(1).any(), f"a patch of another image (sign {sign})"


def test_known_pixels_and_the_estimate_of_another_model() -> None:
    network = TMAD(TINY)
    photo, mask = scene()
    given = torch.full_like(photo, 0.25)
    synthesis = network(photo, mask, coarse=given)
    known = mask.expand_as(photo) < 0.5
    assert torch.equal(synthesis.result[known], photo[known])
    assert torch.equal(synthesis.composite[~known], given[~known])
    synthesis.result.sum().backward()
    assert all(parameter.grad is None for parameter in network.coarse.parameters())


def test_hole_free_image_passes() -> None:
    photo, mask = scene()
    synthesis = TMAD(TINY)(photo, torch.zeros_like(mask))
    assert len(synthesis.cells) == 0
    assert torch.equal(synthesis.result, photo)


def test_training_together_fits_a_photo() -> None:
    network, critics = TMAD(TINY), Critics()
    photo, mask = scene(batch=1)
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    critic_optimiser = torch.optim.Adam(critics.parameters(), 2e-4)
    first: dict[str, float] = {}
    terms: dict[str, Tensor] = {}
    for step in range(30):
        synthesis: Synthesis = network(photo, mask, cells_per_image=4, generator=torch.Generator().manual_seed(step))
        terms = generator_losses(synthesis, photo, mask, critics=critics if step >= 28 else None)
        first = first or {name: value.item() for name, value in terms.items()}
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        if step >= 28:
            critic_optimiser.zero_grad()
            torch.stack(list(critic_losses(synthesis, photo, critics).values())).sum().backward()
            critic_optimiser.step()
    assert terms["patch"].item() < 0.5 * first["patch"]
    assert terms["coarse"].item() < 0.9 * first["coarse"]
    assert all(math.isfinite(value.item()) for value in terms.values())


# Losses


def logits(values: Tensor, images: int = 2) -> Logits:
    return Logits(values, torch.arange(len(values)) % images)


def groups(seed: int = 0) -> list[Logits]:
    """Fake, truth, retrieved and memory logits of two images."""
    return [logits(random(count, seed=seed + count)) for count in (6, 6, 24, 40)]


def test_undecided_critic_gives_multiples_of_ln_2() -> None:
    fake, truth, retrieved, memory = (Logits(torch.full_like(g.values, 1.7), g.image) for g in groups())
    assert patch_critic_loss(fake, truth, retrieved, 2) == pytest.approx(2 * math.log(2), abs=1e-5)
    assert patch_generator_loss(fake, truth, retrieved, memory, 2) == pytest.approx(3 * math.log(2), abs=1e-5)


def test_only_differences_within_an_image_count() -> None:
    fake, truth, retrieved, memory = groups()
    moved = [Logits(g.values + torch.tensor([5.0, -3.0])[g.image], g.image) for g in groups()]
    torch.testing.assert_close(patch_critic_loss(fake, truth, retrieved, 2), patch_critic_loss(*moved[:3], 2))
    torch.testing.assert_close(patch_generator_loss(fake, truth, retrieved, memory, 2), patch_generator_loss(*moved, 2))
    plain = patch_critic_loss(fake, truth, retrieved, 2, relativistic=False)
    assert (plain - patch_critic_loss(*moved[:3], 2, relativistic=False)).abs() > 0.1


@pytest.mark.parametrize("relativistic", [True, False])
def test_generator_and_critic_pull_against_each_other(relativistic: bool) -> None:
    fake, truth, retrieved, memory = groups()
    values = fake.values.requires_grad_()
    patch_generator_loss(Logits(values, fake.image), truth, retrieved, memory, 2, relativistic=relativistic).backward()
    assert values.grad is not None
    assert (values.grad < 0).all()
    values.grad = None
    patch_critic_loss(Logits(values, fake.image), truth, retrieved, 2, relativistic=relativistic).backward()
    assert (values.grad > 0).all()


def test_coarse_loss_weighs_hole_and_known_pixels() -> None:
    photo = torch.zeros(1, 3, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    assert coarse_loss(photo + mask, photo, mask) == pytest.approx(3.0)
    assert coarse_loss(photo + 1 - mask, photo, mask) == pytest.approx(0.5)
    assert coarse_loss(photo + 1, photo, mask, LossWeights(known=1, hole=1)) == pytest.approx(1.0)


def test_critics_learn_from_their_own_losses_only() -> None:
    network, critics = TMAD(TINY), Critics()
    photo, mask = scene()
    synthesis = network(photo, mask, cells_per_image=2)
    sum(critic_losses(synthesis, photo, critics).values()).backward()
    assert all(parameter.grad is not None for parameter in critics.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_all_terms_are_there_and_weighted() -> None:
    network, critics = TMAD(TINY), Critics().eval()
    photo, mask = scene()
    synthesis = network(photo, mask, cells_per_image=2)
    one = generator_losses(synthesis, photo, mask, critics=critics, perceptual=F.mse_loss)
    assert set(one) == {"coarse", "patch", "perceptual", "variation", "distribution", "image_adversarial"}
    doubled = LossWeights(2, 12, 2, 0.1, 0.04, 0.04, 0.04)
    two = generator_losses(synthesis, photo, mask, critics=critics, perceptual=F.mse_loss, weights=doubled)
    for name, value in one.items():
        torch.testing.assert_close(two[name], 2 * value)


# Weights files


def test_weights_file_builds_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = TMAD(TINY).half().float()
    path = tmp_path / "tmad.safetensors"
    write_weights(path, network.state_dict(), checkpoint.describe(network, "tiny"))
    monkeypatch.setattr(checkpoint, "WEIGHTS_DIR", tmp_path)
    loaded, facts = checkpoint.load_network(catalog.get_entry("tmad"))
    assert loaded.config == TINY
    assert facts["size"] == "tiny"
    photo, mask = scene()
    with torch.no_grad():
        results = [net.eval()(photo, mask, generator=torch.Generator().manual_seed(0)) for net in (network, loaded)]
    assert torch.equal(results[0].result, results[1].result)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"model": "tta"}, "not for T-MAD"),
        ({"model": "tmad"}, "do not say which"),
        ({"model": "tmad", "config": "{"}, "do not say which"),
        ({"model": "tmad", "config": '{"width": 3}'}, "do not say which"),
        ({"model": "tmad", "config": "[1]"}, "do not say which"),
    ],
)
def test_foreign_weights_are_refused(metadata: dict[str, str], sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        checkpoint.network_from(metadata)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tmad.safetensors"
    write_weights(path, TMAD(TINY).state_dict(), {})
    with pytest.raises(WeightsError, match="another network"):
        load_into(TMAD(SMALL), read_weights(path))


def test_unknown_size_is_named() -> None:
    with pytest.raises(ValueError, match="no size 'huge'"):
        build("huge")
