"""Runs jobs in one process: claim, read, fill or select, write, finish."""

from __future__ import annotations

import logging
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from inpainting.catalog import CatalogError
from inpainting.imaging import Photo, PhotoError, decode, decode_mask, encode
from inpainting.models.base import Cancelled, FillError
from inpainting.results import Progress
from inpainting.selection import Kind, SelectionError, select
from webapp.errors import Refusal
from webapp.jobs import claims, states
from webapp.jobs.checkpoints import JobCheckpoint
from webapp.jobs.models import Job
from webapp.photos import services as photos
from webapp.photos.files import new_files
from webapp.photos.findings import NewOverlay, NewSourceMap
from webapp.photos.renditions import Made, render, store_rendition
from workers.findings import packed_overlays, packed_sources
from workers.progress import Reporter
from workers.rest import rest_while_drained
from workers.supervisor import Supervisor, Watch, settle

if TYPE_CHECKING:
    from inpainting.engine import Engine, Result

logger = logging.getLogger(__name__)

Timings = dict[str, float]
_UNEXPECTED = "Something went wrong while working on this photo. It was noted for the people who run this site."
_NO_MEMORY = "This machine has too little memory to fill such a large hole. A smaller hole or another model may work."


class Runner:
    """One process's engine and supervisor. Runs one job at a time, in the thread that calls it."""

    def __init__(self, engine: Engine, supervisor: Supervisor) -> None:
        self._engine = engine
        self._supervisor = supervisor
        self._helper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="display")
        self._free_since = timezone.now()

    def run_next(self, queue: str) -> Job | None:
        """Claim the next job of `queue` and run it to its end; None when nothing waits there or the worker rests."""
        if not rest_while_drained(self._supervisor.name):
            return None
        job = claims.claim_next(queue, worker=self._supervisor.name)
        if job is None:
            return None
        try:
            self._run(job, _waiting_times(job, self._free_since))
        finally:
            self._free_since = timezone.now()
        return job

    def _run(self, job: Job, timings: Timings) -> None:
        checkpoint = JobCheckpoint(job.pk)
        with self._supervisor.watching(job) as watch:
            try:
                if job.is_fill:
                    self._fill_and_store(watch, checkpoint, timings)
                else:
                    _select_and_store(watch, timings)
            except Cancelled:
                settle(watch)
            except states.Lost:
                logger.info("Job %s was moved while attempt %d ran; its result is dropped.", job.pk, job.attempt)
            except (FillError, PhotoError, CatalogError, SelectionError, Refusal) as error:
                _fail(job, getattr(error, "code", "cannot_fill"), str(error))
            except MemoryError:
                logger.exception("Job %s ran out of memory.", job.pk)
                _fail(job, "out_of_memory", _NO_MEMORY, traceback.format_exc())
            except Exception as error:
                logger.exception("Job %s failed unexpectedly.", job.pk)
                if type(error).__name__ == "OutOfMemoryError":  # PyTorch's, for memory on a graphics card
                    _fail(job, "out_of_memory", _NO_MEMORY, traceback.format_exc())
                else:
                    _fail(job, "unexpected", _UNEXPECTED, traceback.format_exc())
        if checkpoint.is_used and not Job.objects.active().filter(pk=job.pk).exists():
            checkpoint.forget()

    def _fill_and_store(self, watch: Watch, checkpoint: JobCheckpoint, timings: Timings) -> None:
        job = watch.job
        clock = _Clock(timings)
        source = photos.read_version(job.source)
        hole = photos.read_mask(job.mask)
        clock.lap("read")
        photo = decode(source)
        mask = decode_mask(hole, width=photo.width, height=photo.height)
        clock.lap("decode")
        result = self._engine.fill(
            photo,
            mask,
            model=job.model,
            params=job.params,
            seed=job.seed,
            on_step=Reporter(watch),
            checkpoint=checkpoint,
        )
        timings.update(result.timings)
        clock.skip()
        # All of them let go of the interpreter's lock, so on two cores the second one is free.
        display = self._helper.submit(render, result.photo, "display")
        overlays = self._helper.submit(packed_overlays, result.overlays)
        sources = self._helper.submit(packed_sources, result.sources)
        png = encode(result.photo, "PNG")
        clock.lap("encode")
        files = _Files(png, display.result(), overlays.result(), sources.result())
        clock.lap("pack")
        _store(watch, result, files, timings, clock)


@dataclass(frozen=True, slots=True)
class _Files:
    """All that is stored of a result."""

    png: bytes
    display: Made
    overlays: list[NewOverlay]
    sources: list[NewSourceMap]


def _store(watch: Watch, result: Result, files: _Files, timings: Timings, clock: _Clock) -> None:
    """The result's version and the job's success, both or neither; raises `Lost` when the job is no longer ours."""
    job = watch.job
    photo: Photo = result.photo
    with new_files(), transaction.atomic():
        version = photos.add_result(
            source=job.source,
            mask=job.mask,
            png=files.png,
            width=photo.width,
            height=photo.height,
            model=job.model,
            params=job.params,
            seed=job.seed,
            timings=dict(timings),
            proof=dict(result.proof),
            notes=dict(result.notes),
            overlays=files.overlays,
            sources=files.sources,
        )
        store_rendition(version, "display", files.display)
        clock.lap("store")
        states.succeed(job, result_id=version.pk, timings=timings)


def _select_and_store(watch: Watch, timings: Timings) -> None:
    """Make a mask from the job's stroke; it and the job's success, both or neither."""
    job = watch.job
    clock = _Clock(timings)
    source = photos.read_version(job.source)
    stroke = photos.read_mask(job.mask)
    clock.lap("read")
    photo = decode(source)
    hint = decode_mask(stroke, width=photo.width, height=photo.height)
    clock.lap("decode")
    kind: Kind = "text" if job.kind == Job.Kind.SELECT_TEXT else "object"
    report = Reporter(watch)
    mask = select(photo, hint, kind, on_round=lambda stage, fraction: report(Progress(stage, fraction)))
    clock.lap("compute")
    with new_files(), transaction.atomic():
        selection = photos.keep_mask(job.source, mask)
        clock.lap("store")
        states.succeed(job, selection_id=selection.pk, timings=timings)


class _Clock:
    """Notes how long each part took."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """What passed since the last lap is called `name`."""
        now = time.perf_counter()
        self._timings[name] = round(now - self._last, 4)
        self._last = now

    def skip(self) -> None:
        """What passed since the last lap was measured by somebody else."""
        self._last = time.perf_counter()


def _waiting_times(job: Job, free_since: datetime) -> Timings:
    """What passed before the run: waiting for this process to be free, and getting the job to the free process."""
    if job.queued_at is None or job.started_at is None:
        return {}
    ready = max(job.queued_at, free_since)
    zero = timedelta(0)
    return {
        "queue_wait": max(zero, ready - job.queued_at).total_seconds(),
        "dispatch": max(zero, job.started_at - ready).total_seconds(),
    }


def _fail(job: Job, code: str, message: str, details: str = "") -> None:
    try:
        states.fail(job, actor=job.worker, code=code, message=message, traceback=details)
    except states.Lost:
        logger.info("Job %s was moved by somebody else before attempt %d failed.", job.pk, job.attempt)
