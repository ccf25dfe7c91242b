"""The content network of MNPS: a context encoder with ELU and a dense bottleneck.

Pathak et al. 2016 gave the shape (encoder to one vector, decoder back to the centre square), Yang et al. 2017 the
changes: ELU for ReLU and an ordinary dense bottleneck instead of the channel-wise one. Their batch normalisation made
results depend on the other pictures of a batch; group normalisation takes its place here.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

INPUT_SIDE = 128
OUTPUT_SIDE = 64
RIM = 4
"""The hole is filled so that this many pixels of true photo remain visible inside the predicted square's edge."""
MEAN_COLOUR = (117.0, 104.0, 123.0)
"""RGB that the hole is filled with, from the published code."""
_WIDTHS = {"paper": (64, 4000), "small": (32, 256)}


class ContextEncoder(nn.Module):
    """(B, 3, 128, 128) in [-1, 1] with a filled centre → that centre (B, 3, 64, 64) in [-1, 1]."""

    def __init__(self, width: int, bottleneck: int) -> None:
        super().__init__()
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        encoder: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 2, 1), nn.ELU()]
        for narrow, wide in itertools.pairwise(widths):
            encoder += [nn.Conv2d(narrow, wide, 4, 2, 1), _norm(wide), nn.ELU()]
        encoder += [nn.Conv2d(widths[-1], bottleneck, 4), nn.ELU()]
        decoder: list[nn.Module] = [nn.ConvTranspose2d(bottleneck, widths[-1], 4), _norm(widths[-1]), nn.ELU()]
        for wide, narrow in ((8, 4), (4, 2), (2, 1)):
            decoder += [nn.ConvTranspose2d(wide * width, narrow * width, 4, 2, 1), _norm(narrow * width), nn.ELU()]
        decoder += [nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh()]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.Sequential(*decoder)

    def forward(self, context: Tensor) -> Tensor:
        """Predict the centre square, its rim included."""
        square: Tensor = self.decoder(self.encoder(context))
        return square


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(min(16, channels), channels)


class CentreCritic(nn.Module):
    """Judges centre squares (B, 3, 64, 64): the context encoder's local discriminator, one logit each."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for step in (1, 2, 4):
            layers += [nn.Conv2d(step * width, 2 * step * width, 4, 2, 1), _norm(2 * step * width), nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(8 * width, 1, 4))
        self.layers = nn.Sequential(*layers)

    def forward(self, square: Tensor) -> Tensor:
        """(B, 3, 64, 64) in [-1, 1] → logits (B,)."""
        logits: Tensor = self.layers(square)
        return logits.flatten()


def build_context_encoder(size: str) -> ContextEncoder:
    """``"paper"`` (71.1 M parameters) or ``"small"`` (3.5 M); raise `ValueError` for other names."""
    if size not in _WIDTHS:
        raise ValueError(f"The content network has no size {size!r}; it has {' and '.join(_WIDTHS)}.")
    return ContextEncoder(*_WIDTHS[size])


def blank_centre(images: Tensor) -> Tensor:
    """Fill the centre of (B, 3, 128, 128) images in [-1, 1] with the mean colour, leaving the rim of true pixels."""
    edge = (INPUT_SIDE - OUTPUT_SIDE) // 2 + RIM
    mean = images.new_tensor(MEAN_COLOUR).div(127.5).sub(1).view(1, 3, 1, 1)
    blanked = images.clone()
    blanked[:, :, edge:-edge, edge:-edge] = mean
    return blanked


def centre(images: Tensor) -> Tensor:
    """The centre (B, 3, 64, 64) of (B, 3, 128, 128) images."""
    edge = (INPUT_SIDE - OUTPUT_SIDE) // 2
    return images[:, :, edge:-edge, edge:-edge]


def rim_weights(device: torch.device, known: float = 10.0) -> Tensor:
    """(1, 1, 64, 64): the loss weight of each predicted pixel; the rim, which is known, counts `known` times."""
    weights = torch.full((1, 1, OUTPUT_SIDE, OUTPUT_SIDE), known, device=device)
    weights[:, :, RIM:-RIM, RIM:-RIM] = 1.0
    return weights
