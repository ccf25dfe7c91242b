"""Starts the studio's real processes for tests, and ends them whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
# Shorter than what people get, so that what takes a while there takes a second here. Most tests need no PyTorch.
QUICK = {
    "JOB_HEARTBEAT_SECONDS": "1",
    "JOB_STALE_SECONDS": "3",
    "JOB_SWEEP_SECONDS": "1",
    "WORKER_WARM_UP": "off",
    "WORKER_DEVICE": "cpu",
}
_CELERY = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "info"]


def process_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process of this test run sees: this run's data folder and database."""
    name = connection.settings_dict["NAME"]
    return {
        **os.environ,
        **QUICK,
        "DJANGO_SETTINGS_MODULE": "tests.workers.process_settings",
        "TEST_DATABASE": str(name),
        "REWEAVE_VAR": str(settings.VAR_DIR),
        "OMP_NUM_THREADS": "1",
        "CELERY_SKIP_CHECKS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        **(extra or {}),
    }


class Process:
    """One process in a group of its own; what it prints goes to a file."""

    def __init__(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.log = Path(settings.VAR_DIR) / f"{name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=ROOT,
                env=process_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def kill(self) -> None:
        """End the whole group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM to the process itself, as a service manager does; its exit status."""
        if self.popen.poll() is None:
            self.popen.terminate()
        try:
            return self.popen.wait(seconds)
        finally:
            self.kill()

    def text(self) -> str:
        return self.log.read_text(errors="replace")


def redis_server() -> Process:
    return Process("redis", "-m", "webapp.jobs.redis_server")


def fill_worker(queue: str, *, app: str = "workers.tasks", processes: int = 1, **environment: str) -> Process:
    name = f"{queue}-{time.monotonic_ns()}@test"
    arguments = ["-m", "celery", "-A", app, "worker", "-n", name, "-Q", queue, "-c", str(processes), *_CELERY]
    return Process(f"worker-{queue}", *arguments, environment=environment)


def maintenance_worker(**environment: str) -> Process:
    arguments = ["-m", "celery", "-A", "webapp.celery", "worker", "-Q", "maintenance", "--pool", "solo", *_CELERY]
    return Process("maintenance", *arguments, environment=environment)


def beat() -> Process:
    return Process("beat", "-m", "celery", "-A", "webapp.celery", "beat", "--pidfile=")


def web_server(port: int, *, workers: int = 1, **environment: str) -> Process:
    arguments = ["-m", "gunicorn", "-c", "webapp/gunicorn.py", "webapp.asgi:application"]
    return Process("web", *arguments, environment={"PORT": str(port), "WEB_WORKERS": str(workers), **environment})


def wait_until(check: Callable[[], Any], *, seconds: float = 20, what: str = "", every: float = 0.05) -> Any:
    """What `check` returns as soon as that is true; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what or check}")
        time.sleep(every)


def children(pid: int) -> list[int]:
    """Ids of the processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    """Whether a process of this id is there and is no zombie."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_with(variable: str) -> list[int]:
    """Ids of all processes in whose environment `variable` (``NAME=value``) stands."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if variable.encode() in environment and is_running(int(entry.name)):
                found.append(int(entry.name))
    return found
