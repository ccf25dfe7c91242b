"""Which job comes next, and how a worker takes it.

The order within a queue:

1. **Priority**: a higher one always goes first.
2. **Users in turn**: among the people who have a job waiting at that priority, the one with the fewest jobs running
   now; of those, the one whose last start lies longest ago (never started comes first); of those, the one whose
   oldest waiting job is oldest. A person with a thousand jobs waiting delays another's first job by at most one.
3. **Age**: that person's oldest job.

People who have as many jobs running as `JOB_MAX_RUNNING_PER_USER` allows have no turn until one of them ends.

Two workers never get the same job: on PostgreSQL the row is locked with ``SKIP LOCKED`` while it is taken; on SQLite
``BEGIN IMMEDIATE`` admits one writer at a time. In both cases `states.begin` compares and sets, which decides.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from webapp.jobs import states
from webapp.jobs.models import Job


def claim_next(queue: str, *, worker: str) -> Job | None:
    """Start the next job of `queue` for `worker`; None when nothing waits there."""
    if not _waiting(queue).exists():  # so that a surplus token takes no write lock
        return None
    with transaction.atomic():
        job = _next_job(queue)
        return None if job is None else states.begin(job, worker=worker)


def position(job: Job) -> int | None:
    """The how-many-th start from now is this job's own (1 = next), if nothing else comes in; None unless queued.

    The k-th job of a person waits for k - 1 rounds in which everybody else of its priority starts one job, and in
    the last round for those whose turn comes earlier.
    """
    if job.status != Job.Status.QUEUED:
        return None
    waiting = _waiting(job.queue)
    more_urgent = waiting.filter(priority__gt=job.priority).count()
    level = waiting.filter(priority=job.priority)
    mine = level.filter(owner=job.owner_id)
    older = mine.filter(created_at__lt=job.created_at).count()
    older += mine.filter(created_at=job.created_at, pk__lt=job.pk).count()
    counts = dict(level.order_by().values_list("owner").annotate(Count("pk")))
    if set(counts) <= {job.owner_id}:
        return more_urgent + older + 1
    ahead, my_turn_has_come = 0, False
    for owner in _owners_in_turn(job.queue, job.priority):
        if owner == job.owner_id:
            my_turn_has_come = True
        else:
            ahead += min(counts.get(owner, 0), older if my_turn_has_come else older + 1)
    return more_urgent + older + ahead + 1


def positions(queue: str) -> dict[UUID, int]:
    """`position` of every job that waits in `queue`, in a handful of queries however many there are."""
    waiting: dict[int, dict[UUID, list[UUID]]] = {}
    rows = _waiting(queue).order_by("-priority", "created_at", "pk").values_list("priority", "owner", "pk")
    for priority, owner, job in rows:
        waiting.setdefault(priority, {}).setdefault(owner, []).append(job)
    found: dict[UUID, int] = {}
    for priority, theirs in waiting.items():
        turns = [theirs[owner] for owner in _owners_in_turn(queue, priority) if owner in theirs]
        for round_ in zip_longest(*turns):
            for job in round_:
                if job is not None:
                    found[job] = len(found) + 1
    return found


def _waiting(queue: str) -> QuerySet[Job]:
    return Job.objects.filter(status=Job.Status.QUEUED, queue=queue)


def _next_job(queue: str) -> Job | None:
    """The next job by policy that no other transaction is taking, locked where the database can."""
    for priority in _waiting(queue).order_by("-priority").values_list("priority", flat=True).distinct():
        for owner in _owners_in_turn(queue, priority).iterator(chunk_size=16):
            if not _may_start(owner):
                continue
            oldest = _waiting(queue).filter(priority=priority, owner=owner).order_by("created_at", "pk")
            job = oldest.select_for_update(skip_locked=True).first()
            if job is not None:
                return job
    return None


def _may_start(owner: UUID) -> bool:
    """Whether the person may have one more job running, which nobody else can change before this transaction ends."""
    most = settings.JOBS.max_running_per_user
    if not most:
        return True
    if get_user_model().objects.select_for_update(skip_locked=True).filter(pk=owner).first() is None:
        return False  # another worker is starting a job of theirs at this moment
    return Job.objects.filter(owner=owner, status=Job.Status.RUNNING).count() < most


def _owners_in_turn(queue: str, priority: int) -> QuerySet[Any, UUID]:
    """Ids of the people who have a job waiting at that priority, in the order of their turns."""
    level = _waiting(queue).filter(priority=priority)
    theirs = Job.objects.filter(owner=OuterRef("pk"))
    running = theirs.filter(status=Job.Status.RUNNING).order_by().values("owner").annotate(n=Count("pk")).values("n")
    last_start = theirs.filter(started_at__isnull=False).order_by("-started_at").values("started_at")[:1]
    oldest = level.filter(owner=OuterRef("pk")).order_by("created_at").values("created_at")[:1]
    return (
        get_user_model()
        .objects.filter(pk__in=level.order_by().values("owner"))
        .annotate(running=Coalesce(Subquery(running), 0), last_start=Subquery(last_start), oldest=Subquery(oldest))
        .order_by("running", F("last_start").asc(nulls_first=True), "oldest", "pk")
        .values_list("pk", flat=True)
    )
