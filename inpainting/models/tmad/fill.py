"""T-MAD as a model of the engine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpainting.catalog import ModelEntry
from inpainting.layers.padding import pad_to_multiple
from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, FloatImage, Overlay, Step
from inpainting.models.tmad.checkpoint import load_network
from inpainting.models.tmad.networks import CoarseNet
from inpainting.models.tmad.octaves import doubled, halved, hole_area, octaves_down
from inpainting.models.tmad.overlays import (
    coarse_overlay,
    enlarged_sources,
    memory_overlay,
    patch_sources,
    retrieved_overlay,
)
from inpainting.models.tmad.refiner import Image, PatchRefiner, Refined, RefineTask

PREVIEW_SECONDS = 0.4
"""Least time between two previews of one fill: making one costs a pass over the whole crop."""
COARSE_DONE = 0.3
"""Share of a fill that is done when the coarse result is there."""


class TMADFill(FillModel):
    """Coarse result, texture memory, retrieval and patch synthesis, at every size.

    `working_side` stays ``None``: the model chooses the scale of its coarse network itself and brings the result up
    to the photo's own resolution (see `octaves`).
    """

    useful_batch = MappingProxyType({"cuda": 4})  # its crops have the photo's own resolution
    lower_precision = True

    def __init__(self, entry: ModelEntry, device: str = "cpu") -> None:
        super().__init__(entry, device)
        network, self.facts = load_network(entry, device)
        self.refiner = PatchRefiner(network)

    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop; see `fill_batch`."""
        return self.fill_batch([job])[0]

    @torch.inference_mode()
    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        """Fill several crops; crops of one size share the coarse network's pass, all share PSNet's.

        Raises:
            FillError: when a crop has no known pixel, or the network's output is not finite.
        """
        fillings = [_Filling(job, self.device, self.facts) for job in jobs]
        waiting = [filling for filling in fillings if filling.has_hole]
        self._estimate(waiting)
        while waiting:
            for filling, refined in zip(
                waiting, self.refiner.refine([filling.task() for filling in waiting]), strict=True
            ):
                filling.advance(refined, self.refiner.network.config.patch)
            waiting = [filling for filling in waiting if not filling.finished]
        return [filling.output() for filling in fillings]

    def _estimate(self, fillings: list[_Filling]) -> None:
        groups: dict[torch.Size, list[_Filling]] = defaultdict(list)
        for filling in fillings:
            filling.report("coarse", 0.0)
            if not filling.mask.any():
                filling.rise_to_hole()
                continue
            groups[pad_to_multiple(filling.mask, CoarseNet.multiple).shape].append(filling)
        for group in groups.values():
            images = torch.cat([pad_to_multiple(filling.composite, CoarseNet.multiple) for filling in group])
            masks = torch.cat([pad_to_multiple(filling.mask, CoarseNet.multiple) for filling in group])

            def on_part(share: float, group: list[_Filling] = group) -> None:
                for filling in group:
                    filling.report("coarse", COARSE_DONE * share)

            estimates = self.refiner.network.estimate(images, masks, on_part)
            for row, filling in enumerate(group):
                filling.set_coarse(estimates[row : row + 1])


