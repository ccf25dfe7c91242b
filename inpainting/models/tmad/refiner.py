"""Retrieval and PSNet over the hole of finished composites, in bounded memory: T-MAD's own second stage, and the
refinement of any other model's result (section IV-C of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from inpainting.layers.blending import PatchCanvas, Tiling, covered_area, cut_windows, hole_cells
from inpainting.layers.padding import pad_to_multiple
from inpainting.layers.retrieval import (
    MOST_HOLE,
    Selection,
    TextureMemory,
    choose_memory,
    find_patches,
)
from inpainting.layers.seam import RING, seamless
from inpainting.models.tmad.system import TMAD

PATCH_BATCH = {"cpu": 16, "cuda": 256}
"""Cells that PSNet synthesises at once: on a CPU few enough to hear of a cancellation within a second."""


class Progress(Protocol):
    """Told about every step of a refinement; what it raises stops the refinement."""

    def __call__(self, stage: str, fraction: float, done: int | None, total: int | None, image: Image) -> None: ...


Image = Callable[[], Tensor]
"""The composite as it looks now, (1, 3, H, W) in [-1, 1], made when it is called."""


def _silent(stage: str, fraction: float, done: int | None, total: int | None, image: Image) -> None:
    return None


@dataclass(slots=True)
class RefineTask:
    """One composite whose hole is to be synthesised anew."""

    composite: Tensor
    """(1, 3, H, W) in [-1, 1], any size: known pixels and an estimate in the hole."""
    mask: Tensor
    """(1, 1, H, W), 1 in the hole."""
    seed: int = 0
    """Seed of the random choice of the texture memory."""
    tiling: Tiling = "overlap"
    selection: Selection = "sampled"
    on_progress: Progress = field(default=_silent)


@dataclass(slots=True)
class Refined:
    """A refined composite and how it came about; positions are pixels of the composite."""

    image: Tensor
    """(1, 3, H, W) in [-1, 1]; known pixels are those of the composite."""
    memory: TextureMemory
    cells: Tensor
    """(N, 3) int64: 0, top, left of the synthesised cells; empty where nothing could be refined."""
    retrieved: Tensor
    """(N, K) int64: the memory windows retrieved for each cell, best first."""
    refined: bool
    """False where too little of the image is known to retrieve from: `image` is then the composite itself."""


class PatchRefiner:
    """Runs the second stage of a T-MAD in evaluation mode."""

    def __init__(self, network: TMAD, *, patch_batch: int | None = None) -> None:
        self.network = network.eval()
        self.device = next(network.parameters()).device
        self.patch_batch = patch_batch or PATCH_BATCH.get(self.device.type, 64)

    @torch.inference_mode()
    def refine(self, tasks: Sequence[RefineTask]) -> list[Refined]:
        """Synthesise the holes of several composites; the cells of all of them share PSNet's batches."""
        works = [_Work(task, self.network, self.patch_batch) for task in tasks]
        queue = [(work, cell) for work in works for cell in range(len(work.cells))]
        for start in range(0, len(queue), self.patch_batch):
            self._synthesise(queue[start : start + self.patch_batch])
        return [work.finish() for work in works]

    def _synthesise(self, queue: Sequence[tuple[_Work, int]]) -> None:
        shares: dict[int, tuple[_Work, list[int]]] = {}
        for work, cell in queue:
            shares.setdefault(id(work), (work, []))[1].append(cell)
        inputs = [work.inputs(cells) for work, cells in shares.values()]
        patches = self.network.psnet(
            torch.cat([context for context, _ in inputs]), torch.cat([textures for _, textures in inputs])
        )
        parts = patches.clamp(-1, 1).split([len(cells) for _, cells in shares.values()])
        for (work, cells), part in zip(shares.values(), parts, strict=True):
            work.add(cells, part)


