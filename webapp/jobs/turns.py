"""Whose turn it is, among the people who have a job waiting at the same priority of a queue.

Turns go to the one with the fewest jobs running now; of those, to the one whose last start lies longest ago (never
started comes first); of those, to the one whose oldest waiting job is oldest. A turn is one start; for jobs on the
pictures of a team it is as many starts in a row as the team's weight says, and that many running jobs count as one.
Who waits with jobs of several teams has the largest of their weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

if TYPE_CHECKING:
    from webapp.jobs.models import Job

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Turn:
    """A person's turn."""

    owner: UUID
    weight: int
    """Starts of a whole turn."""
    used: int
    """Starts of this turn that they had already; 0 unless it is under way."""

    def round_of(self, number: int) -> int:
        """In which round from now (0 is the first) the person's `number`-th job (0 is the oldest) starts."""
        return (number + self.used) // self.weight

    def jobs_before(self, round_: int) -> int:
        """How many jobs the person can start before that round."""
        return max(0, round_ * self.weight - self.used)


@dataclass(frozen=True, slots=True)
class _Standing:
    owner: UUID
    weight: int
    running: int
    last_start: datetime
    oldest: datetime


def turns(level: QuerySet[Job]) -> list[Turn]:
    """The turns of the people who have a job in `level` (those of one queue and priority), the next one first."""
    standings = _standings(level)
    used = _turn_under_way(standings)

    def order(each: _Standing) -> tuple[int, bool, datetime, datetime, UUID]:
        return (each.running // each.weight, each.owner not in used, each.last_start, each.oldest, each.owner)

    return [Turn(each.owner, each.weight, used.get(each.owner, 0)) for each in sorted(standings, key=order)]


def _standings(level: QuerySet[Job]) -> list[_Standing]:
    waiting = {
        owner: (oldest, weight or 1)
        for owner, oldest, weight in level.order_by()
        .values_list("owner")
        .annotate(Min("created_at"), Max("picture__team__weight"))
    }
    theirs = level.model._default_manager.filter(owner=OuterRef("pk"))
    running = theirs.filter(status="running").order_by().values("owner").annotate(n=Count("pk")).values("n")
    last_start = theirs.filter(started_at__isnull=False).order_by("-started_at").values("started_at")[:1]
    people = get_user_model().objects.filter(pk__in=level.order_by().values("owner"))
    rows = people.annotate(running=Coalesce(Subquery(running), 0), last_start=Subquery(last_start))
    return [
        _Standing(owner, waiting[owner][1], number, last or _NEVER, waiting[owner][0])
        for owner, number, last in rows.values_list("pk", "running", "last_start")
        if owner in waiting
    ]


def _turn_under_way(standings: list[_Standing]) -> dict[UUID, int]:
    """Who started last, and how many starts in a row that were, unless their turn is over."""
    from webapp.jobs.models import Job

    if all(each.weight == 1 for each in standings):
        return {}
    latest, *others = sorted(standings, key=lambda each: each.last_start, reverse=True)
    if latest.weight == 1 or latest.last_start == _NEVER:
        return {}
    since = others[0].last_start if others else _NEVER
    in_a_row = Job.objects.filter(owner=latest.owner, started_at__gt=since).order_by()[: latest.weight].count()
    return {latest.owner: in_a_row} if in_a_row < latest.weight else {}
