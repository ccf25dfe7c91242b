"""Jobs that wait at the same moment for the same model, computed as one batch.

A batch pays where a device does several crops in less time than one after the other, and makes everybody in it wait for
the last. So the models say how many crops are worth it on which device; `webapp.jobs.claims.claim_alike` sees to it
that nobody is overtaken who could have been served.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from inpainting.imaging import decode_mask
from inpainting.models.base import Cancelled
from webapp.jobs import claims
from webapp.jobs.models import Job
from webapp.photos import services as photos
from workers.progress import PREVIEW_SHARE, Reporter
from workers.supervisor import Supervisor, settle
from workers.task import Task

if TYPE_CHECKING:
    from inpainting.engine import Engine, Progress, Result

logger = logging.getLogger(__name__)

Shapes = tuple[tuple[int, int], ...]


def companions(first: Job, engine: Engine, *, batch: int | None, worker: str) -> list[Job]:
    """Claim waiting jobs that are worth computing together with `first`, which this worker has just begun.

    Alike are jobs whose context crops have the same sizes at the model's scale. Nothing that is wrong with a picture
    or a model matters here: it comes up again when its job is run.
    """
    if batch == 1 or not first.is_fill or first.attempt != first.handed_back + 1:
        return []
    try:
        useful = engine.useful_batch(first.model)
        if useful == 0 or (batch or useful) == 1:
            return []
        shapes = _crop_shapes(first, engine)
        # Each of them has as many crops as the first.
        most = (batch or useful) // max(1, len(shapes)) - 1
        if most < 1:
            return []
        return claims.claim_alike(
            first, worker=worker, most=most, fits=lambda other: _crop_shapes(other, engine) == shapes
        )
    except Exception:
        logger.warning("No job is taken along with job %s.", first.pk, exc_info=True)
        return []


def fill_together(engine: Engine, supervisor: Supervisor, tasks: Sequence[Task]) -> Mapping[UUID, Result]:
    """The results by job; empty when the batch failed for whatever reason, or was not worth it any more.

    Whoever is cancelled on the way is let go at the batch's next step, and the others go on; when nobody is left, the
    batch stops.
    """
    if len(tasks) < 2:
        return {}
    reports = [Reporter(task.watch, preview_share=PREVIEW_SHARE / len(tasks)) for task in tasks]

    def on_step(progress: Progress) -> None:
        watch = tasks[progress.item].watch
        if all(task.watch.stop is not None for task in tasks):
            raise Cancelled("nobody waits for this batch any more")
        if watch.stop is None:
            reports[progress.item](progress)
        elif supervisor.let_go(watch):
            settle(watch)

    first = tasks[0].job
    options: dict[str, Any] = {"model": first.model, "params": first.params, "on_step": on_step}
    try:
        results = engine.fill_batch(
            [(task.photo, task.mask) for task in tasks], seed=[task.job.seed for task in tasks], **options
        )
    except Cancelled:
        return {}
    except Exception:
        logger.warning("A batch of %d jobs failed; they are done one by one.", len(tasks), exc_info=True)
        return {}
    for result in results:
        result.notes["together"] = len(tasks)
    return {task.job.pk: result for task, result in zip(tasks, results, strict=True)}


def _crop_shapes(job: Job, engine: Engine) -> Shapes:
    mask = decode_mask(photos.read_mask(job.mask), width=job.source.width, height=job.source.height)
    return engine.crop_shapes(job.model, mask)
