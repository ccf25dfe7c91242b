"""Runs jobs in one process: claim, read, fill or select, write, finish."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.db import connection, transaction

from inpainting.imaging import Photo, encode
from inpainting.models.base import BoolMask, Cancelled
from inpainting.results import Progress
from inpainting.selection import Kind, select
from webapp.jobs import claims, states
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
from workers.task import Clock, Task, Timings
from workers.together import companions, fill_together
from workers.trouble import DATABASE_AWAY, Failure, explain, patiently

if TYPE_CHECKING:
    from inpainting.engine import Engine, Result

logger = logging.getLogger(__name__)


class Runner:
    """One process's engine and supervisor. Runs one job at a time, or a few alike together, in the calling thread."""

    def __init__(
        self,
        engine: Engine,
        supervisor: Supervisor,
        *,
        cpu: Callable[[], Engine] | None = None,
        batch: int | None = None,
    ) -> None:
        """`cpu` makes the engine that stands in when a graphics card's memory does not suffice.

        `batch` is how many crops are computed together with models that can: 1 for one by one, None for as many as
        each model is worth on this device.
        """
        self._engine = engine
        self._engines = Fallbacks(engine, cpu or (lambda: engine))
        self._supervisor = supervisor
        self._batch = batch
        self._helper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="display")
        self._free_since = time.monotonic()

    def run_next(self, queue: str) -> Job | None:
        """Claim the next job of `queue` and run it to its end; None when nothing waits there or the worker rests.

        Jobs that are alike and wait too may be taken along; of several the first is returned.
        """
        if not rest_while_drained(self._supervisor.name):
            return None
        job = claims.claim_next(queue, worker=self._supervisor.name)
        if job is None:
            return None
        idle = time.monotonic() - self._free_since
        try:
            with about_job(job.pk), self._supervisor.watching(job) as watch:
                alike = companions(job, self._engine, batch=self._batch, worker=self._supervisor.name)
                tasks = [Task(each, idle=idle) for each in (watch, *self._supervisor.join(alike))]
                if alike:
                    self._run_together(tasks)
                else:
                    self._run(tasks[0], self._fill_and_store)
        finally:
            self._free_since = time.monotonic()
        return job

    def _run(self, task: Task, do: Callable[[Task], None]) -> None:
        """Do what is left of one job, and be done with it."""
        self._settled(task, do)
        self._supervisor.let_go(task.watch)
        if task.checkpoint.is_used:
            _forget_when_ended(task)

    def _settled(self, task: Task, do: Callable[[Task], None]) -> bool:
        """Do a part of one job; False when it ended otherwise, which is settled then."""
        job, watch = task.job, task.watch
        with about_job(job.pk):
            try:
                do(task)
                return True
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
        return False

    def _run_together(self, tasks: Sequence[Task]) -> None:
        """Fill several at once and store each; should that fail, each is filled by itself, as if it had come alone."""
        ready = []
        for task in tasks:
            if self._settled(task, Task.read):
                ready.append(task)
            else:
                self._supervisor.let_go(task.watch)
        results = fill_together(self._engine, self._supervisor, ready)
        for task in ready:
            if task.watch.stop is not None:
                if self._supervisor.let_go(task.watch):
                    settle(task.watch)
            elif task.job.pk in results:
                self._run(task, partial(self._store, result=results[task.job.pk]))
            else:
                task.watch.started = time.monotonic()  # its neighbours' time is not its own
                self._run(task, self._fill_and_store)

    def _fill_and_store(self, task: Task) -> None:
        if not task.job.is_fill:
            _select_and_store(task)
            return
        if not task.is_read:
            task.read()
        self._store(task, self._fill(task))

    def _fill(self, task: Task) -> Result:
        job, photo, mask = task.job, task.photo, task.mask
        report = Reporter(task.watch)
        return self._engines.fill(
            lambda engine: engine.fill(
                photo,
                mask,
                model=job.model,
                params=job.params,
                seed=job.seed,
                on_step=report,
                checkpoint=task.checkpoint,
            ),
            model=job.model,
            photo_side=max(photo.width, photo.height),
        )

    def _store(self, task: Task, result: Result) -> None:
        task.timings.update(result.timings)
        task.clock.skip()
        # All of them let go of the interpreter's lock, so on two cores the second one is free.
        display = self._helper.submit(render, result.photo, "display")
        overlays = self._helper.submit(packed_overlays, result.overlays)
        sources = self._helper.submit(packed_sources, result.sources)
        png = encode(result.photo, "PNG")
        task.clock.lap("encode")
        files = _Files(png, display.result(), overlays.result(), sources.result())
        task.clock.lap("pack")
        patiently(task.watch, lambda: _store(task.watch, result, files, task.timings, task.clock))


@dataclass(frozen=True, slots=True)
class _Files:
    """All that is stored of a result."""

    png: bytes
    display: Made
    overlays: list[NewOverlay]
    sources: list[NewSourceMap]


def _store(watch: Watch, result: Result, files: _Files, timings: Timings, clock: Clock) -> None:
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


def _select_and_store(task: Task) -> None:
    """Make a mask from the job's stroke; it and the job's success, both or neither."""
    job, watch = task.job, task.watch
    task.read()
    kind: Kind = "text" if job.kind == Job.Kind.SELECT_TEXT else "object"
    report = Reporter(watch)
    mask = select(task.photo, task.mask, kind, on_round=lambda stage, fraction: report(Progress(stage, fraction)))
    task.clock.lap("compute")
    patiently(watch, lambda: _store_selection(job, mask, task.timings, task.clock))


def _store_selection(job: Job, mask: BoolMask, timings: Timings, clock: Clock) -> None:
    """The selected mask and the job's success, both or neither."""
    with new_files(), transaction.atomic():
        selection = photos.keep_mask(job.source, mask)
        clock.lap("store")
        states.succeed(job, selection_id=selection.pk, timings=timings)


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


def _forget_when_ended(task: Task) -> None:
    """Drop what the job had reached, unless another attempt is to go on from there."""
    try:
        if not Job.objects.active().filter(pk=task.job.pk).exists():
            task.checkpoint.forget()
    except DATABASE_AWAY:
        logger.info("What job %s had reached stays until its lifetime is over: the database is away.", task.job.pk)
        connection.close()
