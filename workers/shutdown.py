"""Tells the processes of a worker's pool that the worker is being stopped.

Celery's warm shutdown waits for running tasks and tells them nothing. A few bytes of memory that the parent and its
children share say until when a running job may go on; whoever runs one then hands it back.
"""

from __future__ import annotations

import mmap
import struct
import time

from django.conf import settings

_SHARED = mmap.mmap(-1, 8)  # anonymous and shared: made before the children are forked


def announce() -> None:
    """Called in the parent when the worker is told to stop; the first call counts."""
    if deadline() is None:
        _SHARED[:8] = struct.pack("d", time.monotonic() + settings.JOBS.shutdown_grace)


def deadline() -> float | None:
    """The `time.monotonic` moment at which running jobs are to be handed back; None when nobody is stopping."""
    (moment,) = struct.unpack("d", _SHARED[:8])
    return moment or None
