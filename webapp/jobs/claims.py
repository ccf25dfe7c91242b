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

import math
from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, F, QuerySet

from webapp.jobs import states
from webapp.jobs.models import Job
from webapp.jobs.turns import Turn, turns
from webapp.operations import fleet
from webapp.teams.models import Team

_LOOK_AT = 4
"""Of waiting jobs that may be alike, so many are looked at for each that can be taken along."""


def claim_next(queue: str, *, worker: str) -> Job | None:
    """Start the next job of `queue` for `worker`; None when nothing waits there."""
    if not _waiting(queue).exists():  # so that a surplus token takes no write lock
        return None
    with transaction.atomic():
        job = _next_job(queue)
        return None if job is None else states.begin(job, worker=worker)


def claim_alike(first: Job, *, worker: str, most: int, fits: Callable[[Job], bool]) -> list[Job]:
    """Start up to `most` more jobs for `worker`, to be computed together with `first`, which it has just started.

    They ask for the same model with the same parameters, and `fits` says yes to them. The order stays what it is:

    - None is taken while something more urgent waits.
    - Of each person only the job that is next for them is taken, people in turn, within all limits. Who is passed
      over because theirs does not fit keeps the turn, and has it before those who were taken along.
    - Of jobs that would fit, as many are left as other workers are free to start.

    A job whose attempt ended without an outcome is not taken: if it was what killed its worker, it does so alone.
    """
    level = _waiting(first.queue).filter(priority=first.priority)
    alike = level.filter(kind=first.kind, model=first.model, attempt=F("handed_back")).order_by("created_at", "pk")
    found = [job for job in alike.select_related("source", "mask")[: _LOOK_AT * most] if job.params == first.params]
    fitting = {job.pk for job in found if fits(job)}
    share = math.ceil((len(fitting) + 1) / (_free_workers(first.queue) + 1)) if fitting else 1
    taken: list[Job] = []
    with transaction.atomic():
        while len(taken) < min(most, share - 1):
            if _waiting(first.queue).filter(priority__gt=first.priority).exists():
                break
            job = _next_at(level, full_teams(), among=fitting)
            if job is None:
                break
            taken.append(states.begin(job, worker=worker, reason=f"taken along with job {first.pk}"))
        if taken:
            states.compute_together([first, *taken])
    return taken


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
        job = _next_at(_waiting(queue).filter(priority=priority), full)
        if job is not None:
            return job
    return None


def _next_at(level: QuerySet[Job], full: Collection[UUID], *, among: Collection[UUID] | None = None) -> Job | None:
    """The next job of one priority; with `among`, only people whose next job is one of these have a turn."""
    if full:  # not only `picture__team__in`, which would also drop the jobs that are for no team
        level = level.exclude(picture__team__isnull=False, picture__team__in=full)
    return _first_free(level, turns(level), among)


def _free_workers(queue: str) -> int:
    """How many processes could start a job of `queue` at this moment."""
    return sum(each.job is None and queue in each.queues for each in fleet.working(fleet.workers()))


def _first_free(level: QuerySet[Job], in_turn: Iterable[Turn], among: Collection[UUID] | None) -> Job | None:
    for turn in in_turn:
        if not _person_may_start(turn.owner):
            continue
        oldest = level.filter(owner=turn.owner).order_by("created_at", "pk")
        job = oldest.select_for_update(skip_locked=True, of=("self",)).first()
        if job is None or (among is not None and job.pk not in among):
            continue
        if _team_may_start(job):
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
