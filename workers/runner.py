"""Runs jobs in one process: claim, read, fill or select, write, finish."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction

from inpainting.imaging import Photo, decode, decode_mask, encode
from inpainting.models.base import BoolMask, Cancelled
from inpainting.results import Progress
from inpainting.selection import Kind, select
from webapp.jobs import claims, states
from webapp.jobs.checkpoints import JobCheckpoint
from webapp.jobs.models import Job
from webapp.photos import services as photos
from webapp.photos.files import new_files
from webapp.photos.findings import NewOverlay, NewSourceMap
from webapp.photos.renditions import Made, render, store_rendition
from webapp.settings.context import about_job
from workers.findings import packed_overlays, packed_sources
from workers.memory import Fallbacks
from workers.progress import Reporter
from workers.rest import rest_while_drained
from workers.supervisor import Supervisor, Watch, settle
from workers.trouble import DATABASE_AWAY, Failure, explain, patiently

if TYPE_CHECKING:
    from inpainting.engine import Engine, Result

logger = logging.getLogger(__name__)

Timings = dict[str, float]


class Runner:
    """One process's engine and supervisor. Runs one job at a time, in the thread that calls it."""

    def __init__(self, engine: Engine, supervisor: Supervisor, *, cpu: Callable[[], Engine] | None = None) -> None:
        """`cpu` makes the engine that stands in when a graphics card's memory does not suffice."""
        self._engines = Fallbacks(engine, cpu or (lambda: engine))
        self._supervisor = supervisor
        self._helper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="display")
        self._free_since = time.monotonic()

    def run_next(self, queue: str) -> Job | None:
        """Claim the next job of `queue` and run it to its end; None when nothing waits there or the worker rests."""
        if not rest_while_drained(self._supervisor.name):
            return None
        job = claims.claim_next(queue, worker=self._supervisor.name)
        if job is None:
            return None
        try:
            with about_job(job.pk):
                self._run(job, _waiting_times(job, idle=time.monotonic() - self._free_since))
        finally:
            self._free_since = time.monotonic()
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
            except DATABASE_AWAY:
                _leave_to_the_sweep(job)
            except Exception as error:
                failure = explain(error)
                if failure.for_staff:
                    logger.exception("Job %s failed: %s.", job.pk, failure.code)
                _fail(watch, failure, traceback.format_exc() if failure.for_staff else "")
        if checkpoint.is_used:
            _forget_when_ended(checkpoint, job)

    def _fill_and_store(self, watch: Watch, checkpoint: JobCheckpoint, timings: Timings) -> None:
        job = watch.job
        clock = _Clock(timings)
        source, hole = patiently(watch, lambda: (photos.read_version(job.source), photos.read_mask(job.mask)))
        clock.lap("read")
        photo = decode(source)
        mask = decode_mask(hole, width=photo.width, height=photo.height)
        clock.lap("decode")
        report = Reporter(watch)
        result = self._engines.fill(
            lambda engine: engine.fill(
                photo,
                mask,
                model=job.model,
                params=job.params,
                seed=job.seed,
                on_step=report,
                checkpoint=checkpoint,
            ),
            model=job.model,
            photo_side=max(photo.width, photo.height),
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
        patiently(watch, lambda: _store(watch, result, files, timings, clock))


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
    source, stroke = patiently(watch, lambda: (photos.read_version(job.source), photos.read_mask(job.mask)))
    clock.lap("read")
    photo = decode(source)
    hint = decode_mask(stroke, width=photo.width, height=photo.height)
    clock.lap("decode")
    kind: Kind = "text" if job.kind == Job.Kind.SELECT_TEXT else "object"
    report = Reporter(watch)
    mask = select(photo, hint, kind, on_round=lambda stage, fraction: report(Progress(stage, fraction)))
    clock.lap("compute")
    patiently(watch, lambda: _store_selection(job, mask, timings, clock))


def _store_selection(job: Job, mask: BoolMask, timings: Timings, clock: _Clock) -> None:
    """The selected mask and the job's success, both or neither."""
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


def _waiting_times(job: Job, *, idle: float) -> Timings:
    """What passed before the run: waiting for this process to be free, and getting the job to the free process.

    The process has been free for `idle` seconds. Moments are the database's: the clock here may tell another time.
    """
    if job.queued_at is None or job.started_at is None:
        return {}
    ready = max(job.queued_at, job.started_at - timedelta(seconds=idle))
    zero = timedelta(0)
    return {
        "queue_wait": max(zero, ready - job.queued_at).total_seconds(),
        "dispatch": max(zero, job.started_at - ready).total_seconds(),
    }


def _fail(watch: Watch, failure: Failure, details: str) -> None:
    job = watch.job
    try:
        patiently(
            watch,
            lambda: states.fail(job, actor=job.worker, code=failure.code, message=failure.message, traceback=details),
        )
    except Cancelled:
        settle(watch)
    except states.Lost:
        logger.info("Job %s was moved by somebody else before attempt %d failed.", job.pk, job.attempt)
    except DATABASE_AWAY:
        _leave_to_the_sweep(job)


def _leave_to_the_sweep(job: Job) -> None:
    """Its heartbeats end with the attempt, so it is taken back and begun anew when the database is there again."""
    logger.exception("The database stayed away; attempt %d of job %s ends without an outcome.", job.attempt, job.pk)
    connection.close()


def _forget_when_ended(checkpoint: JobCheckpoint, job: Job) -> None:
    """Drop what the job had reached, unless another attempt is to go on from there."""
    try:
        if not Job.objects.active().filter(pk=job.pk).exists():
            checkpoint.forget()
    except DATABASE_AWAY:
        logger.info("What job %s had reached stays until its lifetime is over: the database is away.", job.pk)
        connection.close()
