"""Why a job waits, and what happened to it: in sentences and on a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model

from webapp.jobs import claims
from webapp.jobs.models import Job, Transition
from webapp.operations.fleet import workers, working
from webapp.operations.models import Attempt
from webapp.operations.services import awaits_review


@dataclass(frozen=True, slots=True)
class Event:
    """One transition, with who did it in words."""

    at: datetime
    to_status: str
    attempt: int
    actor: str
    reason: str
    seconds_before: float | None
    """How long the state before it lasted."""


@dataclass(frozen=True, slots=True)
class Part:
    """One stage of a run."""

    name: str
    seconds: float
    tone: int
    """Which of the eight colours."""


STAGES = {
    "queue_wait": "Waited for a free worker",
    "dispatch": "Handed to the worker",
    "read": "Read from storage",
    "decode": "Decoded",
    "prepare": "Prepared",
    "compute": "Filled",
    "paste": "Pasted",
    "encode": "Encoded",
    "pack": "Made ready to show",
    "store": "Stored",
}


def why_waiting(job: Job) -> list[str]:
    """Sentences that answer “why does this job not run?”, the deciding one first; empty when it runs or has ended."""
    if job.status == Job.Status.HELD:
        return [_why_held(job)]
    if job.status != Job.Status.QUEUED:
        return []
    every = [worker for worker in workers() if worker.alive and job.queue in worker.queues]
    fit = working(every)
    reasons = []
    if not every:
        reasons.append(f"No worker that serves the {job.queue} queue has given a sign of life lately.")
    elif not fit:
        reasons.append(f"Every worker of the {job.queue} queue is drained.")
    most = settings.JOBS.max_running_per_user
    theirs = Job.objects.filter(owner=job.owner_id, status=Job.Status.RUNNING).count()
    if most and theirs >= most:
        reasons.append(f"{job.owner} has {theirs} running, as many as one person may have at a time.")
    team = job.picture.team
    if team is not None and team.pk in claims.full_teams():
        reasons.append(f"{team.name} has as many jobs running as one team may have at a time.")
    busy = [worker for worker in fit if worker.job is not None]
    if fit and len(busy) == len(fit):
        owners = ", ".join(sorted({str(worker.job.owner) for worker in busy if worker.job is not None}))
        reasons.append(
            f"The only worker of this queue is busy with a job of {owners}."
            if len(busy) == 1
            else f"All {len(busy)} workers of this queue are busy, with jobs of {owners}."
        )
    reasons += _what_is_ahead(job)
    if fit and len(busy) < len(fit) and len(reasons) == 0:
        reasons.append("A worker is free: it will start this job within seconds.")
    return reasons


def _what_is_ahead(job: Job) -> list[str]:
    reasons = []
    queued = Job.objects.filter(status=Job.Status.QUEUED, queue=job.queue)
    urgent = queued.filter(priority__gt=job.priority).count()
    if urgent:
        reasons.append(f"{_jobs(urgent)} of higher priority {'goes' if urgent == 1 else 'go'} first.")
    older = queued.filter(priority=job.priority, owner=job.owner_id, created_at__lt=job.created_at).count()
    if older:
        reasons.append(f"{_jobs(older)} of the same person {'is' if older == 1 else 'are'} older.")
    place = claims.position(job)
    if place is not None and place > 1:
        others = place - 1 - urgent - older
        if others > 0:
            reasons.append(f"{_jobs(others)} of other people {'has' if others == 1 else 'have'} an earlier turn.")
    return reasons


def _why_held(job: Job) -> str:
    if awaits_review(job):
        return "It waits for review: approve or reject it."
    last = job.transitions.filter(to_status=Job.Status.HELD).last()
    if last is None:
        return "It is held."
    because = f": {last.reason}" if last.reason else ""
    return f"{_actors([last]).get(last.actor, last.actor)} held it{because}."


def timeline(job: Job) -> list[Event]:
    """Every transition, oldest first."""
    rows = list(job.transitions.all())
    names = _actors(rows)
    before: datetime | None = None
    events = []
    for row in rows:
        lasted = None if before is None else (row.at - before).total_seconds()
        actor = names.get(row.actor, row.actor)
        events.append(Event(row.at, row.to_status, row.attempt, actor, row.reason, lasted))
        before = row.at
    return events


def stages(job: Job) -> list[Part]:
    """The timings of the last attempt in the order in which they passed."""
    known = [name for name in STAGES if name in job.timings]
    names = known + [name for name in job.timings if name not in STAGES]
    return [
        Part(STAGES.get(name, name.replace("_", " ").capitalize()), float(job.timings[name]), tone % 8)
        for tone, name in enumerate(names)
        if isinstance(job.timings[name], int | float)
    ]


def attempts(job: Job) -> list[Attempt]:
    """What each attempt that ended cost."""
    return list(Attempt.objects.filter(job=job.pk).order_by("number", "id"))


def _actors(rows: Sequence[Transition]) -> dict[str, str]:
    """Names of the people among the actors; workers and the sweep are their own names."""
    ids = set()
    for row in rows:
        try:
            ids.add(UUID(row.actor))
        except ValueError:
            continue
    return {str(user.pk): str(user) for user in get_user_model().objects.filter(pk__in=ids)}


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
