"""How much of the studio one person may take up: the one place that says no because somebody has enough."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from webapp.errors import Refusal
from webapp.jobs.models import Job
from webapp.operations import attempts
from webapp.teams.models import ComputeUse

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.teams.models import Team


def check_limits(owner: User, team: Team | None = None) -> None:
    """Raise `Refusal` (429) when `owner` may not ask for another job now; its sentence says when to come back.

    `team` is the one that the picture belongs to; its limits count besides those of the person.
    """
    limits = settings.JOBS
    active = Job.objects.active().filter(owner=owner)
    if active.count() >= limits.max_active_per_user:
        raise Refusal(
            "too_many_jobs",
            f"You have {limits.max_active_per_user} unfinished jobs. Come back when one has ended, or cancel one.",
            status=429,
        )
    if limits.compute_per_day and compute_used(owner) >= limits.compute_per_day:
        now = timezone.now()
        again = attempts.when_below(owner.pk, limits.compute_per_day, now)
        raise Refusal(
            "compute_used_up",
            f"Your jobs have run for {_hours(limits.compute_per_day)} within 24 hours, which is all that one person "
            f"gets here. Come back {_when(again, now)}.",
            status=429,
        )

    if team is not None:
        _check_team(team)


def _check_team(team: Team) -> None:
    limits, now = settings.JOBS, timezone.now()
    active = Job.objects.active().filter(picture__team=team)
    if limits.max_active_per_team and active.count() >= limits.max_active_per_team:
        raise Refusal(
            "too_many_jobs_of_team",
            f"{team.name} has {limits.max_active_per_team} unfinished jobs, as many as one team may have. Come back "
            "when one has ended, or cancel one.",
            status=429,
        )
    most = limits.compute_per_team_and_day
    if not most:
        return
    uses = ComputeUse.objects.filter(team=team, ended_at__gt=now - attempts.DAY).order_by("ended_at")
    rows = list(uses.values_list("ended_at", "seconds"))
    used = sum(seconds for _, seconds in rows) + _under_way(active, now)
    if used < most:
        return
    again = now + attempts.DAY
    for ended_at, seconds in rows:
        used -= seconds
        if used < most:
            again = ended_at + attempts.DAY
            break
    raise Refusal(
        "compute_of_team_used_up",
        f"The jobs of {team.name} have run for {_hours(most)} within 24 hours, which is all that one team gets here. "
        f"Come back {_when(again, now)}.",
        status=429,
    )


def compute_used(owner: User) -> float:
    """Seconds that the person's jobs have run within the last 24 hours, those that run now included."""
    now = timezone.now()
    return attempts.seconds_of_day(owner.pk, now) + _under_way(Job.objects.filter(owner=owner), now)


def _under_way(jobs: QuerySet[Job], now: datetime) -> float:
    """Seconds that those of `jobs` have run which run now; of jobs computed together each has its share."""
    seconds = 0.0
    for started_at, together in jobs.filter(status=Job.Status.RUNNING).values_list("started_at", "together"):
        if started_at is not None:
            seconds += max(0.0, (now - started_at).total_seconds()) / together
    return seconds


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.3g} hours"


def _when(moment: datetime, now: datetime) -> str:
    """“today at 16:05 (UTC), in 3 hours”: a time to write down, and a distance for who does not know the zone."""
    local = timezone.localtime(moment)
    day = "today" if local.date() == timezone.localtime(now).date() else "tomorrow"
    return f"{day} at {local:%H:%M} ({local.tzname()}), in {_hours(max(1.0, (moment - now).total_seconds()))}"
