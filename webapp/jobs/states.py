"""The only writer of `Job.status`.

Every change is a compare-and-set on status *and* attempt that must hit one row, together with a row of the job's
history, in one transaction. Whoever loses the race gets `Lost` and must not touch the job's results. After commit
the job's watchers are told, and a job that became ready gets a token.

    held ↔ queued → running → succeeded | failed | cancelled
    held, queued → cancelled; held → cancelled also by a reviewer who rejects it
    running → queued: taken back by the sweep, or handed back by a worker that is told to stop
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from webapp.jobs import dispatch, events
from webapp.jobs.models import Job, Transition, WorkerSeen
from webapp.notifications import services as notifications
from webapp.operations import attempts
from webapp.teams import quotas

logger = logging.getLogger(__name__)

Status = Job.Status

UNFINISHED = (Status.HELD, Status.QUEUED, Status.RUNNING)
_LONGEST_REASON = 300
_NO_PROGRESS: dict[str, Any] = {
    "stage": "",
    "fraction": 0.0,
    "steps_done": None,
    "steps_total": None,
    "seconds_left": None,
}


class Lost(Exception):
    """The job is no longer in the state or the attempt that the caller knew: somebody else moved it."""


def submit(job: Job, *, actor: str, review: bool = False) -> Job:
    """Insert a new job as queued, and send its token on commit; with `review` as held until staff approve it."""
    first = Status.HELD if review else Status.QUEUED
    with transaction.atomic():
        job.status = first
        job.queued_at = None if review else Now()  # the database's clock rules
        job.save(force_insert=True)
        _record(job, "", first, actor, "waits for review" if review else "")
    job.refresh_from_db()
    return job


def begin(job: Job, *, worker: str, reason: str = "") -> Job:
    """queued → running: `worker` starts the next attempt, on its own unless `compute_together` follows."""
    return _move(
        job,
        Status.RUNNING,
        only_from=(Status.QUEUED,),
        actor=worker,
        reason=reason,
        attempt=job.attempt + 1,
        worker=worker,
        together=1,
        started_at=Now(),
        heartbeat_at=Now(),
        finished_at=None,
        timings={},
        **_NO_PROGRESS,
    )


def compute_together(jobs: Sequence[Job]) -> None:
    """Note that a worker computes these running jobs at once: each is then charged with its share of the time."""
    for job in jobs:
        job.together = len(jobs)
    Job.objects.filter(pk__in=[job.pk for job in jobs], status=Status.RUNNING).update(together=len(jobs))


def succeed(job: Job, *, timings: dict[str, float], result_id: Any = None, selection_id: Any = None) -> Job:
    """running → succeeded, with the version that was made, or the mask that was selected."""
    return _move(
        job,
        Status.SUCCEEDED,
        only_from=(Status.RUNNING,),
        actor=job.worker,
        reason=f"computed together with {job.together - 1} more" if job.together > 1 else "",
        result_id=result_id,
        selection_id=selection_id,
        timings=timings,
        fraction=1.0,
        seconds_left=0.0,
        finished_at=Now(),
    )


def fail(job: Job, *, actor: str, code: str, message: str, traceback: str = "") -> Job:
    """running → failed; `message` is a sentence for the person who asked, `traceback` is for staff."""
    return _move(
        job,
        Status.FAILED,
        only_from=(Status.RUNNING,),
        actor=actor,
        reason=code,
        error_code=code,
        error=message,
        traceback=traceback,
        seconds_left=None,
        finished_at=Now(),
    )


def cancel(job: Job, *, actor: str) -> Job:
    """held, queued or running → cancelled. A worker that runs it notices within half a second."""
    return _move(job, Status.CANCELLED, only_from=UNFINISHED, actor=actor, seconds_left=None, finished_at=Now())


def reject(job: Job, *, actor: str, message: str) -> Job:
    """held → cancelled by a reviewer; `message` is a sentence for the person who asked."""
    return _move(
        job,
        Status.CANCELLED,
        only_from=(Status.HELD,),
        actor=actor,
        reason="rejected",
        error_code="rejected",
        error=message,
        finished_at=Now(),
    )


def hold(job: Job, *, actor: str, reason: str = "") -> Job:
    """queued → held: nobody claims it until it is released."""
    return _move(job, Status.HELD, only_from=(Status.QUEUED,), actor=actor, reason=reason)


def release(job: Job, *, actor: str) -> Job:
    """held → queued."""
    return _move(job, Status.QUEUED, only_from=(Status.HELD,), actor=actor, queued_at=Now())


def hand_back(job: Job, *, reason: str) -> Job:
    """running → queued by the worker that runs it, because it is told to stop; the attempt does not count."""
    return _move(
        job,
        Status.QUEUED,
        only_from=(Status.RUNNING,),
        actor=job.worker,
        reason=reason,
        handed_back=job.handed_back + 1,
        queued_at=Now(),
        worker="",
        **_NO_PROGRESS,
    )


def take_back(job: Job, *, reason: str) -> Job:
    """running → queued by the sweep, because its worker gave no sign of life."""
    return _move(
        job,
        Status.QUEUED,
        only_from=(Status.RUNNING,),
        actor="sweep",
        reason=reason,
        queued_at=Now(),
        worker="",
        **_NO_PROGRESS,
    )


def _move(job: Job, to: str, *, only_from: tuple[str, ...], actor: str, reason: str = "", **changes: Any) -> Job:
    """Compare and set. Returns the job as it is now; raises `Lost` when it is not what `job` says."""
    came_from = job.status
    if came_from not in only_from:
        raise Lost(f"A job that is {came_from} cannot become {to} here.")
    with transaction.atomic():
        hit = Job.objects.filter(pk=job.pk, status=came_from, attempt=job.attempt).update(status=to, **changes)
        if hit != 1:
            raise Lost(f"Job {job.pk} is no longer {came_from} in attempt {job.attempt}.")
        worker, started_at, queued_at = job.worker, job.started_at, job.queued_at
        job.refresh_from_db()
        _record(job, came_from, to, actor, reason)
        if came_from == Status.RUNNING and started_at is not None:
            device = WorkerSeen.objects.filter(name=worker).values_list("device", flat=True).first() or ""
            attempts.note(job, worker=worker, device=device, started_at=started_at, queued_at=queued_at)
            quotas.note(job, started_at=attempts.counted_from(job, started_at))
            if settings.JOBS.max_running_per_user or settings.JOBS.max_running_per_team:  # somebody may
                # have another job that was passed over until now
                queue = job.queue
                transaction.on_commit(lambda: dispatch.send_token(queue), robust=True)
    return job


def _record(job: Job, came_from: str, to: str, actor: str, reason: str) -> None:
    """Write the history row, and say what has to be said once the transaction is committed."""
    Transition.objects.create(
        job=job,
        from_status=came_from,
        to_status=to,
        attempt=job.attempt,
        actor=actor,
        reason=reason[:_LONGEST_REASON],
    )
    logger.info(
        "Job %s: %s → %s",
        job.pk,
        came_from or "new",
        to,
        extra={"job": str(job.pk), "attempt": job.attempt, "actor": actor, "reason": reason},
    )
    job_id, owner_id, queue = job.pk, job.owner_id, job.queue
    if to == Status.QUEUED:
        transaction.on_commit(lambda: dispatch.send_token(queue), robust=True)
    transaction.on_commit(lambda: events.job_changed(job_id, owner_id), robust=True)
    if to in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
        notifications.job_ended(job)
