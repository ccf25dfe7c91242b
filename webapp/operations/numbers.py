"""What the studio did: counts, percentiles and shares over a stretch of time, from the book of attempts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from webapp.jobs.payloads import model_title
from webapp.operations.charts import Chart, columns
from webapp.operations.models import Attempt
from webapp.teams.models import ComputeUse

SPANS = {
    "day": ("24 hours", timedelta(hours=24)),
    "week": ("7 days", timedelta(days=7)),
    "month": ("30 days", timedelta(days=30)),
}
_OUTCOMES = {"succeeded": "succeeded", "failed": "failed", "cancelled": "cancelled", "queued": "taken back"}
_MOST_TIMED = 20_000
_TOP_PEOPLE = 10


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds that half, nine of ten and nineteen of twenty stayed below."""

    label: str
    count: int
    p50: float
    p90: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one person, or one code, has of the whole."""

    name: str
    key: str
    value: float
    count: int
    share: float
    """0 to 1 of the largest."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Everything on the numbers page."""

    span: str
    ended: int
    succeeded: int
    failed: int
    run_seconds: float
    jobs: Chart
    times: Chart
    waits: list[Percentiles]
    runs: list[Percentiles]
    failures: list[Share]
    people: list[Share]
    teams: list[Share]


def numbers(span: str) -> Numbers:
    """Of the last day, week or month. Percentiles are of the latest twenty thousand attempts."""
    now = timezone.now()
    length = SPANS[span][1]
    hourly = span == "day"
    first = _floor(now - length + (timedelta(hours=1) if hourly else timedelta(days=1)), hourly=hourly)
    rows = Attempt.objects.filter(ended_at__gte=first).order_by()
    outcomes = dict(rows.values_list("outcome").annotate(Count("pk")))
    return Numbers(
        span=span,
        ended=sum(outcomes.values()),
        succeeded=outcomes.get("succeeded", 0),
        failed=outcomes.get("failed", 0),
        run_seconds=rows.aggregate(total=Sum("run_seconds"))["total"] or 0.0,
        jobs=_jobs_chart(rows, first, now, hourly=hourly),
        times=_times_chart(rows, first, now, hourly=hourly),
        waits=_by_queue(rows),
        runs=_by_model(rows),
        failures=_failures(rows),
        people=_people(rows),
        teams=_teams(first),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of `ordered` do not exceed, by the nearest rank; 0 for nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _jobs_chart(rows: Any, first: datetime, now: datetime, *, hourly: bool) -> Chart:
    trunc = TruncHour if hourly else TruncDay
    found: dict[tuple[datetime, str], int] = {}
    for at, outcome, count in rows.values_list(trunc("ended_at"), "outcome").annotate(Count("pk")):
        found[at, outcome] = count
    moments = _moments(first, now, hourly=hourly)
    series = {
        label: [float(found.get((moment, outcome), 0)) for moment in moments] for outcome, label in _OUTCOMES.items()
    }
    return columns(f"Attempts ended a{'n hour' if hourly else ' day'}", _labels(moments, hourly=hourly), series)


def _times_chart(rows: Any, first: datetime, now: datetime, *, hourly: bool) -> Chart:
    """Medians by hour or day."""
    waits: dict[datetime, list[float]] = defaultdict(list)
    runs: dict[datetime, list[float]] = defaultdict(list)
    timed = rows.filter(outcome="succeeded").order_by("-ended_at")
    for ended_at, wait, run in timed.values_list("ended_at", "wait_seconds", "run_seconds")[:_MOST_TIMED]:
        moment = _floor(ended_at, hourly=hourly)
        waits[moment].append(wait)
        runs[moment].append(run)
    moments = _moments(first, now, hourly=hourly)
    series = {
        "median wait": [percentile(sorted(waits[moment]), 0.5) for moment in moments],
        "median run": [percentile(sorted(runs[moment]), 0.5) for moment in moments],
    }
    title = f"Wait and run time a{'n hour' if hourly else ' day'}"
    return columns(title, _labels(moments, hourly=hourly), series, unit=" s", stacked=False)


def _by_queue(rows: Any) -> list[Percentiles]:
    return _percentiles(rows.order_by("-ended_at").values_list("queue", "wait_seconds")[:_MOST_TIMED], str)


def _by_model(rows: Any) -> list[Percentiles]:
    done = rows.filter(outcome="succeeded").order_by("-ended_at").values_list("model", "run_seconds")[:_MOST_TIMED]
    return _percentiles(done, model_title)


def _percentiles(pairs: Any, name: Any) -> list[Percentiles]:
    groups: dict[str, list[float]] = defaultdict(list)
    for key, seconds in pairs:
        groups[key].append(seconds)
    return [
        Percentiles(
            name(key),
            len(values),
            percentile(values, 0.5),
            percentile(values, 0.9),
            percentile(values, 0.95),
            values[-1],
        )
        for key, values in sorted((key, sorted(values)) for key, values in groups.items())
    ]


def _failures(rows: Any) -> list[Share]:
    found = list(
        rows.filter(outcome="failed").values_list("error_code").annotate(count=Count("pk"), last=Max("ended_at"))
    )
    most = max((count for _, count, _ in found), default=1)
    return [
        Share(code or "unnamed", code, count, count, count / most)
        for code, count, _ in sorted(found, key=lambda row: -row[1])
    ]


def _people(rows: Any) -> list[Share]:
    found = list(
        rows.values_list("owner").annotate(total=Sum("run_seconds"), count=Count("pk")).order_by("-total")[:_TOP_PEOPLE]
    )
    names = {user.pk: str(user) for user in get_user_model().objects.filter(pk__in=[owner for owner, _, _ in found])}
    most = max((total for _, total, _ in found), default=0.0) or 1.0
    return [
        Share(names.get(owner, "Deleted account"), str(owner) if owner in names else "", total, count, total / most)
        for owner, total, count in found
        if isinstance(owner, UUID)
    ]


def _teams(first: datetime) -> list[Share]:
    uses = ComputeUse.objects.filter(ended_at__gte=first).order_by()
    found = list(
        uses.values_list("team", "team__name")
        .annotate(total=Sum("seconds"), count=Count("pk"))
        .order_by("-total")[:_TOP_PEOPLE]
    )
    most = max((total for *_, total, _ in found), default=0.0) or 1.0
    return [Share(name, str(team), total, count, total / most) for team, name, total, count in found]


def _floor(moment: datetime, *, hourly: bool) -> datetime:
    local = timezone.localtime(moment)
    return local.replace(hour=local.hour if hourly else 0, minute=0, second=0, microsecond=0)


def _moments(first: datetime, now: datetime, *, hourly: bool) -> list[datetime]:
    """The beginnings of the hours or days from `first` to now. Days by the calendar, so that a change of the clocks
    neither skips nor doubles one."""
    moments, moment = [], first
    while moment <= now:
        moments.append(moment)
        moment = (
            timezone.localtime(moment + timedelta(hours=1))
            if hourly
            else _floor(moment + timedelta(hours=26), hourly=False)
        )
    return moments


def _labels(moments: Sequence[datetime], *, hourly: bool) -> list[str]:
    return [f"{moment:%H:%M}" if hourly else f"{moment.day} {moment:%b}" for moment in moments]
