"""The two generators of LBP inpainting and how they work together, for use and for training.

Source: Wu et al., "Deep generative model for image inpainting with local binary pattern learning and spatial
attention" (IEEE Transactions on Multimedia 2021), section III and appendix A. The paper's M is 1 where known; here
masks are 1 in the hole and the networks are given 1 − M, as in the paper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from inpainting.layers.binary_patterns import photo_patterns, unknown_patterns
from inpainting.layers.seam import painted_beyond, seamless
from inpainting.layers.spatial_attention import Picks, SpatialAttention
from inpainting.layers.unet import UNet

AttentionScope = Literal["full", "known", "off"]
"""Where the attention looks: hole and known region (the paper's), the known region only, or no attention layer."""


@dataclass(frozen=True, slots=True)
class LBPConfig:
    """Sizes and switches of the system. The switches other than their defaults are the paper's ablations."""

    size: str
    widths: tuple[int, ...]
    """Channels of encoder layers 1 … L."""
    discriminator_width: int
    """Channels of the discriminators' first layer."""
    guidance: bool = True
    """Whether the second network is given the predicted binary pattern."""
    attention: AttentionScope = "full"
    top: int = 2
    """T: features picked in each region."""
    seam: bool = False
    """Whether the fill is moved to meet the photo at the hole's edge (`layers.seam`); not in the paper."""

    @classmethod
    def of(cls, size: str, **switches: Any) -> LBPConfig:
        """The configuration called `size`, with some switches changed; raises `ValueError` with a sentence."""
        if size not in SIZES:
            raise ValueError(f"LBP inpainting comes in the sizes {', '.join(SIZES)}, not {size!r}.")
        config = replace(SIZES[size], **switches)
        scopes = get_args(AttentionScope)
        if config.attention not in scopes:
            raise ValueError(f"The attention is one of {', '.join(scopes)}, not {config.attention!r}.")
        return config

    def to_metadata(self) -> dict[str, str]:
        """What a weights file must say for `from_metadata` to build the same networks."""
        return {
            "model": "lbp",
            "size": self.size,
            "guidance": "on" if self.guidance else "off",
            "attention": self.attention,
            "top": str(self.top),
            "seam": "closed" if self.seam else "open",
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> LBPConfig:
        """The configuration a weights file was made with; raises `ValueError` with a sentence."""
        if metadata.get("model") != "lbp" or "size" not in metadata:
            raise ValueError("The weights file does not say that it belongs to LBP inpainting, or of which size it is.")
        top = metadata.get("top", "2")
        if not top.isdecimal() or int(top) < 1:
            raise ValueError(f"The weights file gives {top!r} as its number of picks.")
        return cls.of(
            metadata["size"],
            guidance=metadata.get("guidance", "on") == "on",
            attention=metadata.get("attention", "full"),
            top=int(top),
            seam=metadata.get("seam", "open") == "closed",
        )


SIZES: dict[str, LBPConfig] = {
    "paper": LBPConfig("paper", (64, 128, 256, 512, 512, 512, 512, 512), discriminator_width=64),
    "small": LBPConfig("small", (16, 32, 64, 128, 128, 128), discriminator_width=32),
}
"""``paper``: 109.3 M parameters, sides in multiples of 256. ``small``: 3.69 M, multiples of 64."""


@dataclass(slots=True)
class Prediction:
    """What one of the networks made. C is 1 for patterns and 3 for photos."""

    raw: Tensor
    """(B, C, H, W): tanh(response) + input; in the hole, where the input is 0, within [-1, 1]."""
    composite: Tensor
    """(B, C, H, W): `raw` where unknown, what was given elsewhere. The paper's L_o or I_o."""
    unknown: Tensor
    """(B, 1, H, W): 1 where `raw` was used."""
    activations: list[Tensor]
    """Inner activations Φ_h when they were asked for, else empty."""


class LBPInpainter(nn.Module):
    """LBP-learning network G1 and guided inpainting network G2.

    Everything below takes photos (B, 3, H, W) in [-1, 1] and masks (B, 1, H, W) of 0 and 1, 1 in the hole, with H and
    W multiples of `multiple`. What the photo holds inside the hole is never looked at.

    Args:
        config: sizes and switches.
    """

    def __init__(self, config: LBPConfig) -> None:
        super().__init__()
        self.config = config
        # Without guidance there is nothing for the first network to do, and G2 has one input channel less.
        self.pattern_network = UNet(2, 1, config.widths) if config.guidance else None
        attention = None
        if config.attention != "off":
            attention = SpatialAttention(config.top, within_hole=config.attention == "full")
        self.image_network = UNet(5 if config.guidance else 4, 3, config.widths, attention)

    @property
    def multiple(self) -> int:
        """Sides of photos must be multiples of this."""
        return self.image_network.multiple

    def predict_patterns(
        self, photo: Tensor, mask: Tensor, *, patterns: Tensor | None = None, keep_activations: bool = False
    ) -> Prediction:
        """G1: complete the binary pattern of a damaged photo.

        Args:
            photo, mask: see the class.
            patterns: (B, 1, H, W) in [-1, 1], given to the network *unhidden* instead of the photo's own: the
                ground-truth pass Φ_h(L_g) of eq. (2).
            keep_activations: whether to return the inner activations.
        """
        if self.pattern_network is None:
            raise ValueError("This network was built without guidance: it predicts no binary patterns.")
        unknown = unknown_patterns(mask)
        given = photo_patterns(photo * (1.0 - mask)) * (1.0 - unknown) if patterns is None else patterns
        features = torch.cat([given, 1.0 - unknown], dim=1)
        output = self.pattern_network(features, unknown, keep_activations=keep_activations)
        return _finish(output.response, given, unknown, output.activations)

    def inpaint(
        self,
        photo: Tensor,
        mask: Tensor,
        patterns: Tensor | None,
        *,
        hide: bool = True,
        keep_activations: bool = False,
        on_attention: Callable[[Picks], None] | None = None,
    ) -> Prediction:
        """G2: fill the hole under the guidance of a completed binary pattern.

        Args:
            photo, mask: see the class.
            patterns: (B, 1, H, W) completed patterns; ``None`` for a network without guidance.
            hide: whether the hole is blanked; ``False`` only for the ground-truth pass of the multi-level loss.
            keep_activations: whether to return the inner activations.
            on_attention: see `UNet.forward`.
        """
        if (patterns is None) == self.config.guidance:
            needs = "needs" if self.config.guidance else "was built without, and takes no,"
            raise ValueError(f"This network {needs} guidance.")
        given = photo * (1.0 - mask) if hide else photo
        parts = [given, 1.0 - mask] if patterns is None else [given, patterns, 1.0 - mask]
        output = self.image_network(
            torch.cat(parts, dim=1), mask, keep_activations=keep_activations, on_attention=on_attention
        )
        prediction = _finish(output.response, given, mask, output.activations)
        if self.config.seam:
            prediction.composite = seamless(painted_beyond(prediction.raw, mask), given, mask)
        return prediction

    def forward(self, photo: Tensor, mask: Tensor) -> tuple[Prediction, Prediction | None]:
        """Both networks in turn: the filled photo, and the completed pattern (``None`` without guidance)."""
        patterns = self.predict_patterns(photo, mask) if self.config.guidance else None
        return self.inpaint(photo, mask, patterns.composite if patterns else None), patterns


def _finish(response: Tensor, given: Tensor, unknown: Tensor, activations: list[Tensor]) -> Prediction:
    # Single precision from here on, whatever the convolutions ran in: composites keep the photo's own values.
    raw = torch.tanh(response.float()) + given
    return Prediction(raw, torch.where(unknown > 0, raw, given), unknown, activations)
