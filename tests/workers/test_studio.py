"""`manage.py studio` as people run it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.workers.conftest import free_port
from tests.workers.processes import ROOT, children, processes_with, wait_until

pytestmark = [pytest.mark.real, pytest.mark.slow]


class Studio:
    """The command in a data folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.output = folder.parent / f"studio-{time.monotonic_ns()}.txt"
        given = {name: value for name, value in os.environ.items() if name not in {"DJANGO_SETTINGS_MODULE"}}
        with self.output.open("w") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "manage.py", "studio"],
                cwd=ROOT,
                env={**given, "REWEAVE_VAR": str(folder), "PORT": str(self.port), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        wait_until(
            lambda: "is ready" in self.said() or self.popen.poll() is not None, seconds=100, what="the studio is ready"
        )
        assert f"Reweave is ready at http://127.0.0.1:{self.port}" in self.said(), self.said()

    def left(self) -> list[int]:
        return processes_with(f"REWEAVE_VAR={self.folder}")

    def kill(self) -> None:
        for pid in {self.popen.pid, *self.left()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait(10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var"


@pytest.fixture
def studio(folder: Path) -> Iterator[Studio]:
    studio = Studio(folder)
    yield studio
    studio.kill()


def test_it_starts_serves_and_leaves_nothing_behind(studio: Studio) -> None:
    studio.wait_until_ready()
    page = HTTPConnection("127.0.0.1", studio.port, timeout=10)
    page.request("GET", "/healthz")
    assert page.getresponse().status == 200
    page.close()
    os.killpg(studio.popen.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
    began = time.monotonic()
    assert studio.popen.wait(15) == 0
    assert time.monotonic() - began < 8
    assert studio.said().rstrip().endswith("Reweave has stopped.")
    assert studio.left() == []

    again = Studio(studio.folder)
    try:
        began = time.monotonic()
        again.wait_until_ready()
        assert time.monotonic() - began < 10 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        again.popen.terminate()
        assert again.popen.wait(15) == 0
        assert again.left() == []
    finally:
        again.kill()


def test_a_killed_process_comes_back_and_a_killed_studio_takes_all_along(studio: Studio) -> None:
    studio.wait_until_ready()
    log = studio.folder / "log" / "worker.log"
    started = log.read_text().count("celery@") + log.read_text().count("fill@")
    (worker,) = [pid for pid in studio.left() if is_celery_parent(pid)]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: log.read_text().count("fill@") > started, seconds=30, what="the worker comes back")
    assert "worker ended (signal SIGKILL) and starts again" in studio.said()
    studio.popen.kill()
    wait_until(lambda: studio.left() == [], seconds=15, what="nobody is left without the studio")


def is_celery_parent(pid: int) -> bool:
    command = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
    return b"workers.tasks" in command and b"webapp.jobs.keeper" not in command and bool(children(pid))


def test_a_taken_port_is_one_sentence(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        studio = Studio(folder, PORT=str(port))
        assert studio.popen.wait(30) == 1
    said = studio.said().strip()
    assert said == (f"Port {port} is taken by another program. Stop that one, or choose another port: PORT={port + 1}")
    assert studio.left() == []


def test_a_second_studio_in_the_same_folder_is_refused(studio: Studio) -> None:
    studio.wait_until_ready()
    second = Studio(studio.folder)
    try:
        assert second.popen.wait(30) == 1
        assert "Another studio is running" in second.said()
        assert studio.popen.poll() is None
    finally:
        if second.popen.poll() is None:
            second.kill()


def test_a_process_that_cannot_start_ends_the_studio_with_a_sentence(folder: Path) -> None:
    studio = Studio(folder, REDIS_URL="redis://127.0.0.1:1/0", WEB_WORKERS="none")
    try:
        assert studio.popen.wait(60) == 1
        assert "web does not start (exit status 1)" in studio.said()
        assert studio.left() == []
    finally:
        studio.kill()
