"""One attempt in a worker's hands: its job, its pictures once they are read, its clock."""

from __future__ import annotations

import time
from datetime import timedelta

from inpainting.imaging import Photo, decode, decode_mask
from inpainting.models.base import BoolMask
from webapp.jobs.checkpoints import JobCheckpoint
from webapp.jobs.models import Job
from webapp.photos import services as photos
from workers.supervisor import Watch
from workers.trouble import patiently

Timings = dict[str, float]


class Task:
    """One attempt. `photo` and `mask` are there after `read`."""

    photo: Photo
    mask: BoolMask
    """The hole; of a selection the stroke."""

    def __init__(self, watch: Watch, *, idle: float) -> None:
        """`idle` is for how many seconds the process has been free when it claimed the job."""
        self.watch = watch
        self.job: Job = watch.job
        self.checkpoint = JobCheckpoint(self.job.pk)
        self.timings = waiting_times(self.job, idle=idle)
        self.clock = Clock(self.timings)
        self.is_read = False

    def read(self) -> None:
        """Fetch and decode photo and mask."""
        job = self.job
        source, hole = patiently(self.watch, lambda: (photos.read_version(job.source), photos.read_mask(job.mask)))
        self.clock.lap("read")
        self.photo = decode(source)
        self.mask = decode_mask(hole, width=self.photo.width, height=self.photo.height)
        self.clock.lap("decode")
        self.is_read = True


class Clock:
    """Notes how long each part took."""

    def __init__(self, timings: Timings) -> None:
        self._timings = timings
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """What passed since the last lap is called `name`."""
        now = time.perf_counter()
        self._timings[name] = round(now - self._last, 4)
        self._last = now

    def skip(self) -> None:
        """What passed since the last lap was measured by somebody else."""
        self._last = time.perf_counter()


def waiting_times(job: Job, *, idle: float) -> Timings:
    """What passed before the run: waiting for this process to be free, and getting the job to the free process.

    The process has been free for `idle` seconds. Moments are the database's: the clock here may tell another time.
    """
    if job.queued_at is None or job.started_at is None:
        return {}
    ready = max(job.queued_at, job.started_at - timedelta(seconds=idle))
    zero = timedelta(0)
    return {
        "queue_wait": max(zero, ready - job.queued_at).total_seconds(),
        "dispatch": max(zero, job.started_at - ready).total_seconds(),
    }
