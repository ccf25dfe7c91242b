"""The U-Net of table V: strided 4×4 convolutions down to the bottleneck, deconvolutions up, skips between.

Source: Wu et al., "Deep generative model for image inpainting with local binary pattern learning and spatial
attention", appendix A.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpainting.layers.spatial_attention import Picks, SpatialAttention

ATTENTION_DEPTH = 3
"""The attention sits where the skip of encoder layer 3 joins (layer 13 of 15 at the paper's depth): stride 8."""


@dataclass(slots=True)
class UNetOutput:
    """What a pass leaves behind."""

    response: Tensor
    """(B, out, H, W), before any output activation."""
    activations: list[Tensor] = field(default_factory=list)
    """Outputs of all layers but the last (layers 1 … 14 at the paper's depth): what the multi-level loss compares."""


class UNet(nn.Module):
    """Encoder of stride-2 convolutions, mirrored decoder, instance normalisation without learned scale.

    A layer is *activation, convolution, normalisation*; the first has neither activation nor normalisation, the
    bottleneck and the last have no normalisation. Convolutions followed by normalisation carry no bias: it would be
    subtracted again.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the response.
        widths: channels of encoder layers 1 … L, the last being the bottleneck; input sides are multiples of 2^L.
        attention: the layer at `ATTENTION_DEPTH`, or ``None``.
    """

    def __init__(
        self, in_channels: int, out_channels: int, widths: Sequence[int], attention: SpatialAttention | None = None
    ) -> None:
        super().__init__()
        if len(widths) <= ATTENTION_DEPTH:
            raise ValueError(f"The U-Net needs more than {ATTENTION_DEPTH} levels, not {len(widths)}.")
        self.widths = tuple(widths)
        self.attention = attention
        levels = len(widths)
        inputs = (in_channels, *widths[:-1])
        self.contract = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1, bias=depth in (1, levels))
            for depth, (before, after) in enumerate(zip(inputs, widths, strict=True), start=1)
        )
        outputs = (out_channels, *widths[:-1])
        self.expand = nn.ModuleList(
            nn.ConvTranspose2d(self._joined(depth), outputs[depth - 1], 4, stride=2, padding=1, bias=depth == 1)
            for depth in range(levels, 0, -1)
        )
        self.apply(_initialise)

    @property
    def multiple(self) -> int:
        """Input sides must be multiples of this."""
        return 1 << len(self.widths)

    def _joined(self, depth: int) -> int:
        """Channels that enter the deconvolution at `depth`: decoder, skip and, at one depth, the attention."""
        if depth == len(self.widths):
            return self.widths[-1]
        attended = self.attention is not None and depth == ATTENTION_DEPTH
        return self.widths[depth - 1] * (3 if attended else 2)

    def forward(
        self,
        features: Tensor,
        hole: Tensor,
        *,
        keep_activations: bool = False,
        on_attention: Callable[[Picks], None] | None = None,
    ) -> UNetOutput:
        """One pass.

        Args:
            features: (B, in, H, W).
            hole: (B, 1, H, W), 1 in the hole; only the attention looks at it.
            keep_activations: whether to return the inner activations.
            on_attention: called with the attention's picks before the remaining layers run; what it raises passes.
        """
        if features.shape[-1] % self.multiple or features.shape[-2] % self.multiple:
            raise ValueError(f"Sides must be multiples of {self.multiple}, not {tuple(features.shape[-2:])}.")
        skips = self._contract(features)
        levels = len(self.widths)
        kept = skips[:-1] if keep_activations else []
        current = skips.pop()
        for depth, deconvolution in zip(range(levels, 0, -1), self.expand, strict=True):
            parts = [F.relu(current)]
            if depth < levels:
                parts.append(F.relu(skips.pop()))
                if self.attention is not None and depth == ATTENTION_DEPTH:
                    # A position counts as hole when any pixel under it is: its features have seen the fill value.
                    covered = F.max_pool2d(hole, 2**depth)
                    mixed, picks = self.attention(parts[0], parts[1], covered)
                    parts.append(mixed)
                    if on_attention is not None:
                        on_attention(picks)
            current = deconvolution(torch.cat(parts, dim=1))
            if depth > 1:
                current = F.instance_norm(current)
                if keep_activations:
                    kept.append(current)
        return UNetOutput(current, kept)

    def _contract(self, features: Tensor) -> list[Tensor]:
        outputs: list[Tensor] = []
        for depth, convolution in enumerate(self.contract, start=1):
            features = convolution(features if depth == 1 else F.leaky_relu(features, 0.2))
            if 1 < depth < len(self.widths):
                features = F.instance_norm(features)
            outputs.append(features)
        return outputs


def _initialise(module: nn.Module) -> None:
    """Weights from N(0, 0.02), biases 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
