"""The losses of T-MAD, equations (1) and (6) to (10).

The text of equations (6) and (7) is lost. They are rebuilt from the paper's description of each of their terms, from
the relativistic average GAN (Jolicoeur-Martineau 2019) that they extend, and from the non-saturating loss
(Goodfellow et al. 2014) that the paper names. The weights are those of table II, read in the order of the equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inpainting.layers.blending import cut_windows
from inpainting.layers.discriminators import PatchCritic, PatchGAN
from inpainting.layers.losses import nonsaturating_discriminator, nonsaturating_generator, total_variation
from inpainting.models.tmad.system import Synthesis

PerceptualDistance = Callable[[Tensor, Tensor], Tensor]
"""Distance (scalar) of two batches of images (B, 3, H, W) in [-1, 1]."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Factors of the terms of equation (10)."""

    known: float = 1.0
    hole: float = 6.0
    patch: float = 1.0
    perceptual: float = 0.05
    distribution: float = 0.02
    variation: float = 0.02
    image_adversarial: float = 0.02


class Critics(nn.Module):
    """The two discriminators: of patches, and of whole results (70×70 PatchGAN)."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = PatchCritic()
        self.image = PatchGAN()


class Logits(NamedTuple):
    """A critic's outputs for patches of several images."""

    values: Tensor
    """(N,) without a sigmoid."""
    image: Tensor
    """(N,) int64: the image in the batch that each patch belongs to."""


def coarse_loss(coarse: Tensor, photo: Tensor, mask: Tensor, weights: LossWeights | None = None) -> Tensor:
    """Equation (1): L1 of the coarse estimate, with a factor for known and one for hole pixels; mean over the image."""
    weights = weights or LossWeights()
    factor = weights.known + (weights.hole - weights.known) * mask.to(coarse.dtype)
    return ((coarse - photo).abs() * factor).mean()


def patch_critic_loss(
    fake: Logits, truth: Logits, retrieved: Logits, images: int, *, relativistic: bool = True
) -> Tensor:
    """Equation (6), the discriminator's side of the patch-distribution loss; scalar.

    Real are the ground truth of the cells and the patches retrieved for them, in equal parts. With C the logits, each
    real patch is to exceed the mean of its *own image's* synthesised patches, and each of those to stay below the mean
    of its image's real ones: the distribution is that of one photo, not of the data set.

    Without `relativistic`: the plain non-saturating loss with the ground truth as real, the ablation of table VI.
    """
    if not relativistic:
        return _mean(F.softplus(-truth.values), truth, images) + _mean(F.softplus(fake.values), fake, images)
    fake_mean, real_mean = _image_means(fake, images), _real_means(truth, retrieved, images)
    real = sum(0.5 * _mean(F.softplus(fake_mean[r.image] - r.values), r, images) for r in (truth, retrieved))
    return real + _mean(F.softplus(fake.values - real_mean[fake.image]), fake, images)


def patch_generator_loss(
    fake: Logits, truth: Logits, retrieved: Logits, memory: Logits, images: int, *, relativistic: bool = True
) -> Tensor:
    """Equation (7), the generator's side of `patch_critic_loss`; scalar.

    The last term is the paper's compensation: the synthesised patches are also compared with the mean of the image's
    whole texture memory, in case that no suitable patch was retrieved.
    """
    if not relativistic:
        return _mean(F.softplus(-fake.values), fake, images)
    fake_mean, real_mean = _image_means(fake, images), _real_means(truth, retrieved, images)
    real = sum(0.5 * _mean(F.softplus(r.values - fake_mean[r.image]), r, images) for r in (truth, retrieved))
    above_real = _mean(F.softplus(real_mean[fake.image] - fake.values), fake, images)
    above_memory = _mean(F.softplus(_image_means(memory, images)[fake.image] - fake.values), fake, images)
    return above_real + real + above_memory


