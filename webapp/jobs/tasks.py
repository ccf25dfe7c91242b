"""Tasks of the maintenance queue. They need neither models nor PyTorch."""

from __future__ import annotations

import time

from django.conf import settings

from webapp.celery import app


class Rhythm:
    """Tells whether sweeps have come regularly of late.

    A gap means that this process, its machine or the database was away. Then the workers' heartbeats are old although
    they are well, and they get the time of two heartbeats to say so before any of them is taken for dead. One process
    sweeps, so the rhythm needs no place in the database; a new process begins with a gap.
    """

    def __init__(self) -> None:
        self._last = float("-inf")
        self._regular_since = float("-inf")

    def is_steady(self, now: float) -> bool:
        """To be asked when a sweep begins."""
        if now - self._last > settings.JOBS.sweep_every + settings.JOBS.stale_after / 2:
            self._regular_since = now
        return now - self._regular_since >= 2 * settings.JOBS.heartbeat

    def swept(self, began: float, now: float) -> None:
        """To be called when a sweep has succeeded. One that was held up, by a locked database say, leaves a gap too."""
        if now - began > settings.JOBS.stale_after / 2:
            self._regular_since = now
        self._last = now


_rhythm = Rhythm()


@app.task(name="jobs.sweep")
def run_sweep() -> None:
    """Beat's task; see `sweep`."""
    from webapp.jobs.sweep import sweep

    began = _now()
    sweep(judge=_rhythm.is_steady(began))
    _rhythm.swept(began, _now())


def _now() -> float:
    """Seconds that also pass while a laptop sleeps, as they do for the heartbeats that it does not write."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
