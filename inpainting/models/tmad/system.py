"""T-MAD as one trainable module: coarse network, retrieval, PSNet and tiling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from inpainting.layers.blending import PatchCanvas, cut_windows, hole_cells, training_cells
from inpainting.layers.retrieval import Correspondence, choose_memory, cosines, retrieve_top_k, weighted_sum
from inpainting.layers.seam import seamless
from inpainting.models.tmad.config import SIZES, TMADConfig
from inpainting.models.tmad.networks import CoarseNet, PSNet


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Everything one pass of T-MAD makes of a batch; images are in [-1, 1], not clamped."""

    coarse: Tensor
    """(B, 3, H, W): the coarse network's estimate of the whole image."""
    composite: Tensor
    """(B, 3, H, W): the known pixels with the coarse estimate in the hole."""
    cells: Tensor
    """(N, 3) int64: image index, top and left of each cell that was synthesised."""
    patches: Tensor
    """(N, 3, p, p): the synthesised patches."""
    retrieved: Tensor
    """(N, K, 3, p, p): what was retrieved for each cell, best first."""
    memory: Tensor
    """(M, 3, p, p): the texture memories of all images."""
    memory_windows: Tensor
    """(M, 3) int64: image index, top and left of each memory patch."""
    result: Tensor
    """(B, 3, H, W): the composite with the synthesised patches in the hole."""


class TMAD(nn.Module):
    """The paper's system. `forward` runs all of it with gradients, for training the parts together."""

    def __init__(self, config: TMADConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = CoarseNet(config)
        self.correspondence = Correspondence(config.embedding)
        self.psnet = PSNet(config)

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        *,
        cells_per_image: int | None = None,
        generator: torch.Generator | None = None,
        coarse: Tensor | None = None,
    ) -> Synthesis:
        """Fill a batch.

        Args:
            image: (B, 3, H, W) in [-1, 1], H and W multiples of the patch size; ignored inside the hole.
            mask: (B, 1, H, W), 1 in the hole.
            cells_per_image: synthesise exactly so many cells an image (training); all hole cells when ``None``.
            generator: CPU source of randomness for the memories and the cells.
            coarse: an estimate (B, 3, H, W) to use in place of the coarse network's, from any other model.
        """
        config = self.config
        generator = generator if generator is not None else torch.default_generator
        mask = mask.to(image.dtype)
        if coarse is None:
            coarse = self.estimate(image, mask)
        composite = image * (1 - mask) + coarse * mask
        if cells_per_image is None:
            cells = hole_cells(mask, config.patch)
        else:
            cells = training_cells(mask, config.patch, cells_per_image, generator)
        memory_windows = self._memory_windows(mask, generator)
        memory = cut_windows(composite.detach(), memory_windows, config.patch)
        coarse_patches = cut_windows(composite, cells, config.patch)
        retrieved = self.retrieve(coarse_patches, cells[:, 0], memory, memory_windows[:, 0])
        patches = self.psnet(cut_windows(composite, cells, config.patch, config.margin), retrieved)
        canvas = PatchCanvas(composite, config.patch, "grid")
        canvas.add(cells, patches)
        result = canvas.over(composite, mask)
        if config.seam:
            result = seamless(canvas.over(composite, torch.ones_like(mask)), composite, mask)
        return Synthesis(coarse, composite, cells, patches, retrieved, memory, memory_windows, result)

    def estimate(self, image: Tensor, mask: Tensor, on_part: Callable[[float], None] | None = None) -> Tensor:
        """The coarse network's picture (B, 3, H, W), its seam to the photo closed where the configuration says so."""
        coarse: Tensor = self.coarse(image, mask, on_part)
        if self.config.seam:
            coarse = torch.where(mask > 0.5, seamless(coarse, image, mask), coarse)
        return coarse

    def retrieve(self, coarse: Tensor, coarse_image: Tensor, memory: Tensor, memory_image: Tensor) -> Tensor:
        """Textures (N, K, 3, p, p) for coarse patches (N, 3, p, p), each from its own image's memory (M, 3, p, p).

        `coarse_image` (N,) and `memory_image` (M,) say which image a patch belongs to, both in ascending order.
        """
        config = self.config
        query = self.correspondence.embed_coarse(coarse)
        key = self.correspondence.embed_memory(memory)
        parts = []
        for index in sorted(set(coarse_image.tolist())):
            own = memory_image == index
            similarity = cosines(query[coarse_image == index], key[own])
            if config.retrieval == "topk":
                parts.append(retrieve_top_k(similarity, memory[own], config.top_k, config.temperature)[0])
            else:
                mixed = weighted_sum(similarity, memory[own], config.temperature)
                parts.append(mixed.unsqueeze(1).expand(-1, config.top_k, -1, -1, -1))
        if not parts:
            return coarse.new_zeros(0, config.top_k, *memory.shape[1:])
        return torch.cat(parts)

    def _memory_windows(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        windows = []
        for index in range(len(mask)):
            own = choose_memory(
                mask[index : index + 1],
                patch=config.patch,
                count=config.memory,
                stride=config.memory_stride,
                at_least=config.top_k,
                generator=generator,
            ).windows
            own[:, 0] = index
            windows.append(own)
        return torch.cat(windows)


def build(size: str = "small", **changes: object) -> TMAD:
    """A T-MAD with fresh weights from torch's default generator.

    Args:
        size: ``"paper"`` or ``"small"``.
        changes: fields of `TMADConfig` to set differently, for ablations (``retrieval="weighted"``).

    Raises:
        ValueError: for an unknown size.
    """
    if size not in SIZES:
        raise ValueError(f"T-MAD has no size {size!r}. It has: {', '.join(sorted(SIZES))}.")
    return TMAD(replace(SIZES[size], **changes))  # type: ignore[arg-type]