def generator_losses(
    synthesis: Synthesis,
    photo: Tensor,
    mask: Tensor,
    *,
    critics: Critics | None = None,
    perceptual: PerceptualDistance | None = None,
    weights: LossWeights | None = None,
    relativistic: bool = True,
) -> dict[str, Tensor]:
    """The weighted terms of equation (10); their sum is what coarse network, embeddings and PSNet minimise.

    The perceptual distance is taken between the tiled result and the photo: on single 32×32 patches the deepest
    features would be 2×2. The adversarial terms are there only with `critics`; their parameters get gradients too,
    which the critics' own step has to clear.
    """
    weights = weights or LossWeights()
    truth = cut_windows(photo, synthesis.cells, synthesis.patches.shape[-1])
    terms = {
        "coarse": coarse_loss(synthesis.coarse, photo, mask, weights),
        "patch": weights.patch * F.l1_loss(synthesis.patches, truth),
        "variation": weights.variation * total_variation(synthesis.result),
    }
    if perceptual is not None:
        terms["perceptual"] = weights.perceptual * perceptual(synthesis.result, photo)
    if critics is not None:
        fake = Logits(critics.patch(synthesis.patches), synthesis.cells[:, 0])
        with torch.no_grad():
            real, retrieved, memory = _judge(
                critics.patch,
                (truth, synthesis.cells[:, 0]),
                _flat_retrieved(synthesis),
                (synthesis.memory, synthesis.memory_windows[:, 0]),
            )
        terms["distribution"] = weights.distribution * patch_generator_loss(
            fake, real, retrieved, memory, len(photo), relativistic=relativistic
        )
        terms["image_adversarial"] = weights.image_adversarial * nonsaturating_generator(
            critics.image(synthesis.result)
        )
    return terms


def critic_losses(
    synthesis: Synthesis, photo: Tensor, critics: Critics, *, relativistic: bool = True
) -> dict[str, Tensor]:
    """What the two critics minimise; no gradient flows into the generator."""
    truth = cut_windows(photo, synthesis.cells, synthesis.patches.shape[-1])
    fake, real, retrieved = _judge(
        critics.patch,
        (synthesis.patches.detach(), synthesis.cells[:, 0]),
        (truth, synthesis.cells[:, 0]),
        _flat_retrieved(synthesis),
    )
    result = critics.image(synthesis.result.detach())
    return {
        "patch_critic": patch_critic_loss(fake, real, retrieved, len(photo), relativistic=relativistic),
        "image_critic": nonsaturating_discriminator(critics.image(photo), result),
    }


def _flat_retrieved(synthesis: Synthesis) -> tuple[Tensor, Tensor]:
    retrieved = synthesis.retrieved.detach()
    return retrieved.flatten(0, 1), synthesis.cells[:, 0].repeat_interleave(retrieved.shape[1])


def _judge(critic: nn.Module, *groups: tuple[Tensor, Tensor]) -> list[Logits]:
    """All groups in one pass, so that the spectral norm's power iteration moves once."""
    values = critic(torch.cat([patches for patches, _ in groups])).split([len(patches) for patches, _ in groups])
    return [Logits(value, image) for value, (_, image) in zip(values, groups, strict=True)]


def _image_means(logits: Logits, images: int) -> Tensor:
    """(images,): the mean logit of each image's patches."""
    total = logits.values.new_zeros(images).index_add(0, logits.image, logits.values)
    count = logits.values.new_zeros(images).index_add(0, logits.image, torch.ones_like(logits.values))
    return total / count.clamp_min(1)


def _real_means(truth: Logits, retrieved: Logits, images: int) -> Tensor:
    return 0.5 * (_image_means(truth, images) + _image_means(retrieved, images))


def _mean(values: Tensor, of: Logits, images: int) -> Tensor:
    """Mean over each image's patches, then over the images."""
    return _image_means(Logits(values, of.image), images).mean()
