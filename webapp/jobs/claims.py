"""Which job comes next, and how a worker takes it.

The order within a queue:

1. **Priority**: a higher one always goes first.
2. **Users in turn** (`webapp.jobs.turns`): a person with a thousand jobs waiting delays another's first job by at most
   one turn. A turn is one start, or as many as the weight of the team that the jobs are for.
3. **Age**: that person's oldest job.

People who have as many jobs running as `JOB_MAX_RUNNING_PER_USER` allows have no turn until one of them ends; jobs of
a team that has as many running as `JOB_MAX_RUNNING_PER_TEAM` allows are passed over.

Two workers never get the same job: on PostgreSQL the row is locked with ``SKIP LOCKED`` while it is taken; on SQLite
``BEGIN IMMEDIATE`` admits one writer at a time. In both cases `states.begin` compares and sets, which decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, QuerySet

from webapp.jobs import states
from webapp.jobs.models import Job
from webapp.jobs.turns import Turn, turns
from webapp.teams.models import Team


def claim_next(queue: str, *, worker: str) -> Job | None:
    """Start the next job of `queue` for `worker`; None when nothing waits there."""
    if not _waiting(queue).exists():  # so that a surplus token takes no write lock
        return None
    with transaction.atomic():
        job = _next_job(queue)
        return None if job is None else states.begin(job, worker=worker)


def position(job: Job) -> int | None:
    """The how-many-th start from now is this job's own (1 = next), if nothing else comes in; None unless queued.

    In a round everybody starts as many jobs as their weight. The job waits for the rounds before its own, and in its
    own for those whose turn comes earlier.
    """
    if job.status != Job.Status.QUEUED:
        return None
    waiting = _waiting(job.queue)
    more_urgent: int = waiting.filter(priority__gt=job.priority).count()
    level = waiting.filter(priority=job.priority)
    mine = level.filter(owner=job.owner_id)
    older: int = mine.filter(created_at__lt=job.created_at).count()
    older += mine.filter(created_at=job.created_at, pk__lt=job.pk).count()
    counts = dict(level.order_by().values_list("owner").annotate(Count("pk")))
    if set(counts) <= {job.owner_id}:
        return more_urgent + older + 1
    in_turn = turns(level)
    place = next((place for place, turn in enumerate(in_turn) if turn.owner == job.owner_id), None)
    if place is None:  # it was started while we looked
        return more_urgent + older + 1
    round_ = in_turn[place].round_of(older)
    ahead: int = sum(
        min(counts.get(turn.owner, 0), turn.jobs_before(round_ + 1 if other < place else round_))
        for other, turn in enumerate(in_turn)
        if other != place
    )
    return more_urgent + older + ahead + 1


def positions(queue: str) -> dict[UUID, int]:
    """`position` of every job that waits in `queue`, in a handful of queries however many there are."""
    waiting: dict[int, dict[UUID, list[UUID]]] = {}
    rows = _waiting(queue).order_by("-priority", "created_at", "pk").values_list("priority", "owner", "pk")
    for priority, owner, job in rows:
        waiting.setdefault(priority, {}).setdefault(owner, []).append(job)
    found: dict[UUID, int] = {}
    for priority, theirs in waiting.items():
        in_turn = turns(_waiting(queue).filter(priority=priority))
        starts = sorted(
            (turn.round_of(number), place, number, job)
            for place, turn in enumerate(in_turn)
            for number, job in enumerate(theirs.get(turn.owner, ()))
        )
        for *_, job in starts:
            found[job] = len(found) + 1
    return found


def full_teams() -> list[UUID]:
    """Teams that have as many jobs running as one team may have."""
    most = settings.JOBS.max_running_per_team
    if not most:
        return []
    running = Job.objects.filter(status=Job.Status.RUNNING, picture__team__isnull=False).order_by()
    counts = running.values_list("picture__team").annotate(n=Count("pk")).filter(n__gte=most)
    return [team for team, _ in counts]


def _waiting(queue: str) -> QuerySet[Job]:
    return Job.objects.filter(status=Job.Status.QUEUED, queue=queue)


def _next_job(queue: str) -> Job | None:
    """The next job by policy that no other transaction is taking, locked where the database can."""
    full = full_teams()
    for priority in _waiting(queue).order_by("-priority").values_list("priority", flat=True).distinct():
        level = _waiting(queue).filter(priority=priority)
        if full:  # not `exclude`, which would also drop the jobs that are for no team
            level = level.exclude(picture__team__isnull=False, picture__team__in=full)
        job = _first_free(level, turns(level))
        if job is not None:
            return job
    return None


def _first_free(level: QuerySet[Job], in_turn: Iterable[Turn]) -> Job | None:
    for turn in in_turn:
        if not _person_may_start(turn.owner):
            continue
        oldest = level.filter(owner=turn.owner).order_by("created_at", "pk")
        job = oldest.select_for_update(skip_locked=True, of=("self",)).first()
        if job is not None and _team_may_start(job):
            return job
    return None


def _person_may_start(owner: UUID) -> bool:
    """Whether the person may have one more job running, which nobody else can change before this transaction ends."""
    most = settings.JOBS.max_running_per_user
    if not most:
        return True
    if get_user_model().objects.select_for_update(skip_locked=True).filter(pk=owner).first() is None:
        return False  # another worker is starting a job of theirs at this moment
    return Job.objects.filter(owner=owner, status=Job.Status.RUNNING).count() < most


def _team_may_start(job: Job) -> bool:
    """The same for the team that the job is for."""
    most, team = settings.JOBS.max_running_per_team, job.picture.team_id
    if not most or team is None:
        return True
    if Team.objects.select_for_update(skip_locked=True).filter(pk=team).first() is None:
        return False
    return Job.objects.filter(picture__team=team, status=Job.Status.RUNNING).count() < most
