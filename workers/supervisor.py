"""The thread that watches over a pool process: heartbeats, and stopping what must not go on.

A model may sit in one long call of native code that nothing interrupts. So the thread first asks (`Watch.stop`, which
the model's next step turns into `Cancelled`), and when that is not heard within a short grace it settles the job's
row itself and ends the whole process; the pool then starts a fresh one.

Jobs that are computed together are watched each on its own. As long as one of them may go on, the others are let go
without disturbing it.
"""

from __future__ import annotations

import enum
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from webapp.jobs import states
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.postman import postman
from workers import shutdown

logger = logging.getLogger(__name__)

_PROGRESS_TO_ROW_EVERY = 1.0


class Stop(enum.Enum):
    """Why a running attempt must not go on."""

    CANCELLED = "cancelled"
    TAKEN_BACK = "taken back"
    SHUTDOWN = "shutdown"
    TOO_LONG = "too long"


@dataclass(slots=True, eq=False)
class Watch:
    """One running attempt under supervision."""

    job: Job
    started: float = field(default_factory=time.monotonic)
    stop: Stop | None = None
    """Set once, by the supervisor; the runner raises `Cancelled` at its next step."""
    asked_at: float = 0.0
    wrote_at: float = field(default_factory=time.monotonic)
    progress: dict[str, Any] | None = None
    """Columns of the job's row to write with the next heartbeat; the runner replaces it, never changes it."""
    written: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds: bytes of the weights of each loaded model, of main memory, of its graphics card's."""

    loaded: dict[str, int] = field(default_factory=dict)
    memory: int = 0
    card_memory: int = 0


class Supervisor:
    """Watches over one process. `start` it after the fork."""

    def __init__(
        self,
        name: str,
        *,
        device: str,
        queues: str,
        abilities: Sequence[str] = (),
        holds: Callable[[], Holdings] = Holdings,
    ) -> None:
        """`holds` is asked from the supervisor's thread with each sign of life."""
        self.name = name
        self._abilities = list(abilities)
        self._holds = holds
        self._device = device
        self._queues = queues
        self._lock = threading.Lock()
        self._watches: list[Watch] = []
        self._ended = threading.Event()
        self._seen_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Register this process as a worker and begin watching."""
        self._sign_of_life()
        self._thread.start()

    def end(self) -> None:
        """Stop watching and sign off; for a process that ends in order."""
        self._ended.set()
        self._thread.join(2.0)
        WorkerSeen.objects.filter(name=self.name).delete()

    @contextmanager
    def watching(self, job: Job) -> Iterator[Watch]:
        """Supervise `job` while the block runs."""
        (watch,) = self.join([job])
        try:
            yield watch
        finally:
            with self._lock:
                self._watches = []

    def join(self, jobs: Sequence[Job]) -> list[Watch]:
        """Supervise these too, until the block of `watching` ends."""
        watches = [Watch(job) for job in jobs]
        with self._lock:
            self._watches = [*self._watches, *watches]
        return watches

    def let_go(self, watch: Watch) -> bool:
        """Supervise one no longer; False when somebody else has let it go already, and settles it."""
        with self._lock:
            if watch not in self._watches:
                return False
            self._watches = [each for each in self._watches if each is not watch]
            return True

    def _run(self) -> None:
        while not self._ended.wait(settings.JOBS.poll):
            try:
                with self._lock:
                    watches = self._watches
                self._sign_of_life()
                for watch in watches:
                    self._look_after(watch)
            except Exception:
                # Most likely the database is away or starting anew. Without this thread the process would count as
                # dead, so it goes on; as long as its heartbeats fail its job may be taken back, which is right.
                logger.exception("The supervisor could not do its round.")
                connection.close()
        connection.close()

    def _sign_of_life(self) -> None:
        if time.monotonic() - self._seen_at >= settings.JOBS.heartbeat:
            holds = asdict(self._holds())
            if not WorkerSeen.objects.filter(name=self.name).update(seen_at=Now(), **holds):
                WorkerSeen.objects.create(
                    **holds,
                    name=self.name,
                    device=self._device,
                    queues=self._queues,
                    abilities=self._abilities,
                    started_at=Now(),
                    seen_at=Now(),
                )
            self._seen_at = time.monotonic()

    def _look_after(self, watch: Watch) -> None:
        if watch.stop is None:
            watch.stop = self._reason_to_stop(watch)
            watch.asked_at = time.monotonic()
        elif time.monotonic() - watch.asked_at > settings.JOBS.stop_grace:
            self._give_up(watch)

    def _reason_to_stop(self, watch: Watch) -> Stop | None:
        now = time.monotonic()
        deadline = shutdown.deadline()
        if deadline is not None and now >= deadline:
            return Stop.SHUTDOWN
        if now - watch.started > settings.JOBS.time_limits[watch.job.queue]:
            return Stop.TOO_LONG
        rows = Job.objects.filter(pk=watch.job.pk)
        mine = rows.filter(status=Job.Status.RUNNING, attempt=watch.job.attempt)
        progress = watch.progress
        news = progress is not watch.written
        if now - watch.wrote_at >= (_PROGRESS_TO_ROW_EVERY if news else settings.JOBS.heartbeat):
            if mine.update(heartbeat_at=Now(), **(progress or {})):
                watch.wrote_at, watch.written = now, progress
                return None
        elif mine.exists():
            return None
        return Stop.CANCELLED if rows.filter(status=Job.Status.CANCELLED).exists() else Stop.TAKEN_BACK

    def _give_up(self, watch: Watch) -> None:
        """The model does not listen: settle the row, then end this process in the middle of its work.

        Unless it works for others too: then only this one is let go, and its result will be dropped.
        """
        with self._lock:
            if watch not in self._watches:
                return  # it listened just now
            if any(each.stop is None for each in self._watches):
                self._watches = [each for each in self._watches if each is not watch]
                settle(watch)
                return
            logger.warning("%s did not stop when asked (%s); this process ends.", watch.job, watch.stop)
            for each in self._watches:
                settle(each)
            WorkerSeen.objects.filter(name=self.name).delete()
            postman().flush(0.5)
            os.kill(os.getpid(), signal.SIGKILL)


def settle(watch: Watch) -> None:
    """Write what a stopped attempt leaves in its job's row; others settled cancelled and taken-back ones."""
    job = watch.job
    try:
        if watch.stop is Stop.SHUTDOWN:
            states.hand_back(job, reason="the worker was told to stop")
        elif watch.stop is Stop.TOO_LONG:
            minutes = max(1, round(settings.JOBS.time_limits[job.queue] / 60))
            states.fail(
                job,
                actor=job.worker,
                code="too_long",
                message=f"This took longer than the {minutes} min allowed. Try a smaller hole or a faster model.",
            )
    except states.Lost:
        logger.info("Job %s was moved by somebody else before attempt %d ended.", job.pk, job.attempt)
