"""The worker's own tasks, with tripwires: ``celery -A tests.workers.tripwires worker``.

A test stretches a wire for one job at one stage; the pool process that runs into it dies there and then, or waits
there. Everything else is the worker as it is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import signals

from webapp.settings.context import ids
from workers.tasks import app

__all__ = ["app", "stretch"]

STAGES = ("claimed", "decoding", "computing", "storing", "stored")


def stretch(job_id: Any, stage: str, what: str = "kill") -> Path:
    """Let the process that takes `job_id` to `stage` die (“kill”: the first time, “crash”: each time) or “wait”."""
    assert stage in STAGES
    wire = _wire(job_id, stage)
    wire.parent.mkdir(exist_ok=True)
    wire.write_text(what)
    return wire


def _wire(job_id: Any, stage: str) -> Path:
    return Path(os.environ["REWEAVE_VAR"]) / "tripwires" / f"{job_id}.{stage}"


def _reach(stage: str, job_id: Any = None) -> None:
    wire = _wire(job_id or ids().get("job"), stage)
    if not wire.exists():
        return
    what = wire.read_text()
    if what == "crash":
        ctypes.string_at(0)  # a segmentation fault, as a bug in native code makes it
    if what == "kill":
        wire.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    while wire.exists():
        time.sleep(0.05)


def _before(stage: str, do: Callable[..., Any]) -> Callable[..., Any]:
    def reach_and_do(*args: Any, **kwargs: Any) -> Any:
        _reach(stage)
        return do(*args, **kwargs)

    return reach_and_do


def _after(stage: str, do: Callable[..., Any]) -> Callable[..., Any]:
    def do_and_reach(*args: Any, **kwargs: Any) -> Any:
        found = do(*args, **kwargs)
        _reach(stage, getattr(found, "pk", None))
        return found

    return do_and_reach


@signals.worker_process_init.connect
def _stretch_all(**kwargs: Any) -> None:
    """After the process was set up, which the signal's first receiver does."""
    from webapp.jobs import claims
    from workers import progress, runner, task

    claims.claim_next = _after("claimed", claims.claim_next)
    task.decode = _before("decoding", task.decode)
    progress.Reporter.__call__ = _before("computing", progress.Reporter.__call__)
    # Within the transaction: files are written and rows are not committed yet.
    runner.store_rendition = _before("storing", runner.store_rendition)
    runner._store = _after("stored", runner._store)
