"""Local binary patterns: one byte a pixel that says which of its neighbours are brighter.

Source: Wu et al., "Deep generative model for image inpainting with local binary pattern learning and spatial
attention", eq. (1), after Ojala et al. (2002). The order of the bits follows the example of the paper's figure 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""(dy, dx) of I_1 … I_8: clockwise from the top left; I_1 is the most significant bit."""


def grey_levels(photo: Tensor) -> Tensor:
    """Luma of a photo in whole grey levels.

    The rounding is exact integer arithmetic (half up), so that two photos that are equal as 8-bit pictures give
    the same levels whatever way they were scaled before.

    Args:
        photo: (B, 3, H, W), RGB in [-1, 1].

    Returns:
        (B, 1, H, W), whole numbers 0 … 255 in a float tensor.
    """
    if photo.ndim != 4 or photo.shape[1] != 3:
        raise ValueError(f"Grey levels need a (B, 3, H, W) photo, not {tuple(photo.shape)}.")
    levels = ((photo.float() + 1.0) * 127.5).round().clamp(0, 255)
    red, green, blue = levels[:, 0:1], levels[:, 1:2], levels[:, 2:3]
    return torch.floor((299.0 * red + 587.0 * green + 114.0 * blue + 500.0) / 1000.0)


def binary_patterns(levels: Tensor) -> Tensor:
    """The binary pattern of every pixel, eq. (1): b_i = 0 when I_i ≤ I, else 1.

    Pixels beyond the border repeat the border's.

    Args:
        levels: (B, 1, H, W), any order-preserving brightness.

    Returns:
        (B, 1, H, W), whole numbers 0 … 255 in a float tensor; a constant picture gives 0.
    """
    height, width = levels.shape[-2:]
    framed = F.pad(levels, (1, 1, 1, 1), mode="replicate")
    codes = torch.zeros_like(levels)
    for bit, (dy, dx) in zip(range(7, -1, -1), NEIGHBOURS, strict=True):
        neighbour = framed[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        codes = codes + (neighbour > levels).to(levels.dtype) * float(1 << bit)
    return codes


def photo_patterns(photo: Tensor) -> Tensor:
    """Binary patterns of a photo on the scale the networks use.

    Args:
        photo: (B, 3, H, W), RGB in [-1, 1].

    Returns:
        (B, 1, H, W) in [-1, 1]: code / 127.5 − 1.
    """
    return binary_patterns(grey_levels(photo)) / 127.5 - 1.0


def unknown_patterns(mask: Tensor) -> Tensor:
    """Where the pattern of a damaged photo cannot be known: the hole and one pixel around it.

    A known pixel beside the hole has neighbours that are hidden. Its code would carry bits of hidden pixels into the
    network in training (and bits of the hole's fill value in use).

    Args:
        mask: (B, 1, H, W), 1 in the hole, 0 elsewhere.

    Returns:
        (B, 1, H, W), 1 where unknown.
    """
    return F.max_pool2d(mask, kernel_size=3, stride=1, padding=1)
