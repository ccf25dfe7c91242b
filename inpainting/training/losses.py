"""Loss terms of the papers. All are means, so that their weights hold at any picture and batch size.

Adversarial terms take logits. Perceptual and style terms take any feature extractor: a callable that turns pictures
(B, 3, H, W) in [-1, 1] into a sequence of feature maps; the extractor decides its own normalisation and its taps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Features = Sequence[Tensor]
FeatureExtractor = Callable[[Tensor], Features]


def reconstruction(prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean absolute error, TTA-Net's eq. (8); `weight` (broadcastable) counts pixels, zero leaves them out."""
    error = (prediction - target).abs()
    if weight is None:
        return error.mean()
    counted = weight.to(error.dtype).expand_as(error)
    return (error * counted).sum() / counted.sum().clamp_min(1.0)


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``E[ReLU(1 − D(real))] + E[ReLU(1 + D(fake))]``, TTA-Net's eq. (10)."""
    return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """``−E[D(G(z))]``, TTA-Net's eq. (9)."""
    return -fake.mean()


def nonsaturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of real as 1 and fake as 0 (Goodfellow et al. 2014)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def nonsaturating_generator(fake: Tensor) -> Tensor:
    """``−E[log σ(D(G(z)))]``: strong gradients while the discriminator wins."""
    return F.softplus(-fake).mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Relativistic average loss (Jolicoeur-Martineau 2018), averages taken per picture.

    `real` is (P, R), `fake` (P, S): the logits of R real and S synthesised patches of each of P pictures. With equal
    logits everywhere it is 2 · ln 2.
    """
    real_mean, fake_mean = real.mean(1, keepdim=True), fake.mean(1, keepdim=True)
    return F.softplus(fake_mean - real).mean() + F.softplus(fake - real_mean).mean()


def relativistic_generator(real: Tensor, fake: Tensor, memory: Tensor | None = None) -> Tensor:
    """The other side of `relativistic_discriminator`; `memory` (P, M) adds a pull towards the mean of the memory.

    With equal logits everywhere it is 2 · ln 2, with `memory` 3 · ln 2. Adding a constant to all logits changes
    nothing.
    """
    real_mean, fake_mean = real.mean(1, keepdim=True), fake.mean(1, keepdim=True)
    loss = F.softplus(real_mean - fake).mean() + F.softplus(real - fake_mean).mean()
    if memory is not None:
        loss = loss + F.softplus(memory.mean(1, keepdim=True) - fake).mean()
    return loss


def perceptual(features: Features, target: Features) -> Tensor:
    """Mean absolute difference of each pair of feature maps, summed over the maps; TTA-Net's eq. (11)."""
    return _summed(F.l1_loss(mine, theirs) for mine, theirs in zip(features, target, strict=True))


def gram(features: Tensor) -> Tensor:
    """(B, C, h, w) → Gram matrices (B, C, C) = F Fᵀ / (C · h · w), in float32."""
    with torch.autocast(features.device.type, enabled=False):
        rows = features.float().flatten(2)
        return rows @ rows.transpose(1, 2) / (rows.shape[1] * rows.shape[2])


def style(features: Features, target: Features) -> Tensor:
    """Mean absolute difference of Gram matrices, summed over the maps; TTA-Net's eq. (12)."""
    return _summed(F.l1_loss(gram(mine), gram(theirs)) for mine, theirs in zip(features, target, strict=True))


def total_variation(pictures: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and of vertical neighbours, added."""
    across = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().mean()
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().mean()
    return across + down


def composite(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The prediction inside the hole (`mask` 1), the photo outside."""
    return torch.where(mask > 0.5, prediction, target)


@dataclass(frozen=True, slots=True)
class TTALoss:
    """TTA-Net's objective, eq. (7), with the paper's weights.

    `perceptual` and `style` need their feature extractors; a term whose extractor is missing, or the adversarial term
    without logits, is left out.
    """

    reconstruction_weight: float = 1.0
    adversarial_weight: float = 1.0
    perceptual_weight: float = 0.1
    style_weight: float = 100.0
    perceptual_features: FeatureExtractor | None = None
    style_features: FeatureExtractor | None = None

    def generator_terms(
        self, prediction: Tensor, target: Tensor, mask: Tensor, fake_logits: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The unweighted terms by name.

        `prediction`, `target` are (B, 3, H, W) in [-1, 1], `mask` (B, 1, H, W). `fake_logits` are the
        discriminator's for the composite, with gradient. Style compares the composite with the photo: eq. (12) as
        printed compares the composite with the prediction and never sees the photo.
        """
        terms = {"reconstruction": reconstruction(prediction, target)}
        if fake_logits is not None and self.adversarial_weight:
            terms["adversarial"] = hinge_generator(fake_logits)
        if self.perceptual_features is not None and self.perceptual_weight:
            terms["perceptual"] = perceptual(
                self.perceptual_features(prediction), _detached(self.perceptual_features, target)
            )
        if self.style_features is not None and self.style_weight:
            filled = composite(prediction, target, mask)
            terms["style"] = style(self.style_features(filled), _detached(self.style_features, target))
        return terms

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of `generator_terms`."""
        weights = {
            "reconstruction": self.reconstruction_weight,
            "adversarial": self.adversarial_weight,
            "perceptual": self.perceptual_weight,
            "style": self.style_weight,
        }
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()


@torch.no_grad()
def _detached(extract: FeatureExtractor, pictures: Tensor) -> Features:
    return extract(pictures)


def _summed(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
