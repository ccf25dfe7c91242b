"""Discriminators of the papers. All return logits; none ends in a sigmoid."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

LEAK = 0.2


class SNPatchGAN(nn.Module):
    """Spectral-normalised patch discriminator of gated convolution (Yu et al. 2019, section 3.3), used by TTA-Net.

    5×5 convolutions of stride 2, LeakyReLU 0.2 between them; every element of the last map is a logit, so that each
    judges one neighbourhood in all its features. Input: image in [-1, 1] and hole mask (1 = hole).
    """

    def __init__(self, in_channels: int = 4, widths: Sequence[int] = (64, 128, 256, 256, 256, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for width in widths:
            layers += [spectral_norm(nn.Conv2d(channels, width, 5, stride=2, padding=2)), nn.LeakyReLU(LEAK)]
            channels = width
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) and (B, 1, H, W) → logits (B, widths[-1], ⌈H / 2ⁿ⌉, ⌈W / 2ⁿ⌉)."""
        logits: Tensor = self.layers(torch.cat([image, mask.to(image.dtype)], dim=1))
        return logits


class PatchGAN(nn.Module):
    """The 70×70 patch discriminator (Isola et al. 2017) in the form that LBP inpainting's code uses.

    4×4 convolutions with strides 2, 2, 2, 1, 1, spectral norm, affine instance norm inside; one logit per patch.
    2.77 M parameters with three input channels and `width` 64.
    """

    def __init__(self, in_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            spectral_norm(nn.Conv2d(in_channels, width, 4, stride=2, padding=1)),
            nn.LeakyReLU(LEAK),
        ]
        for step, stride in ((1, 2), (2, 2), (4, 1)):
            # No bias: the normalisation that follows takes any constant away.
            conv = nn.Conv2d(width * step, width * step * 2, 4, stride=stride, padding=1, bias=False)
            layers += [spectral_norm(conv), nn.InstanceNorm2d(width * step * 2, affine=True), nn.LeakyReLU(LEAK)]
        layers.append(spectral_norm(nn.Conv2d(width * 8, 1, 4, stride=1, padding=1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """(B, in_channels, H, W) with H, W of at least 32 → logits (B, 1, ⌊H / 8⌋ − 2, ⌊W / 8⌋ − 2)."""
        logits: Tensor = self.layers(image)
        return logits


class PatchCritic(nn.Module):
    """Judges single 32×32 patches, for T-MAD's patch-distribution loss (its widths are not in the paper).

    3×3 convolution, four 4×4 convolutions of stride 2 (32 → 2), a 2×2 one to a single logit; spectral norm.
    """

    def __init__(self, in_channels: int = 3, widths: Sequence[int] = (32, 64, 128, 128, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            spectral_norm(nn.Conv2d(in_channels, widths[0], 3, padding=1)),
            nn.LeakyReLU(LEAK),
        ]
        for narrow, wide in itertools.pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(narrow, wide, 4, stride=2, padding=1)), nn.LeakyReLU(LEAK)]
        layers.append(spectral_norm(nn.Conv2d(widths[-1], 1, 2)))
        self.layers = nn.Sequential(*layers)

    def forward(self, patches: Tensor) -> Tensor:
        """(N, in_channels, 32, 32) → one logit a patch, (N,)."""
        logits: Tensor = self.layers(patches)
        return logits.flatten(1).mean(1)
