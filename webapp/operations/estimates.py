"""When a waiting job will probably start and end: the queue is played through with measured times."""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
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
_SHARE_OF_TIME = 10
"""Plans take a tenth of a process's time at most, however slow the machine is at the moment."""
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
    weight: int = 1
    """Starts in a turn; see `webapp.jobs.turns`."""
    team: UUID | None = None
    """The team that the job is for."""


class Run(NamedTuple):
    """Whose a running job is."""

    owner: UUID
    team: UUID | None = None


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker process: which queues it serves, when it will be free (seconds from now), and what it runs."""

    queues: frozenset[str]
    free_in: float
    runs: tuple[Run, ...] = ()


def play(
    waiting: Sequence[Waiting],
    hands: Sequence[Hand],
    last_starts: Mapping[UUID, float],
    *,
    most_running: int = 0,
    most_of_team: int = 0,
) -> dict[UUID, tuple[float, float]]:
    """Seconds from now to each job's start and end, if nothing else comes in; infinity for what is not known.

    Jobs are handed out by the rules of `webapp.jobs.claims`: queue, priority, users in turn, age. `most_running` and
    `most_of_team` bound what runs of one person and of one team; 0 for no limit.
    """
    queue = _Turns(waiting, dict(last_starts), [run for hand in hands for run in hand.runs], most_running, most_of_team)
    free = [(hand.free_in, number, hand.runs) for number, hand in enumerate(hands)]
    heapq.heapify(free)
    times: dict[UUID, tuple[float, float]] = {}
    while len(times) < len(waiting) and free:
        now, number, ended = heapq.heappop(free)
        for run in ended:
            queue.ended(run)
        job = queue.begin_next(hands[number].queues, now)
        if job is None:
            later = min((moment for moment, _, _ in free if moment > now), default=math.inf)
            if later < math.inf and queue.has_any(hands[number].queues):
                heapq.heappush(free, (later, number, ()))
            continue
        times[job.key] = (now, now + job.seconds)
        heapq.heappush(free, (now + job.seconds, number, (Run(job.owner, job.team),)))
    return times


_Key = tuple[int, bool, float, float, UUID, UUID]
"""What decides between people, see `webapp.jobs.turns`; then the oldest job's id, and the person's."""


class _Turns:
    """Waiting jobs by queue, priority and person. Taking the next one takes the time of a heap, however many wait."""

    def __init__(
        self,
        waiting: Sequence[Waiting],
        last_starts: dict[UUID, float],
        runs: Sequence[Run],
        most_running: int,
        most_of_team: int,
    ) -> None:
        self._last_starts, self._most, self._most_of_team = last_starts, most_running, most_of_team
        self._running = Counter(run.owner for run in runs)
        self._of_team = Counter(run.team for run in runs if run.team is not None)
        self._members: dict[UUID, set[UUID]] = {}
        """Who has jobs waiting for which team."""
        self._turn: tuple[UUID | None, int] = (None, 0)
        """Who started last, and how many times in a row."""
        self._jobs: dict[tuple[int, int, str], dict[UUID, dict[UUID | None, deque[Waiting]]]] = {}
        """By level, person and team, the oldest first."""
        self._levels_of: dict[UUID, set[tuple[int, int, str]]] = {}
        for job in sorted(waiting, key=lambda job: (job.created, job.key)):
            level = (_RANK.get(Job.Queue(job.queue), 9), -job.priority, job.queue)
            self._jobs.setdefault(level, {}).setdefault(job.owner, {}).setdefault(job.team, deque()).append(job)
            if job.team is not None:
                self._members.setdefault(job.team, set()).add(job.owner)
            self._levels_of.setdefault(job.owner, set()).add(level)
        # A person whose standing changed is entered anew; what was entered before is found to be out of date later.
        self._heaps: dict[tuple[int, int, str], list[_Key]] = {level: [] for level in sorted(self._jobs)}
        for owner in self._levels_of:
            self._enter(owner)

    def begin_next(self, queues: Collection[str], now: float) -> Waiting | None:
        """Take out the job that a worker of `queues` starts now; None when none of them may start."""
        for level, heap in self._heaps.items():
            if level[2] not in queues:
                continue
            while heap:
                owner = heap[0][-1]
                if heap[0] != self._key(level, owner) or (self._most and self._running[owner] >= self._most):
                    heapq.heappop(heap)
                    continue
                job = self._next_of(level, owner)
                if job is None:  # an entry without a job is never up to date
                    raise AssertionError("a turn without a job")
                self._jobs[level][owner][job.team].popleft()
                self._running[owner] += 1
                self._count(job.team, 1)
                self._last_starts[owner] = now
                before, in_a_row = self._turn
                self._turn = (owner, in_a_row + 1 if before == owner else 1)
                self._enter(owner)
                if before is not None and before != owner:
                    self._enter(before)
                return job
        return None

    def ended(self, run: Run) -> None:
        """A job has ended."""
        self._running[run.owner] -= 1
        self._count(run.team, -1)
        self._enter(run.owner)

    def _count(self, team: UUID | None, change: int) -> None:
        """One more or one less runs for a team; when that fills it or makes room, its members are entered anew."""
        if team is None:
            return
        was_full = self._is_full(team)
        self._of_team[team] += change
        if self._is_full(team) != was_full:
            for owner in self._members.get(team, ()):
                self._enter(owner)

    def _is_full(self, team: UUID | None) -> bool:
        return bool(team is not None and self._most_of_team and self._of_team[team] >= self._most_of_team)

    def _heads(self, level: tuple[int, int, str], owner: UUID) -> list[Waiting]:
        """The person's oldest jobs there, one for each team that is not full, and one for no team."""
        return [jobs[0] for team, jobs in self._jobs[level][owner].items() if jobs and not self._is_full(team)]

    def _next_of(self, level: tuple[int, int, str], owner: UUID) -> Waiting | None:
        return min(self._heads(level, owner), key=lambda job: (job.created, job.key), default=None)

    def has_any(self, queues: Collection[str]) -> bool:
        """Whether jobs are left for a worker of `queues`."""
        return any(
            level[2] in queues and any(any(teams.values()) for teams in jobs.values())
            for level, jobs in self._jobs.items()
        )

    def _enter(self, owner: UUID) -> None:
        for level in self._levels_of.get(owner, ()):
            key = self._key(level, owner)
            if key is not None:
                heapq.heappush(self._heaps[level], key)

    def _key(self, level: tuple[int, int, str], owner: UUID) -> _Key | None:
        job = self._next_of(level, owner)
        if job is None:
            return None
        last = self._last_starts.get(owner, _NEVER)
        weight = max(head.weight for head in self._heads(level, owner))
        waits_for_turn = not (self._turn[0] == owner and self._turn[1] < weight)
        return (self._running[owner] // weight, waits_for_turn, last, job.created, job.key, owner)


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
    cost: float
    """Seconds that making it took."""
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
    age = math.inf if kept is None else time.monotonic() - kept.made
    # A job that has just come in is worth a new plan.
    missing = kept is not None and kept.whole and job.pk not in kept.times
    if kept is None or ((age > _KEEP_SECONDS or missing) and age > _SHARE_OF_TIME * kept.cost):
        kept = _kept = _make_plan()
    return kept.times


def _make_plan() -> _Kept:
    began = time.monotonic()
    now = timezone.now()
    fleet = working(workers())
    devices = sorted({worker.device for worker in fleet})
    queued = Job.objects.filter(status=Job.Status.QUEUED).order_by("-priority", "created_at", "pk")
    # Columns, not objects: making a thousand of those would take most of the time.
    rows = queued.values_list(
        "pk", "owner", "queue", "priority", "created_at", "model", "source__width", "source__height",
        "mask__hole_pixels", "picture__team", "picture__team__weight",
    )[: _MOST_PLAYED + 1]  # fmt: skip
    usual: dict[tuple[str, int], float] = {}
    waiting: list[Waiting] = []
    for key, owner, queue, priority, created_at, model, width, height, hole, team, weight in rows:
        kind = (model, size_class(width * height, hole))
        if kind not in usual:
            measured = usual_seconds(*kind, devices)
            usual[kind] = math.inf if measured is None else measured
        waiting.append(Waiting(key, owner, queue, priority, created_at.timestamp(), usual[kind], weight or 1, team))
    whole = len(waiting) <= _MOST_PLAYED
    del waiting[_MOST_PLAYED:]
    starts = Job.objects.filter(owner__in={job.owner for job in waiting}, started_at__isnull=False).order_by()
    last = {owner: at.timestamp() - now.timestamp() for owner, at in starts.values_list("owner").annotate(
        last=Max(F("started_at")))}  # fmt: skip
    times = play(
        waiting,
        _hands(fleet),
        last,
        most_running=settings.JOBS.max_running_per_user,
        most_of_team=settings.JOBS.max_running_per_team,
    )
    moments = {key: Expected(_moment(now, start), _moment(now, end)) for key, (start, end) in times.items()}
    known = {job.key: moments.get(job.key, UNKNOWN) for job in waiting}
    done = time.monotonic()
    return _Kept(done, done - began, known, whole)


def _hands(fleet: list[Worker]) -> list[Hand]:
    runs: dict[str, list[Run]] = {}
    for worker, owner, team in Job.objects.filter(status=Job.Status.RUNNING).values_list(
        "worker", "owner", "picture__team"
    ):
        runs.setdefault(worker, []).append(Run(owner, team))
    return [
        Hand(
            frozenset(worker.queues),
            0.0 if worker.job is None else seconds_left(worker.job),
            tuple(runs.get(worker.name, ())),
        )
        for worker in fleet
    ]


def _size(job: Job) -> int:
    return size_class(job.source.width * job.source.height, job.mask.hole_pixels)


def _moment(now: datetime, seconds: float) -> datetime | None:
    return None if math.isinf(seconds) else now + timedelta(seconds=seconds)
