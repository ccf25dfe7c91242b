"""How much of the studio one person may take up: the one place that says no because somebody has enough."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from webapp.errors import Refusal
from webapp.jobs.models import Job
from webapp.operations import attempts

if TYPE_CHECKING:
    from webapp.accounts.models import User


def check_limits(owner: User) -> None:
    """Raise `Refusal` (429) when `owner` may not ask for another job now; its sentence says when to come back."""
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


def compute_used(owner: User) -> float:
    """Seconds that the person's jobs have run within the last 24 hours, those that run now included."""
    now = timezone.now()
    running = Job.objects.filter(owner=owner, status=Job.Status.RUNNING, started_at__isnull=False)
    under_way: float = sum((now - started).total_seconds() for started in running.values_list("started_at", flat=True))
    return attempts.seconds_of_day(owner.pk, now) + max(0.0, under_way)


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.3g} hours"


def _when(moment: datetime, now: datetime) -> str:
    """“today at 16:05 (UTC), in 3 hours”: a time to write down, and a distance for who does not know the zone."""
    local = timezone.localtime(moment)
    day = "today" if local.date() == timezone.localtime(now).date() else "tomorrow"
    return f"{day} at {local:%H:%M} ({local.tzname()}), in {_hours(max(1.0, (moment - now).total_seconds()))}"
