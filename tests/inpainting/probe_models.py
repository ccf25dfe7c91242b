"""Small models with one known behaviour each, to see what the engine does with it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from inpainting.checkpoints import ModelState
from inpainting.models.base import FillInput, FillModel, FillOutput, Overlay, Step


class Recording(FillModel):
    """Fills with the mean of the known pixels, tells where it was, and keeps what it was given."""

    working_side: int | None = 64
    context_side = 64

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.jobs: list[FillInput] = []
        self.batches: list[int] = []

    def fill(self, job: FillInput) -> FillOutput:
        self.jobs.append(job)
        image = np.empty_like(job.image)
        image[...] = job.image[~job.mask].mean(axis=0)
        job.on_step(Step("Thinking", 0.5, steps_done=1, steps_total=2, preview=image, losses={"style": 2.0}))
        job.on_step(Step("Thinking", 1.0, preview=image))
        sources = np.full((*job.mask.shape, 2), -1, np.int32)
        sources[job.mask] = np.argwhere(~job.mask)[0]
        return FillOutput(
            image=image,
            overlays=[Overlay("known", "Known pixels", (~job.mask).view(np.uint8) * np.uint8(255))],
            sources=sources,
            notes={"backbone": "none"},
        )

    def fill_batch(self, jobs: Any) -> list[FillOutput]:
        self.batches.append(len(jobs))
        return super().fill_batch(jobs)


class NotANumber(Recording):
    def fill(self, job: FillInput) -> FillOutput:
        output = super().fill(job)
        output.image[np.nonzero(job.mask)[0][0], np.nonzero(job.mask)[1][0], 1] = np.nan
        return output


class WrongSize(Recording):
    def fill(self, job: FillInput) -> FillOutput:
        output = super().fill(job)
        output.image = output.image[1:]
        return output


class Vandal(Recording):
    """Writes over its input and returns noise outside the hole; none of that may show."""

    working_side = None

    def fill(self, job: FillInput) -> FillOutput:
        output = super().fill(job)
        output.image[~job.mask] = 5.0
        job.image[...] = 0.3
        job.mask[...] = False
        return output


class Hungry(Recording):
    """Runs out of a graphics card's memory, as PyTorch says it, on crops above `BEARABLE` pixels."""

    BEARABLE = 300 * 300
    working_side = None

    def fill(self, job: FillInput) -> FillOutput:
        import torch

        if job.mask.size > self.BEARABLE:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return super().fill(job)


class Insatiable(Hungry):
    BEARABLE = 0


class Heavy(Recording):
    """Holds weights of a known size, one network in a list and its weights once more under another name."""

    BYTES = 4 * (500 * 500 + 500)

    def __init__(self, *args: Any) -> None:
        import torch

        super().__init__(*args)
        self.parts = {"networks": [torch.nn.Linear(500, 500)]}
        self.shared = self.parts["networks"][0]


class Resumable(FillModel):
    """Takes ten steps to one colour, and goes on from the step that was kept."""

    context_side = 64
    resumable = True
    filled: ClassVar[list[tuple[int, int]]] = []
    """The side of each hole that was filled, and the step that it began with."""

    def fill(self, job: FillInput) -> FillOutput:
        begun = 0 if job.resume is None else int(job.resume.arrays["step"][0])
        self.filled.append((int(job.mask.sum() ** 0.5), begun))
        for step in range(begun, 10):
            job.keep(lambda step=step: ModelState({}, {"step": np.array([step])}))  # type: ignore[misc]
            job.on_step(Step(f"step {step}", step / 10))
        image = np.empty_like(job.image)
        image[...] = np.array([10, 20, 30]) / 255
        sources = np.full((*job.mask.shape, 2), -1, np.int32)
        sources[job.mask] = np.argwhere(~job.mask)[0]
        return FillOutput(image, sources=sources)
