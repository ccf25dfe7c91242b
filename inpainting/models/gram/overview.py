"""The global branch: the window around a hole, pooled Q times, and the texture it is to be like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from inpainting.imaging.context import Box
from inpainting.models.gram.backbone import Backbone, ColourSpace
from inpainting.models.gram.layout import Layout
from inpainting.models.gram.reference import ReferenceTexture, cut
from inpainting.models.gram.synthesis import Branch, Surroundings, measured_branch


class Overview:
    """Global statistics of one picture; the reference is looked up once, at the start (section 3.1).

    Args:
        backbone: calibrated here to the pooled picture, which excites it differently.
        canvas: (1, 3, H, W) in whitened colour, the hole as it begins.
        hole: (1, 1, H, W), 1 in the hole.
        everywhere: measure the whole window, as in the paper, instead of the hole and its edge.
    """

    def __init__(
        self,
        backbone: Backbone,
        space: ColourSpace,
        canvas: Tensor,
        hole: Tensor,
        layout: Layout,
        *,
        everywhere: bool,
    ) -> None:
        self.poolings, self.factor = layout.poolings, 2**layout.poolings
        self.box = Box(*(side // self.factor for side in layout.window))
        pooled, pooled_hole = F.avg_pool2d(canvas, self.factor), F.max_pool2d(hole, self.factor)
        self.backbone = backbone.calibrated(pooled, space)
        self.hole = cut(pooled_hole, self.box)
        """(1, 1, h, w): the hole in the pooled window."""
        texture = ReferenceTexture(self.backbone, space, pooled, pooled_hole)
        target = self.backbone.features(cut(pooled, self.box), space)
        window = texture.look_up(target, (self.box.height, self.box.width), self.hole)
        self._branch = measured_branch(
            [None if window is None else cut(pooled, window)],
            texture.known_region,
            1.0,
            self.hole,
            self.backbone,
            space,
            everywhere=everywhere,
        )

    def branch(self, weight: float) -> Branch:
        """The texture term of the window, for one patch or several."""
        return replace(self._branch, weight=weight)

    def window(self, canvas: Tensor) -> Tensor:
        """(1, 3, h, w): the window of the present `canvas`, pooled."""
        return cut(F.avg_pool2d(canvas, self.factor), self.box)

    def surroundings(self, canvas: Tensor, patches: Sequence[Box]) -> Surroundings:
        """Where `patches` lie in the window."""
        corners = tuple(
            (patch.top // self.factor - self.box.top, patch.left // self.factor - self.box.left) for patch in patches
        )
        return Surroundings(self.window(canvas).expand(len(patches), -1, -1, -1), corners, self.poolings)

    def enlarged(self, pictures: Tensor, canvas: Tensor, hole: Tensor) -> Tensor:
        """`canvas` with the pooled window `pictures` (1, 3, h, w), enlarged, in its `hole`."""
        large = F.interpolate(pictures, scale_factor=self.factor, mode="bilinear", align_corners=False)
        grown = canvas.clone()
        rows = slice(self.box.top * self.factor, self.box.bottom * self.factor)
        columns = slice(self.box.left * self.factor, self.box.right * self.factor)
        grown[..., rows, columns] = large
        return torch.where(hole, grown, canvas)