class _Filling:
    """One crop on its way through the octaves; `octave` 0 is the crop's own size."""

    def __init__(self, job: FillInput, device: str, facts: dict[str, Any]) -> None:
        if job.mask.all():
            raise FillError("The whole picture is masked. T-MAD needs some known texture to fill from.")
        self.job = job
        self.notes = dict(facts)
        self.has_hole = bool(job.mask.any())
        self.finished = not self.has_hole
        mask = torch.from_numpy(job.mask).to(device)[None, None]
        image = torch.from_numpy(job.image).to(device, torch.float32).permute(2, 0, 1)[None]
        image = (image * 2).sub_(1).masked_fill_(mask, 0)
        self.levels = [(image, mask.float())]
        octaves = octaves_down(job.mask) if self.has_hole else 0
        for _ in range(octaves):
            self.levels.append(halved(*self.levels[-1]))
        self.areas = [hole_area(level_mask) for _, level_mask in self.levels]
        self.octave = len(self.levels) - 1
        self.last_octave = self.octave if job.params.get("detail") == "working" else 0
        self.overlays: list[Overlay] = []
        self.sources: NDArray[np.int32] | None = None
        self.source_patch = 1
        self.last_preview = -PREVIEW_SECONDS

    @property
    def composite(self) -> Tensor:
        """The present octave, (1, 3, h, w) in [-1, 1]: known pixels, and what is filled so far (zeros at first)."""
        return self.levels[self.octave][0]

    @property
    def mask(self) -> Tensor:
        """(1, 1, h, w), 1 in the hole, at the present octave."""
        return self.levels[self.octave][1]

    def set_coarse(self, estimate: Tensor) -> None:
        """Take the coarse network's estimate (1, 3, ≥h, ≥w)."""
        if not torch.isfinite(estimate).all():
            raise FillError("T-MAD's coarse network gave numbers that are not finite. Its weights may be damaged.")
        top, left, bottom, right = self.areas[self.octave]
        self._paste(estimate[:, :, top:bottom, left:right].clamp(-1, 1))
        self._show_coarse()

    def rise_to_hole(self) -> None:
        """In place of `set_coarse` where a thin hole vanished on the way down.

        The means of the known pixels beside it, enlarged, then are a closer estimate than the coarse network's.
        """
        while not self.mask.any():
            self._up()
        self.last_octave = min(self.last_octave, self.octave)
        self._show_coarse()

    def _show_coarse(self) -> None:
        self.overlays.append(coarse_overlay(self.composite))
        self.report("coarse", COARSE_DONE, image=lambda: self.composite)

    def task(self) -> RefineTask:
        """The refinement of the present octave."""
        params = self.job.params
        return RefineTask(
            self.composite,
            self.mask,
            seed=self.job.seed,
            tiling=params.get("tiling", "overlap"),
            selection=params.get("memory", "sampled"),
            on_progress=self._refining,
        )

    def advance(self, refined: Refined, patch: int) -> None:
        """Take the refinement of the present octave and go on to the next finer one."""
        if not torch.isfinite(refined.image).all():
            raise FillError("T-MAD's patch network gave numbers that are not finite. Its weights may be damaged.")
        if not refined.refined:
            self.notes["fallback"] = "Too little is known around the hole: the coarse result was kept."
        finest = self.octave == self.last_octave
        if finest and refined.refined:
            self._explain(refined, patch)
        self.levels[self.octave] = (refined.image, self.mask)
        if finest:
            self._raise_to_full_size()
            self.finished = True
            self.report("done", 1.0, image=lambda: self.composite)
        else:
            self._up()

    def output(self) -> FillOutput:
        """The filled crop."""
        if not self.has_hole:
            return FillOutput(self.job.image.copy(), notes=self.notes)
        return FillOutput(
            self._pixels(self.composite), self.overlays, self.sources, self.source_patch, notes=self.notes
        )

    def report(self, stage: str, fraction: float, *, image: Image | None = None) -> None:
        """Tell the caller; what it raises stops the fill."""
        self._step(stage, fraction, None, None, image)

    def _refining(self, stage: str, fraction: float, done: int | None, total: int | None, image: Image) -> None:
        start = self._share_done(self.octave)
        end = self._share_done(self.octave - 1) if self.octave > self.last_octave else 0.99
        if self.octave:
            stage = f"{stage} at 1/{2**self.octave} size"
        self._step(stage, start + (end - start) * fraction, done, total, image)

    def _share_done(self, octave: int) -> float:
        """The share of the fill that is done when `octave` begins: each octave costs four times the one before."""
        coarsest = len(self.levels) - 1
        before = sum(4.0 ** (coarsest - passed) for passed in range(octave + 1, coarsest + 1))
        total = sum(4.0 ** (coarsest - passed) for passed in range(self.last_octave, coarsest + 1))
        return COARSE_DONE + (0.99 - COARSE_DONE) * before / total

    def _step(self, stage: str, fraction: float, done: int | None, total: int | None, image: Image | None) -> None:
        preview = None
        if image is not None and time.monotonic() - self.last_preview >= PREVIEW_SECONDS:
            preview = self._pixels(image())
            self.last_preview = time.monotonic()
        self.job.on_step(Step(stage, fraction, done, total, preview))

    def _pixels(self, image: Tensor) -> FloatImage:
        """The crop (H, W, 3) in [0, 1] with the hole of `image`, a composite of the present octave."""
        top, left, bottom, right = self.areas[0]
        for octave in range(self.octave, 0, -1):
            height, width = self.levels[octave - 1][1].shape[-2:]
            image = doubled(image, height, width, self.areas[0] if octave == 1 else None)
        if self.octave == 0:
            image = image[:, :, top:bottom, left:right]
        pixels = self.job.image.copy()
        pixels[top:bottom, left:right] = (image[0].permute(1, 2, 0) + 1).div_(2).cpu().numpy()
        return pixels

    def _paste(self, estimate: Tensor) -> None:
        """Put an estimate of the hole's area into the hole."""
        top, left, bottom, right = self.areas[self.octave]
        hole = self.mask[:, :, top:bottom, left:right] > 0.5
        known = self.composite[:, :, top:bottom, left:right]
        known.copy_(torch.where(hole, estimate, known))

    def _up(self) -> None:
        image = self.composite
        self.octave -= 1
        height, width = self.mask.shape[-2:]
        self._paste(doubled(image, height, width, self.areas[self.octave]))

    def _raise_to_full_size(self) -> None:
        while self.octave > 0:
            self._up()

    def _explain(self, refined: Refined, patch: int) -> None:
        self.overlays += [
            retrieved_overlay(refined, self.composite, patch),
            memory_overlay(refined, self.composite, patch),
        ]
        mask = self.mask[0, 0].cpu().numpy() > 0.5
        factor = 2**self.octave
        sources = patch_sources(refined, mask, patch)
        self.sources = enlarged_sources(sources, factor, self.job.mask) if factor > 1 else sources
        self.source_patch = patch * factor
        self.notes |= {
            "cells": len(refined.cells),
            "memory_patches": len(refined.memory.windows),
            "memory_hole_share": round(float(refined.memory.hole_share.mean()), 4),
            "octaves": len(self.levels) - 1,
        }
