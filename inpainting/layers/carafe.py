"""CARAFE: up-sampling whose interpolation kernels are predicted from the content.

Source: Wang et al., "CARAFE: Content-Aware ReAssembly of FEatures", ICCV 2019, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CARAFE(nn.Module):
    """Doubles the resolution of a feature map, (B, C, H, W) → (B, C, 2H, 2W).

    For every output pixel a `kernel`×`kernel` set of weights is predicted and normalised by a softmax; the output is
    the weighted sum of the source neighbourhood around ``(⌊y/2⌋, ⌊x/2⌋)``. Outside the map the source is zero.
    """

    scale = 2

    def __init__(self, channels: int, *, compressed: int = 64, kernel: int = 5, encoder_kernel: int = 3) -> None:
        super().__init__()
        self.kernel = kernel
        self.compress = nn.Conv2d(channels, compressed, 1)
        self.encode = nn.Conv2d(compressed, (self.scale * kernel) ** 2, encoder_kernel, padding=encoder_kernel // 2)
        nn.init.xavier_uniform_(self.compress.weight)
        nn.init.zeros_(self.compress.bias)  # type: ignore[arg-type]
        # Small logits: the layer starts as an even 5×5 blur and learns to sharpen.
        nn.init.normal_(self.encode.weight, std=1e-3)
        nn.init.zeros_(self.encode.bias)  # type: ignore[arg-type]

    def kernels(self, features: Tensor) -> Tensor:
        """Reassembly weights, (B, kernel², scale², H, W), which sum to 1 over dimension 1.

        Dimension 2 counts the output pixels of one source pixel in reading order.
        """
        batch, _, height, width = features.shape
        logits: Tensor = self.encode(self.compress(features))
        return logits.view(batch, self.kernel**2, self.scale**2, height, width).softmax(1)

    def forward(self, features: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        weights = self.kernels(features)
        reach = self.kernel // 2
        padded = F.pad(features, (reach, reach, reach, reach))
        # One shift at a time: the k²-fold unfolded map would be 25 times the input.
        total = features.new_zeros(batch, channels, self.scale**2, height, width)
        for index in range(self.kernel**2):
            top, left = divmod(index, self.kernel)
            source = padded[:, :, None, top : top + height, left : left + width]
            total = torch.addcmul(total, source, weights[:, None, index])
        return F.pixel_shuffle(total.reshape(batch, channels * self.scale**2, height, width), self.scale)
