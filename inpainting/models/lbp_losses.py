"""The losses of LBP inpainting, eq. (2)–(8), for a trainer to call.

Stage 1 trains G1 against D1 with `pattern_losses`; stage 2 trains G1 and G2 together against D2 with `image_losses`.
Each discriminator step follows with `discriminator_loss` on the `fake` and `real` of the same pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.layers.binary_patterns import photo_patterns
from inpainting.layers.losses import gram, nonsaturating_discriminator, nonsaturating_generator
from inpainting.models.lbp_networks import LBPInpainter

SMALLEST_VIEW = 32
"""Side in pixels below which a patch discriminator has nothing to judge."""
Features = Callable[[Tensor], Sequence[Tensor]]
"""Taps of a frozen feature network on a photo (B, 3, H, W) in [-1, 1]; each (B, C, h, w)."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """λ of eq. (5) and (8); 0 leaves a term, and what it costs to compute, out."""

    multilevel: float = 0.01
    reconstruction: float = 10.0
    adversarial: float = 0.2
    perceptual: float = 1.0
    style: float = 10.0


@dataclass(slots=True)
class GeneratorLosses:
    """What one generator step needs, and what the discriminator step after it needs."""

    total: Tensor
    terms: dict[str, Tensor]
    """Terms before weighting, detached."""
    fake: Tensor
    """What the discriminator saw of the prediction; detach it for the discriminator's own step."""
    real: Tensor
    """The same view of the truth."""


def pattern_losses(
    system: LBPInpainter,
    photo: Tensor,
    mask: Tensor,
    discriminator: nn.Module | None,
    weights: LossWeights | None = None,
) -> GeneratorLosses:
    """L_LBP of eq. (5): multi-level, reconstruction and adversarial loss of the LBP-learning network.

    Args:
        system: the networks; gradients reach G1 only.
        photo: (B, 3, H, W) in [-1, 1], complete.
        mask: (B, 1, H, W), 1 in the hole.
        discriminator: D1, patterns (B, 1, h, w) to logits; ``None`` leaves the adversarial term out.
        weights: λ; perceptual and style do not apply.
    """
    weights = weights or LossWeights()
    multilevel = weights.multilevel > 0
    truth = photo_patterns(photo)
    output = system.predict_patterns(photo, mask, keep_activations=multilevel)
    terms = {"reconstruction": F.mse_loss(output.composite, truth)}  # eq. (3)
    if multilevel:
        with torch.no_grad():
            goal = system.predict_patterns(photo, mask, patterns=truth, keep_activations=True)
        terms["multilevel"] = multi_level_loss(output.activations, goal.activations)
    fake, real = hole_view(output.composite, mask), hole_view(truth, mask)
    return _weighted(terms, weights, discriminator, fake, real)


def image_losses(
    system: LBPInpainter,
    photo: Tensor,
    mask: Tensor,
    discriminator: nn.Module | None,
    features: Features | None,
    weights: LossWeights | None = None,
) -> GeneratorLosses:
    """L_Img of eq. (8), end to end: gradients reach G2 and, through the guidance, G1.

    Args:
        system: the networks.
        photo, mask: as for `pattern_losses`.
        discriminator: D2, photos (B, 3, h, w) to logits; ``None`` leaves the adversarial term out.
        features: taps for eq. (6) and (7), relu2_1, relu3_1 and relu4_1 of VGG-16 in the paper; ``None`` leaves
            both terms out.
        weights: λ.
    """
    weights = weights or LossWeights()
    multilevel = weights.multilevel > 0
    guided = system.config.guidance
    patterns = system.predict_patterns(photo, mask).composite if guided else None
    output = system.inpaint(photo, mask, patterns, keep_activations=multilevel)
    terms = {"reconstruction": F.mse_loss(output.composite, photo)}
    if multilevel:
        true_patterns = photo_patterns(photo) if guided else None
        with torch.no_grad():
            goal = system.inpaint(photo, mask, true_patterns, hide=False, keep_activations=True)
        terms["multilevel"] = multi_level_loss(output.activations, goal.activations)
    if features is not None and (weights.perceptual > 0 or weights.style > 0):
        with torch.no_grad():
            wanted = [tap.detach() for tap in features(photo)]
        made = features(output.composite)
        terms["perceptual"] = _sum([F.mse_loss(a.float(), b.float()) for a, b in zip(made, wanted, strict=True)])
        terms["style"] = _sum([F.mse_loss(gram(a), gram(b)) for a, b in zip(made, wanted, strict=True)])
    fake, real = hole_view(output.composite, mask), hole_view(photo, mask)
    return _weighted(terms, weights, discriminator, fake, real)


def discriminator_loss(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The discriminator's side of eq. (4) on logits; no gradient reaches what made `fake`."""
    on_real: Tensor = discriminator(real).float()
    on_fake: Tensor = discriminator(fake.detach()).float()
    return nonsaturating_discriminator(on_real, on_fake)


def multi_level_loss(made: Sequence[Tensor], goal: Sequence[Tensor]) -> Tensor:
    """Eq. (2): squared deviation of the inner activations, averaged in each layer, summed over layers.

    `goal` are the activations of the same network on undamaged input. They are constants: otherwise the network
    could make them easy to reach instead of reaching them.
    """
    return _sum([F.mse_loss(a.float(), b.detach().float()) for a, b in zip(made, goal, strict=True)])


def hole_view(images: Tensor, mask: Tensor) -> Tensor:
    """What a discriminator judges: the hole alone when all holes are full rectangles of one size, else everything.

    Args:
        images: (B, C, H, W).
        mask: (B, 1, H, W), 1 in the hole.
    """
    boxes = _rectangles(mask[:, 0] > 0)
    sizes = {(bottom - top, right - left) for top, bottom, left, right in boxes or ()}
    if boxes is None or len(sizes) > 1 or min(min(size) for size in sizes) < SMALLEST_VIEW:
        return images
    return torch.stack(
        [image[:, top:bottom, left:right] for image, (top, bottom, left, right) in zip(images, boxes, strict=True)]
    )


def _rectangles(holes: Tensor) -> list[tuple[int, int, int, int]] | None:
    """(top, bottom, left, right) of holes (B, H, W) that are one full rectangle each, else ``None``."""
    rows, columns = holes.any(dim=2).int(), holes.any(dim=1).int()
    top, left = rows.argmax(dim=1), columns.argmax(dim=1)
    bottom = rows.shape[1] - rows.flip(1).argmax(dim=1)
    right = columns.shape[1] - columns.flip(1).argmax(dim=1)
    full = holes.sum(dim=(1, 2)) == (bottom - top) * (right - left)
    # One transfer, so that a GPU is not waited for picture by picture.
    table = torch.stack([top, bottom, left, right, full.long()], dim=1).tolist()
    return [(row[0], row[1], row[2], row[3]) for row in table] if all(row[4] for row in table) else None


def _weighted(
    terms: dict[str, Tensor], weights: LossWeights, discriminator: nn.Module | None, fake: Tensor, real: Tensor
) -> GeneratorLosses:
    if discriminator is not None and weights.adversarial > 0:
        # The non-saturating form of eq. (4): maximise log D instead of minimising log(1 − D).
        terms["adversarial"] = nonsaturating_generator(discriminator(fake).float())
    total = _sum([getattr(weights, name) * value for name, value in terms.items()])
    return GeneratorLosses(total, {name: value.detach() for name, value in terms.items()}, fake, real)


def _sum(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum()
