"""Every waiting job's place in its queue, looked up once for all the pages that this process serves."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from webapp.jobs import claims
from webapp.jobs.models import Job

_KEEP_SECONDS = 1.5
_lock = threading.Lock()
_kept: tuple[float, dict[UUID, int]] = (float("-inf"), {})


def table() -> dict[UUID, int]:
    """Place by job, of all queues; up to a second and a half old."""
    global _kept
    with _lock:  # who comes while it is being made waits for it
        made, places = _kept
        if time.monotonic() - made > _KEEP_SECONDS:
            places = {job: place for queue in _QUEUES for job, place in claims.positions(queue).items()}
            _kept = (time.monotonic(), places)
        return places


_QUEUES = (Job.Queue.INTERACTIVE, Job.Queue.BATCH)
