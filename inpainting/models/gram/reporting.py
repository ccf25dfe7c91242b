"""What a synthesis tells while it works, and what is kept of that with the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from inpainting.curves import LossCurves
from inpainting.models.base import FillInput, FloatImage, Overlay, Step
from inpainting.models.gram.resuming import Reached

PREVIEW_SECONDS = 0.3
TOO_SMALL = "The photo is too small to learn a texture from; the hole was filled from its edge."


class Report:
    """The steps, overlays and curves of one crop."""

    def __init__(self, job: FillInput) -> None:
        self.overlays: list[Overlay] = []
        self.curves = LossCurves()
        self._job = job
        self._previewed = time.monotonic()

    def tell(self, stage: str, fraction: float, image: FloatImage | None = None) -> None:
        """Say that `stage` is being worked on; `image` is the crop as it is now."""
        self._job.on_step(Step(stage, fraction, preview=image))

    def evaluated(
        self,
        part: str,
        fraction: float,
        terms: Mapping[str, float],
        steps: tuple[int, int],
        picture: Callable[[], FloatImage],
    ) -> None:
        """Say how an optimisation gets on: its weighted `terms`, and how many `steps` of at most how many are done.

        `picture` makes the crop as it is now, of any range; it is called a few times a second.
        """
        self.curves.add(part, terms)
        image = None
        if time.monotonic() - self._previewed >= PREVIEW_SECONDS:
            image = picture().clip(0.0, 1.0)
            self._previewed = time.monotonic()
        done, limit = steps
        stage = f"{part}, iteration {done}/{limit}"
        self._job.on_step(Step(stage, fraction, done, limit, preview=image, losses=terms))

    def show(self, name: str, title: str, picture: FloatImage) -> None:
        """Keep `picture` as an overlay of the result."""
        self.overlays.append(Overlay(name, title, np.rint(picture.clip(0.0, 1.0) * 255.0).astype(np.uint8)))

    def notes(self, reached: Reached, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept with the result: `facts`, how far the loss came down, and its curves."""
        if not reached.losses:
            return {"too_small": TOO_SMALL}
        count = len(reached.losses)
        return {
            **facts,
            "iterations": reached.iterations,
            "loss_at_start": round(sum(begin for begin, _ in reached.losses) / count, 1),
            "loss_at_end": round(sum(end for _, end in reached.losses) / count, 1),
            "curves": self.curves.as_note(),
        }
