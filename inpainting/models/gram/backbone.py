"""The network whose features are compared, and the colour space in which the picture is optimised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from inpainting.backbones.vgg import VGG, random_vgg19, shipped_vgg

WIDTHS = {"quarter": 0.25, "half": 0.5, "full": 1.0}
SEED = 0
_FLOOR_SHARE, _FLOOR = 0.05, 1e-4


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """Whitened colour: known pixels have mean 0 and (nearly) unit, uncorrelated channels.

    In RGB the three channels of a photo say almost the same; a random filter then hardly sees wrong hues, and the
    optimiser leaves coloured speckle behind. Directions with less than a twentieth of the strongest variance are not
    brought up all the way, so that noise and a missing colour (grey photos) are not blown up.
    """

    mean: Tensor
    """(1, 3, 1, 1), in [0, 1]."""
    forward: Tensor
    """(3, 3): z = forward · (rgb - mean)."""
    backward: Tensor

    @classmethod
    def of(cls, image: Tensor, hole: Tensor) -> ColourSpace:
        """From the known pixels of `image` (1, 3, H, W) in [0, 1]; `hole` is (1, 1, H, W) bool."""
        pixels = image[0].flatten(1)[:, ~hole.flatten()].double()
        mean = pixels.mean(1, keepdim=True)
        covariance = (pixels - mean) @ (pixels - mean).T / pixels.shape[1]
        variances, axes = torch.linalg.eigh(covariance)
        gains = (variances.clamp_min(0) + _FLOOR_SHARE * variances.max() + _FLOOR).rsqrt()
        forward = axes @ torch.diag(gains) @ axes.T
        backward = axes @ torch.diag(1.0 / gains) @ axes.T
        return cls(mean.view(1, 3, 1, 1).float(), forward.float(), backward.float())

    def encode(self, rgb: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to whitened colour."""
        return torch.einsum("dc,bchw->bdhw", self.forward, rgb - self.mean)

    def decode(self, colours: Tensor) -> Tensor:
        """Whitened colour to RGB, which may lie outside [0, 1]."""
        return torch.einsum("dc,bchw->bdhw", self.backward, colours) + self.mean


@dataclass(frozen=True, slots=True)
class Backbone:
    """VGG-19 with average pooling: the administrator's file when there is one, else seeded random orthogonal filters.

    Random filters take whitened colour as it is: it is what they see best. Trained ones get RGB with the normalisation
    that they were trained with. `scales` hold for one picture: each tap's mean activation there (see `calibrated`).
    """

    network: VGG
    taps: tuple[str, ...]
    trained: bool
    name: str
    scales: tuple[float, ...] = ()

    @classmethod
    def load(cls, taps: Sequence[str], folder: Path, *, width: str, device: str) -> Backbone:
        """The network for `taps`; `width` (a key of `WIDTHS`) counts only for random filters."""
        if (folder / "vgg19.safetensors").is_file():
            network = shipped_vgg(19, taps, folder, pooling="average").to(device)
            return cls(network, tuple(taps), True, "VGG-19 (supplied ImageNet weights)")
        network = random_vgg19(taps, seed=SEED, width=WIDTHS[width]).to(device)
        name = f"VGG-19 (random orthogonal filters, {width} width, seed {SEED})"
        return cls(network, tuple(taps), False, name)

    def features(self, colours: Tensor, space: ColourSpace) -> list[Tensor]:
        """Whitened `colours` (B, 3, H, W) to one (B, C, h, w) a tap; those the size has no room for are left out."""
        if self.trained:
            found: list[Tensor] = self.network(space.decode(colours) * 2.0 - 1.0)
        else:
            found = self.network.features_of(colours)
        return [tap / scale for tap, scale in zip(found, self.scales, strict=False)] if self.scales else found

    def calibrated(self, colours: Tensor, space: ColourSpace) -> Backbone:
        """The same network with every tap that `colours` has room for scaled to a mean activation of 1 on them."""
        plain = replace(self, scales=())
        means = tuple(max(1e-8, float(tap.abs().mean())) for tap in plain.features(colours, space))
        return replace(self, scales=means)
