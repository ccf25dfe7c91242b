"""T-MAD's patch network as the last step of any other model (section IV-C of its paper)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from inpainting import half_precision
from inpainting.catalog import REFINER, get_entry
from inpainting.layers.blending import Tiling
from inpainting.models.base import (
    BoolMask,
    FillError,
    FillInput,
    FillModel,
    FillOutput,
    FloatImage,
    Overlay,
    Step,
    StepCallback,
)
from inpainting.models.tmad.checkpoint import load_network
from inpainting.models.tmad.fill import TMADFill
from inpainting.models.tmad.overlays import memory_overlay, patch_sources, retrieved_overlay, to_bytes
from inpainting.models.tmad.refiner import Image, PatchRefiner, RefineTask

INNER_SHARE = 0.85
"""Share of a fill's progress that belongs to the model whose result is refined."""


def with_refinement(model: FillModel, tmad: FillModel) -> FillModel:
    """`model` followed by the PSNet of `tmad`, in the precision that was settled for it."""
    if not isinstance(tmad, TMADFill):
        raise TypeError(f"{tmad.entry.key} has no patch network to refine with.")
    return RefinedModel(model, tmad.refiner, computing=lambda: half_precision.computing(tmad))


@lru_cache(maxsize=2)
def shared_refiner(device: str) -> PatchRefiner:
    """The refiner on a device for `refine`, loaded once a process. The engine's is that of its T-MAD."""
    return PatchRefiner(load_network(get_entry(REFINER), device)[0])


class RefinedModel(FillModel):
    """Another model whose results PSNet synthesises anew; to the engine it has that model's entry and habits."""

    def __init__(
        self,
        inner: FillModel,
        refiner: PatchRefiner,
        *,
        computing: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        """`computing` makes the context that the refinement is computed in; `inner` has its own."""
        super().__init__(inner.entry, str(refiner.device))
        self.inner = inner
        self.refiner = refiner
        self._computing = computing
        self.useful_batch = inner.useful_batch
        self.working_side = inner.working_side
        self.context_side = inner.context_side
        self.match_detail = inner.match_detail
        self.resumable = inner.resumable

    def fill(self, job: FillInput) -> FillOutput:
        """Fill one crop and refine it."""
        return self.fill_batch([job])[0]

    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        """Fill several crops, then refine all of them together."""
        inner = [replace(job, on_step=_scaled(job.on_step)) for job in jobs]
        with half_precision.computing(self.inner):
            outputs = self.inner.fill_batch(inner)
        images = [_tensors(job.image, job.mask, output.image) for job, output in zip(jobs, outputs, strict=True)]
        tasks = [
            RefineTask(composite.to(self.device), mask.to(self.device), job.seed, on_progress=_reporting(job))
            for job, (composite, mask) in zip(jobs, images, strict=True)
        ]
        patch = self.refiner.network.config.patch
        with self._computing():
            results = self.refiner.refine(tasks)
        for job, output, task, refined in zip(jobs, outputs, tasks, results, strict=True):
            output.notes["refined"] = refined.refined
            if not refined.refined:
                continue
            output.image = _pixels(refined.image)
            output.overlays += [
                Overlay("unrefined", "Before refinement", to_bytes(task.composite)),
                retrieved_overlay(refined, task.composite, patch),
                memory_overlay(refined, task.composite, patch),
            ]
            # Where the engine looks for matches itself, it finds finer ones than whole patches.
            if output.sources is None and not self.match_detail:
                output.sources = patch_sources(refined, job.mask, patch)
                output.source_patch = patch
        return outputs


def refine(
    image: FloatImage,
    mask: BoolMask,
    coarse: FloatImage,
    *,
    seed: int = 0,
    tiling: Tiling = "overlap",
    device: str = "cpu",
    refiner: PatchRefiner | None = None,
) -> FloatImage:
    """Synthesise the hole's textures anew from patches of the known region.

    Args:
        image: (H, W, 3) in [0, 1]; its known pixels are kept.
        mask: (H, W), True in the hole.
        coarse: (H, W, 3) in [0, 1]: any model's estimate of the hole.
        refiner: the networks; the shipped ones on `device` when ``None``.

    Returns:
        (H, W, 3) in [0, 1]; `image` with `coarse` in the hole where too little is known to retrieve from.

    Raises:
        FillError: when the three do not have the same size.
    """
    if image.shape != coarse.shape or image.shape[:2] != mask.shape:
        raise FillError(
            f"Photo, mask and estimate must have the same size; they have {image.shape[:2]}, {mask.shape} and "
            f"{coarse.shape[:2]}."
        )
    refiner = refiner if refiner is not None else shared_refiner(device)
    composite, hole = _tensors(image, mask, coarse)
    task = RefineTask(composite.to(refiner.device), hole.to(refiner.device), seed, tiling)
    return _pixels(refiner.refine([task])[0].image)


def _tensors(image: FloatImage, mask: BoolMask, estimate: FloatImage) -> tuple[torch.Tensor, torch.Tensor]:
    composite = np.where(mask[..., None], np.clip(estimate, 0, 1), image).astype(np.float32)
    pixels = torch.from_numpy(composite).permute(2, 0, 1)[None] * 2 - 1
    return pixels.contiguous(), torch.from_numpy(mask)[None, None].float()


def _pixels(image: torch.Tensor) -> FloatImage:
    pixels = (image[0].permute(1, 2, 0) + 1) / 2
    return np.ascontiguousarray(pixels.cpu().numpy(), dtype=np.float32)


def _scaled(on_step: StepCallback) -> StepCallback:
    return lambda step: on_step(replace(step, fraction=step.fraction * INNER_SHARE))


def _reporting(job: FillInput) -> Any:
    def report(stage: str, fraction: float, done: int | None, total: int | None, image: Image) -> None:
        preview = _pixels(image()) if fraction >= 1.0 else None
        share = INNER_SHARE + (1 - INNER_SHARE) * fraction
        job.on_step(Step(f"refining: {stage}", share, done, total, preview))

    return report
