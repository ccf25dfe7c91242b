"""The worker's own tasks, and a model that can compute several crops at once: ``celery -A tests.workers.batching``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from celery import signals

from inpainting import catalog
from inpainting.model_entry import ModelEntry, Param
from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, Step
from workers.tasks import app

__all__ = ["ENTRY", "POISON", "MeanTogether", "app"]

POISON = 250
"""Photos whose known pixels are brighter than this on average break the batch that they are in."""
_STEP = 0.05

ENTRY = ModelEntry(
    key="mean-together",
    title="Mean",
    summary="",
    cost="fast",
    factory="tests.workers.batching:MeanTogether",
    params=(Param("seconds", "float", 0.1, "Seconds"),),
    needs_torch=False,
)


@signals.worker_init.connect
def _offer(**kwargs: Any) -> None:
    """In the worker's parent, before its processes are forked."""
    catalog._BY_KEY[ENTRY.key] = ENTRY


class MeanTogether(FillModel):
    """Fills with the mean colour, and takes as many seconds as it is told, however many crops there are."""

    useful_batch = MappingProxyType({"cuda": 4})
    working_side = 256

    def fill(self, job: FillInput) -> FillOutput:
        return self.fill_batch([job])[0]

    def fill_batch(self, jobs: Sequence[FillInput]) -> list[FillOutput]:
        steps = max(1, round(jobs[0].params["seconds"] / _STEP))
        for step in range(steps):
            for job in jobs:
                job.on_step(Step(f"{len(jobs)} at once", step / steps, step, steps))
            time.sleep(_STEP)
        means = [job.image[~job.mask].mean(axis=0) for job in jobs]
        if any(mean.mean() * 255 > POISON for mean in means):
            raise FillError("This photo cannot be filled with its mean.")
        return [
            FillOutput(np.broadcast_to(mean, job.image.shape).astype(np.float32))
            for mean, job in zip(means, jobs, strict=True)
        ]
