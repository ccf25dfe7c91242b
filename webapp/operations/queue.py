"""The live queue: which jobs to show, and the numbers above them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, IntegerField, Min, Q, QuerySet, Value, When
from django.utils import timezone

from inpainting.catalog import ENTRIES
from webapp.jobs.models import Job
from webapp.operations.fleet import workers, working
from webapp.teams.models import Team

PER_PAGE = 50
_MOST_TEAMS = 200
STATES = {
    "": "Not ended",
    "queued": "Waiting",
    "review": "For review",
    "held": "Held",
    "running": "Running",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "succeeded": "Succeeded",
    "all": "All",
}
AGES = {
    "": ("Any age", None, None),
    "hour": ("Last hour", timedelta(hours=1), None),
    "today": ("Today", None, None),
    "day": ("Last 24 hours", timedelta(days=1), None),
    "week": ("Last 7 days", timedelta(days=7), None),
    "over10m": ("Older than 10 minutes", None, timedelta(minutes=10)),
    "over1h": ("Older than an hour", None, timedelta(hours=1)),
}
_ACTIVE = Q(status__in=["held", "queued", "running"])


@dataclass(frozen=True, slots=True)
class Filters:
    """What of the queue is asked for; everything that is not understood counts as not given."""

    state: str = ""
    user: str = ""
    team: str = ""
    model: str = ""
    queue: str = ""
    age: str = ""
    code: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Filters:
        """From a query string."""
        choices: dict[str, Collection[str]] = {"state": STATES, "age": AGES, "queue": Job.Queue.values}
        values = {name: given.get(name, "").strip()[:120] for name in cls.__slots__}
        return cls(**{name: value if value in choices.get(name, [value]) else "" for name, value in values.items()})

    def query(self) -> str:
        """The query string that gives these filters again."""
        return urlencode({name: value for name in self.__slots__ if (value := getattr(self, name))})

    def __bool__(self) -> bool:
        return bool(self.query())

    def apply(self, jobs: QuerySet[Job]) -> QuerySet[Job]:
        """The jobs that fit."""
        if self.state == "review":
            jobs = jobs.filter(status="held", queued_at__isnull=True)
        elif self.state == "":
            jobs = jobs.filter(_ACTIVE)
        elif self.state != "all":
            jobs = jobs.filter(status=self.state)
        if self.user:
            jobs = jobs.filter(_person(self.user))
        if self.team:
            jobs = jobs.filter(_team(self.team))
        if self.model:
            jobs = jobs.filter(model=self.model)
        if self.queue:
            jobs = jobs.filter(queue=self.queue)
        if self.code:
            jobs = jobs.filter(error_code=self.code)
        _, within, beyond = AGES[self.age]
        now = timezone.now()
        # Ended jobs count from their end: “failed in the last hour” is about the failure.
        since = "finished_at" if self.state in {"failed", "cancelled", "succeeded"} else "created_at"
        if self.age == "today":
            jobs = jobs.filter(**{f"{since}__gte": _midnight()})
        if within is not None:
            jobs = jobs.filter(**{f"{since}__gte": now - within})
        if beyond is not None:
            jobs = jobs.filter(**{f"{since}__lt": now - beyond})
        return jobs


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers above the queue."""

    waiting: int
    oldest: datetime | None
    running: int
    review: int
    held: int
    failed_today: int
    workers: int
    free: int
    hogs: list[tuple[str, UUID, int, int]] = field(default_factory=list)
    """(name, id, running, waiting) of those with most running, then most waiting."""


def page_of(filters: Filters, number: str) -> Page[Job]:
    """A page of jobs: running first, then waiting in the order of priority and age, then the latest that ended."""
    order = Case(
        When(status="running", then=Value(0)),
        When(status="queued", then=Value(1)),
        When(status="held", then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    jobs = filters.apply(Job.objects.all()).select_related("owner", "picture__team").defer("params", "traceback")
    if filters.state in {"", "queued", "held", "review", "running"}:
        jobs = jobs.alias(rank=order).order_by("rank", "-priority", "created_at", "pk")
    else:
        jobs = jobs.order_by("-created_at", "pk")
    return Paginator(jobs, PER_PAGE).get_page(number)


def summary() -> Summary:
    """Counted in two queries, and the list of workers."""
    queued = Q(status="queued")
    counts = Job.objects.order_by().aggregate(
        waiting=Count("pk", filter=queued),
        oldest=Min("queued_at", filter=queued),
        running=Count("pk", filter=Q(status="running")),
        review=Count("pk", filter=Q(status="held", queued_at__isnull=True)),
        held=Count("pk", filter=Q(status="held", queued_at__isnull=False)),
        failed_today=Count("pk", filter=Q(status="failed", finished_at__gte=_midnight())),
    )
    people = (
        Job.objects.filter(status__in=["queued", "running"])
        .order_by()
        .values("owner_id", "owner__username", "owner__is_guest")
        .annotate(running=Count("pk", filter=Q(status="running")), waiting=Count("pk", filter=queued))
        .order_by("-running", "-waiting")[:5]
    )
    hogs = [
        ("Guest" if row["owner__is_guest"] else row["owner__username"], row["owner_id"], row["running"], row["waiting"])
        for row in people
    ]
    fleet = working(workers())
    return Summary(
        **counts, workers=len(fleet), free=sum(worker.job is None for worker in fleet), hogs=hogs
    )  # fmt: skip


def choices() -> dict[str, Any]:
    """What the filters offer: (value, label); of teams the names, as many as a list can show."""
    return {
        "team": list(Team.objects.order_by("name").values_list("name", flat=True)[:_MOST_TEAMS]),
        "state": [(key, label) for key, label in STATES.items() if key != "review" or settings.JOBS.review],
        "model": [("", "Any model"), *((entry.key, entry.title) for entry in ENTRIES)],
        "queue": [("", "Any queue"), *((queue.value, queue.label) for queue in Job.Queue if queue != "maintenance")],
        "age": [(key, label) for key, (label, _, _) in AGES.items()],
    }


def _midnight() -> datetime:
    """When today began, where the site is."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


def _team(text: str) -> Q:
    """By id, or by a part of the name."""
    try:
        return Q(picture__team=UUID(text))
    except ValueError:
        return Q(picture__team__name__icontains=text)


def _person(text: str) -> Q:
    wanted = Q(owner__username__icontains=text) | Q(owner__email__icontains=text)
    try:
        return wanted | Q(owner=UUID(text))
    except ValueError:
        return wanted | Q(owner__is_guest=True) if text.lower() == "guest" else wanted
