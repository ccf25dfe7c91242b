"""Every waiting job's place in its queue, looked up once for all the pages that this process serves."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from webapp.jobs import claims
from webapp.jobs.models import Job

_KEEP_SECONDS = 1.5
_SHARE_OF_TIME = 10
"""Looking places up takes a tenth of a process's time at most, however slow the machine is at the moment."""
_lock = threading.Lock()
_kept: tuple[float, dict[UUID, int]] = (float("-inf"), {})
"""Until when it may be used, and the places."""


def table() -> dict[UUID, int]:
    """Place by job, of all queues; up to a second and a half old, on a machine that is overloaded older."""
    global _kept
    with _lock:  # who comes while it is being made waits for it
        until, places = _kept
        began = time.monotonic()
        if began > until:
            places = {job: place for queue in _QUEUES for job, place in claims.positions(queue).items()}
            now = time.monotonic()
            _kept = (now + max(_KEEP_SECONDS, _SHARE_OF_TIME * (now - began)), places)
        return places


_QUEUES = (Job.Queue.INTERACTIVE, Job.Queue.BATCH)
