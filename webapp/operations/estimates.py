"""When a waiting job will probably start and end: the queue is played through with measured times."""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db.models import F, Max
from django.utils import timezone

from webapp.jobs.models import Job
from webapp.operations.attempts import size_class, usual_seconds
from webapp.operations.fleet import Worker, workers, working

_MOST_PLAYED = 1000
"""Jobs further back than this get no estimate; it would be worth little."""
_KEEP_SECONDS = 2.0
_RANK = {Job.Queue.INTERACTIVE: 0, Job.Queue.BATCH: 1, Job.Queue.MAINTENANCE: 2}
_NEVER = float("-inf")


class Expected(NamedTuple):
    """When a job will probably start and end; None for what cannot be known."""

    start: datetime | None
    finish: datetime | None


UNKNOWN = Expected(None, None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue, as far as its turn is concerned."""

    key: UUID
    owner: UUID
    queue: str
    priority: int
    created: float
    seconds: float
    """How long it will run; infinity when nobody knows."""


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker process: which queues it serves, when it will be free (seconds from now), and whose job it runs."""

    queues: frozenset[str]
    free_in: float
    owner: UUID | None


def play(
    waiting: Sequence[Waiting], hands: Sequence[Hand], last_starts: Mapping[UUID, float], *, most_running: int = 0
) -> dict[UUID, tuple[float, float]]:
    """Seconds from now to each job's start and end, if nothing else comes in; infinity for what is not known.

    Jobs are handed out by the rules of `webapp.jobs.claims`: queue, priority, users in turn, age.
    """
    left = sorted(waiting, key=lambda job: (job.created, job.key))
    turn = dict(last_starts)
    running = Counter(hand.owner for hand in hands if hand.owner is not None)
    free = [(hand.free_in, number, hand.owner) for number, hand in enumerate(hands)]
    heapq.heapify(free)
    times: dict[UUID, tuple[float, float]] = {}
    while left and free:
        now, number, ended = heapq.heappop(free)
        if ended is not None:
            running[ended] -= 1
        can = [job for job in left if job.queue in hands[number].queues]
        allowed = [job for job in can if not most_running or running[job.owner] < most_running]
        if not allowed:
            later = min((moment for moment, _, _ in free if moment > now), default=math.inf)
            if can and later < math.inf:
                heapq.heappush(free, (later, number, None))
            continue
        job = min(
            allowed,
            key=lambda job: (
                _RANK.get(Job.Queue(job.queue), 9), -job.priority, running[job.owner], turn.get(job.owner, _NEVER),
                job.created, job.key,
            ),
        )  # fmt: skip
        left.remove(job)
        running[job.owner] += 1
        turn[job.owner] = now
        times[job.key] = (now, now + job.seconds)
        heapq.heappush(free, (now + job.seconds, number, job.owner))
    return times


def expected(job: Job) -> Expected:
    """The estimate for one job: start and end of a queued one, end of a running one."""
    if job.status == Job.Status.RUNNING:
        return Expected(None, _moment(timezone.now(), seconds_left(job)))
    if job.status != Job.Status.QUEUED:
        return UNKNOWN
    return _plan(job).get(job.pk, UNKNOWN)


def seconds_left(job: Job) -> float:
    """Of a running job: what its model says, else what such jobs usually take; infinity when nobody knows."""
    if job.seconds_left is not None:
        return job.seconds_left
    if job.started_at is None:
        return math.inf
    usual = usual_seconds(job.model, _size(job))
    if usual is None:
        return math.inf
    return max(0.0, usual - (timezone.now() - job.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last plan of this process. Every page that shows the queue asks for each of its jobs at the same moment."""

    made: float
    times: dict[UUID, Expected]
    whole: bool


_kept: _Kept | None = None


def forget() -> None:
    """Make the next question look anew."""
    global _kept
    _kept = None


def _plan(job: Job) -> dict[UUID, Expected]:
    global _kept
    kept = _kept
    if kept is None or time.monotonic() - kept.made > _KEEP_SECONDS or (kept.whole and job.pk not in kept.times):
        kept = _kept = _make_plan()
    return kept.times


def _make_plan() -> _Kept:
    now = timezone.now()
    fleet = working(workers())
    devices = sorted({worker.device for worker in fleet})
    queued = Job.objects.filter(status=Job.Status.QUEUED).select_related("source", "mask").defer("params", "traceback")
    rows = list(queued.order_by("-priority", "created_at", "pk")[: _MOST_PLAYED + 1])
    usual: dict[tuple[str, int], float] = {}
    for row in rows:
        kind = (row.model, _size(row))
        if kind not in usual:
            measured = usual_seconds(*kind, devices)
            usual[kind] = math.inf if measured is None else measured
    waiting = [
        Waiting(
            key=row.pk,
            owner=row.owner_id,
            queue=row.queue,
            priority=row.priority,
            created=row.created_at.timestamp(),
            seconds=usual[row.model, _size(row)],
        )
        for row in rows[:_MOST_PLAYED]
    ]
    starts = Job.objects.filter(owner__in={row.owner_id for row in rows}, started_at__isnull=False).order_by()
    last = {owner: at.timestamp() - now.timestamp() for owner, at in starts.values_list("owner").annotate(
        last=Max(F("started_at")))}  # fmt: skip
    times = play(waiting, _hands(fleet), last, most_running=settings.JOBS.max_running_per_user)
    moments = {key: Expected(_moment(now, start), _moment(now, end)) for key, (start, end) in times.items()}
    known = {job.key: moments.get(job.key, UNKNOWN) for job in waiting}
    return _Kept(time.monotonic(), known, whole=len(rows) <= _MOST_PLAYED)


def _hands(fleet: list[Worker]) -> list[Hand]:
    return [
        Hand(
            frozenset(worker.queues),
            0.0 if worker.job is None else seconds_left(worker.job),
            None if worker.job is None else worker.job.owner_id,
        )
        for worker in fleet
    ]


def _size(job: Job) -> int:
    return size_class(job.source.width * job.source.height, job.mask.hole_pixels)


def _moment(now: datetime, seconds: float) -> datetime | None:
    return None if math.isinf(seconds) else now + timedelta(seconds=seconds)