class _Work:
    """The state of one task while its cells go through PSNet."""

    def __init__(self, task: RefineTask, network: TMAD, chunk: int) -> None:
        config = network.config
        self.task = task
        self.network = network
        self.height, self.width = task.composite.shape[-2:]
        self.composite = pad_to_multiple(task.composite, config.patch)
        self.mask = pad_to_multiple(task.mask, config.patch)
        self.done = 0
        self.memory = self._choose_memory()
        enough = bool((self.memory.hole_share <= MOST_HOLE).any())
        self.cells = hole_cells(self.mask, config.patch, task.tiling)
        if not enough:
            self.cells = self.cells[:0]
        self.canvas = PatchCanvas(self.composite, config.patch, task.tiling, covered_area(self.cells, config.patch))
        self.report("memory", 0.0)
        self.retrieved = self._retrieve(chunk)

    def _choose_memory(self) -> TextureMemory:
        config = self.network.config
        # The padding mirrors the photo: patches of it are real textures, but stand nowhere in the photo.
        inside = min(self.height, self.width) >= config.patch
        return choose_memory(
            self.task.mask if inside else self.mask,
            patch=config.patch,
            count=config.memory,
            stride=config.memory_stride,
            at_least=config.top_k,
            selection=self.task.selection,
            generator=torch.Generator().manual_seed(self.task.seed),
        )

    def _retrieve(self, chunk: int) -> Tensor:
        config, memory = self.network.config, self.memory.windows
        if not len(self.cells):
            return self.cells.new_zeros(0, config.top_k)
        return find_patches(
            self.network.correspondence,
            lambda start, end: cut_windows(self.composite, self.cells[start:end], config.patch),
            len(self.cells),
            lambda start, end: cut_windows(self.composite, memory[start:end], config.patch),
            len(memory),
            config.top_k,
            chunk=chunk,
            on_chunk=lambda done: self.report("retrieve", 0.1 + 0.2 * done / len(self.cells)),
        )

    def inputs(self, cells: list[int]) -> tuple[Tensor, Tensor]:
        """PSNet's inputs for some cells: contexts (n, 3, ·, ·) and textures (n, K, 3, p, p)."""
        config = self.network.config
        windows = self.cells[cells]
        context = cut_windows(self.composite, windows, config.patch, config.margin)
        if config.retrieval == "weighted":
            return context, self._weighted(windows)
        flat = cut_windows(self.composite, self.memory.windows[self.retrieved[cells].flatten()], config.patch)
        return context, flat.view(len(cells), config.top_k, *flat.shape[1:])

    def _weighted(self, windows: Tensor) -> Tensor:
        coarse = cut_windows(self.composite, windows, self.network.config.patch)
        memory = cut_windows(self.composite, self.memory.windows, self.network.config.patch)
        one_image = torch.zeros(max(len(coarse), len(memory)), dtype=torch.int64, device=coarse.device)
        return self.network.retrieve(coarse, one_image[: len(coarse)], memory, one_image[: len(memory)])

    def add(self, cells: list[int], patches: Tensor) -> None:
        self.canvas.add(self.cells[cells], patches)
        self.done += len(cells)
        total = len(self.cells)
        self.report(f"patches {self.done}/{total}", 0.3 + 0.65 * self.done / total, self.done, total)

    def finish(self) -> Refined:
        self.report("blending", 1.0)
        return Refined(self._closed(), self.memory, self.cells, self.retrieved, len(self.cells) > 0)

    def image(self) -> Tensor:
        return self.canvas.over(self.composite, self.mask)[:, :, : self.height, : self.width]

    def _closed(self) -> Tensor:
        """The final image: what PSNet made of the known pixels beside the hole tells how far off it is there."""
        if not self.network.config.seam or not len(self.cells):
            return self.image()
        top, left, bottom, right = self.canvas.area
        rows, columns = slice(max(0, top - RING), bottom + RING), slice(max(0, left - RING), right + RING)
        whole = self.canvas.over(self.composite, torch.ones_like(self.mask))
        whole[..., rows, columns] = seamless(
            whole[..., rows, columns], self.composite[..., rows, columns], self.mask[..., rows, columns]
        ).clamp(-1, 1)
        return whole[:, :, : self.height, : self.width]

    def report(self, stage: str, fraction: float, done: int | None = None, total: int | None = None) -> None:
        self.task.on_progress(stage, fraction, done, total, self.image)
