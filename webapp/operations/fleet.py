"""The workers: which are alive, what they do, which are to rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from webapp.jobs.models import Job, WorkerSeen
from webapp.operations.models import Attempt, DrainedNode

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Worker:
    """One process that fills."""

    name: str
    device: str
    queues: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    alive: bool
    drained: bool
    job: Job | None
    """What it runs now."""
    done: int
    """Attempts that ended within the last hour."""
    loaded: dict[str, int]
    """Models in its memory, the last used last, with the bytes of their weights."""
    memory: int
    """Bytes of main memory."""
    card_memory: int
    """Bytes of its graphics card's memory."""

    @property
    def models(self) -> list[tuple[str, str]]:
        """Titles of the loaded models with the size of their weights (empty for none), the last used first."""
        from webapp.jobs.payloads import model_title  # which needs this module for its estimates

        return [(model_title(key), filesizeformat(size) if size else "") for key, size in reversed(self.loaded.items())]

    @property
    def node(self) -> str:
        """The worker that the process belongs to; draining counts for all of its processes."""
        return node_of(self.name)

    @property
    def state(self) -> str:
        """In a word: silent, drained, busy or free."""
        if not self.alive:
            return "silent"
        if self.job is not None:
            return "busy"
        return "drained" if self.drained else "free"


def node_of(worker: str) -> str:
    """``fill@host`` of ``fill@host:4711``."""
    return worker.rpartition(":")[0] or worker


def is_drained(worker: str) -> bool:
    """Whether this process is to claim nothing."""
    return DrainedNode.objects.filter(node=node_of(worker)).exists()


def workers() -> list[Worker]:
    """Every process that signed on and did not sign off, also those that fell silent within the last day."""
    now = timezone.now()
    alive = set(WorkerSeen.objects.alive().values_list("name", flat=True))
    drained = set(DrainedNode.objects.values_list("node", flat=True))
    running = {job.worker: job for job in Job.objects.filter(status=Job.Status.RUNNING).select_related("owner")}
    ended = Attempt.objects.filter(ended_at__gt=now - _HOUR).exclude(outcome="queued").order_by()
    done = dict(ended.values_list("worker").annotate(Count("pk")))
    return [
        Worker(
            name=seen.name,
            device=seen.device,
            queues=tuple(filter(None, seen.queues.split(","))),
            started_at=seen.started_at,
            seen_at=seen.seen_at,
            alive=seen.name in alive,
            drained=node_of(seen.name) in drained,
            job=running.get(seen.name),
            done=done.get(seen.name, 0),
            loaded=seen.loaded,
            memory=seen.memory,
            card_memory=seen.card_memory,
        )
        for seen in WorkerSeen.objects.order_by("name")
    ]


def working(every: list[Worker]) -> list[Worker]:
    """Those that will claim another job: alive and not drained."""
    return [worker for worker in every if worker.alive and not worker.drained]
