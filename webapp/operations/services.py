"""What staff can do with jobs and workers. Each call checks the right, changes one thing and writes the audit log,
all in one transaction; it raises `Refusal` with a sentence when the thing cannot be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction

from webapp.errors import Refusal, not_found
from webapp.jobs import services as jobs
from webapp.jobs import states
from webapp.jobs.models import Job
from webapp.jobs.querysets import ACTIVE
from webapp.operations import audit
from webapp.operations.models import AuditEntry, DrainedNode, Retry

if TYPE_CHECKING:
    from webapp.accounts.models import User

Action = AuditEntry.Action
LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
LONGEST_REASON = 250
_LONGEST_NODE = 120


@dataclass(slots=True)
class Outcome:
    """What became of an action on many jobs."""

    done: int = 0
    refused: list[str] = field(default_factory=list)
    """One sentence for each job that was left as it is."""


def on_many(chosen: Iterable[Job], do: Callable[[Job], Job]) -> Outcome:
    """Do the same with each job; those that refuse do not keep the others from it."""
    outcome = Outcome()
    for job in chosen:
        try:
            do(job)
        except Refusal as refusal:
            outcome.refused.append(refusal.message)
        else:
            outcome.done += 1
    return outcome


def hold(staff: User, job: Job, *, reason: str = "") -> Job:
    """Keep a waiting job from being started until it is released."""
    _check(staff)
    _need(job, "held", Job.Status.QUEUED)
    with transaction.atomic():
        held = _moved(lambda: states.hold(job, actor=str(staff.pk), reason=_short(reason)))
        audit.record_job(staff, Action.HOLD, held, reason=reason)
    return held


def release(staff: User, job: Job, *, reason: str = "") -> Job:
    """Let a held job wait for its turn; for one that waits for review this is the approval."""
    _check(staff)
    _need(job, "released", Job.Status.HELD)
    action = Action.APPROVE if awaits_review(job) else Action.RELEASE
    with transaction.atomic():
        released = _moved(lambda: states.release(job, actor=str(staff.pk)))
        audit.record_job(staff, action, released, reason=reason)
    return released


def reject(staff: User, job: Job, *, reason: str = "") -> Job:
    """Refuse a job that waits for review, or is held; its owner reads the reason."""
    _check(staff)
    _need(job, "rejected", Job.Status.HELD)
    if not reason.strip():
        raise Refusal("reason_needed", "Say why: the person who asked will read the reason.")
    with transaction.atomic():
        message = f"This was not approved: {_short(reason)}"
        rejected = _moved(lambda: states.reject(job, actor=str(staff.pk), message=message))
        audit.record_job(staff, Action.REJECT, rejected, reason=reason)
    return rejected


def cancel(staff: User, job: Job, *, reason: str = "") -> Job:
    """End a job that has not ended."""
    _check(staff)
    _need(job, "cancelled", *ACTIVE)
    with transaction.atomic():
        was = job.status
        ended = jobs.cancel_job(job, actor=str(staff.pk))
        if ended.status != Job.Status.CANCELLED:
            raise Refusal("too_late", f"Job {_short_id(job)} ended just now.", status=409)
        audit.record_job(staff, Action.CANCEL, ended, reason=reason, details=f"was {was}")
    return ended


def retry(staff: User, job: Job, *, reason: str = "") -> Job:
    """Ask again for what an ended job was asked for, in its owner's name; returns the new job."""
    _check(staff)
    _need(job, "retried", Job.Status.FAILED, Job.Status.CANCELLED, Job.Status.SUCCEEDED)
    with transaction.atomic():
        again, created = jobs.submit_job(
            job.owner,
            job.source,
            job.mask,
            model=job.model,
            params=job.params,
            seed=job.seed,
            queue=job.queue,
            priority=job.priority,
            by_staff=str(staff.pk),
        )
        if not created:
            raise Refusal("exists", f"Job {_short_id(again)} does the same and has not ended.", status=409)
        Retry.objects.create(job=again.pk, original=job.pk)
        audit.record_job(staff, Action.RETRY, job, reason=reason, details=f"new job {again.pk}")
    return again


def set_priority(staff: User, job: Job, priority: int, *, reason: str = "") -> Job:
    """Let a job that has not ended go before (higher) or after (lower) the others of its queue."""
    _check(staff)
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise Refusal(
            "bad_priority", f"A priority is a whole number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}; 0 is usual."
        )
    with transaction.atomic():
        before = job.priority
        if not Job.objects.filter(pk=job.pk, status__in=ACTIVE).update(priority=priority):
            raise Refusal("too_late", f"Job {_short_id(job)} has ended.", status=409)
        job.refresh_from_db()
        audit.record_job(staff, Action.PRIORITY, job, reason=reason, details=f"from {before} to {priority}")
    return job


def drain(staff: User, node: str, *, reason: str = "") -> None:
    """Let a worker finish what it runs and claim nothing more; nothing happens to one that is drained already."""
    _check(staff)
    if not node or len(node) > _LONGEST_NODE:
        raise Refusal("no_such_worker", "There is no such worker.", status=404)
    with transaction.atomic():
        _, created = DrainedNode.objects.get_or_create(node=node, defaults={"by": str(staff)[:300]})
        if created:
            audit.record(staff, Action.DRAIN, target=node, name=node, reason=reason)


def resume(staff: User, node: str, *, reason: str = "") -> None:
    """Let a drained worker claim again."""
    _check(staff)
    with transaction.atomic():
        removed, _ = DrainedNode.objects.filter(node=node).delete()
        if removed:
            audit.record(staff, Action.RESUME, target=node, name=node, reason=reason)


def awaits_review(job: Job) -> bool:
    """Whether a held job was never let into the queue."""
    return job.status == Job.Status.HELD and job.queued_at is None


def _check(staff: User) -> None:
    if not (staff.is_active and staff.is_staff):
        raise not_found()


def _need(job: Job, verb: str, *statuses: str) -> None:
    if job.status not in statuses:
        wanted = " or ".join(statuses)
        raise Refusal(
            "wrong_state", f"Job {_short_id(job)} is {job.status}; only a {wanted} one can be {verb}.", status=409
        )


def _moved(move: Callable[[], Job]) -> Job:
    try:
        return move()
    except states.Lost:
        raise Refusal(
            "moved", "This job was changed by somebody else at this moment. Look again.", status=409
        ) from None


def _short(reason: str) -> str:
    return reason.strip()[:LONGEST_REASON]


def _short_id(job: Job) -> str:
    return str(job.pk)[:8]
