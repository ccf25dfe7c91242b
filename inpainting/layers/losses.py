"""Loss terms of the papers. All are means, so that their weights hold at any picture and batch size.

Adversarial terms take logits. Perceptual and style terms take the feature maps of two pictures, by any extractor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Features = Sequence[Tensor]


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


def _summed(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
