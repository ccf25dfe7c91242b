"""How much a team, or a person, may take up: room for pictures, and seconds of running jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.teams.models import ComputeUse, Team

if TYPE_CHECKING:
    from webapp.jobs.models import Job

COMPUTE_WINDOW = timedelta(days=30)
_PLAIN_SPACE = {0xA0: " "}


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used of what may be used; `limit` is None where there is none."""

    used: float
    limit: float | None

    @property
    def share(self) -> float:
        """0 to 1; 0 without a limit."""
        if self.limit is None:
            return 0.0
        return min(1.0, self.used / self.limit) if self.limit else 1.0

    @property
    def used_text(self) -> str:
        """For computing: “45 s”, “3.2 h”."""
        return duration(self.used)

    @property
    def limit_text(self) -> str:
        """The limit of computing in the same words; empty where there is none."""
        return "" if self.limit is None else duration(self.limit)

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.limit is not None and self.used >= self.limit


def duration(seconds: float) -> str:
    """Seconds as “45 s”, “12 min” or “3.2 h”."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def storage_of(team: Team) -> Usage:
    """Bytes of all versions of the team's pictures: uploads and results. Renditions and masks are not counted."""
    return Usage(_bytes(team=team), team.storage_quota)


def storage_of_person(user: User) -> Usage:
    """Bytes of all versions of the person's own pictures; what they brought into teams counts there."""
    return Usage(_bytes(team=None, owner=user), settings.STORAGE_PER_USER or None)


def compute_of(team: Team) -> Usage:
    """Seconds that jobs on the team's pictures ran within the last 30 days."""
    rows = ComputeUse.objects.filter(team=team, ended_at__gt=timezone.now() - COMPUTE_WINDOW)
    return Usage(rows.aggregate(total=Sum("seconds"))["total"] or 0.0, team.gpu_seconds_quota)


def check_storage(owner: User, team: Team | None, more: int, *, lock: bool = False) -> None:
    """Raise `Refusal` (413) when `more` bytes do not fit any more.

    With `lock`, inside a transaction: until it ends nobody else adds to the same team (or person), so that two
    uploads at the same moment cannot both take the last room.
    """
    if team is None:
        if lock and settings.STORAGE_PER_USER:
            User.objects.select_for_update().filter(pk=owner.pk).first()
        usage, whose = storage_of_person(owner), "Your pictures"
    else:
        if lock:
            team = Team.objects.select_for_update().get(pk=team.pk)
        usage, whose = storage_of(team), f"The pictures of {team.name}"
    if usage.limit is not None and usage.used + more > usage.limit:
        raise Refusal(
            "no_room",
            f"{whose} take up {_size(usage.used)} of {_size(usage.limit)}, and this needs {_size(more)} more. "
            "Delete some, or ask for more room.",
            status=413,
        )


def check_room(owner: User, team: Team | None) -> None:
    """Raise `Refusal` (413) when there is no room at all for another result."""
    check_storage(owner, team, 1)


def check_compute(team: Team | None) -> None:
    """Raise `Refusal` (429) when the team's jobs have used up their seconds."""
    if team is None or team.gpu_seconds_quota is None:
        return
    usage = compute_of(team)
    if usage.spent:
        raise Refusal(
            "compute_used_up",
            f"The jobs of {team.name} have run for {usage.used:,.0f} of {team.gpu_seconds_quota:,} seconds within "
            f"30 days. Come back {_when_below(team)}, or ask for more.",
            status=429,
        )


def note(job: Job, *, started_at: datetime) -> None:
    """Count the attempt that has just ended, when its picture belongs to a team."""
    team_id = job.picture.team_id
    if team_id is None:
        return
    ended_at = job.finished_at or job.queued_at or timezone.now()
    seconds = max(0.0, (ended_at - started_at).total_seconds())
    ComputeUse.objects.create(team_id=team_id, job=job.pk, user=job.owner_id, seconds=seconds, ended_at=ended_at)


def _when_below(team: Team) -> str:
    """“on 3 May”: the day on which enough of what counts now has dropped out of the 30 days."""
    now = timezone.now()
    left = compute_of(team).used
    for ended_at, seconds in (
        ComputeUse.objects.filter(team=team, ended_at__gt=now - COMPUTE_WINDOW)
        .order_by("ended_at")
        .values_list("ended_at", "seconds")
        .iterator(chunk_size=500)
    ):
        left -= seconds
        if left < (team.gpu_seconds_quota or 0):
            day = timezone.localtime(ended_at + COMPUTE_WINDOW)
            return f"on {day.day} {day:%B}"
    return "when the team has a larger quota"


def _bytes(**whose: object) -> int:
    from webapp.photos.models import Version

    rows = Version.objects.filter(**{f"picture__{name}": value for name, value in whose.items()})
    return int(rows.order_by().aggregate(total=Sum("bytes"))["total"] or 0)


def _size(number: float) -> str:
    return str(filesizeformat(number)).translate(_PLAIN_SPACE)
