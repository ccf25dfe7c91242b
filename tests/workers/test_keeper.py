"""`keeper` with real commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.workers.processes import ROOT, children, is_running, processes_with, wait_until

pytestmark = pytest.mark.real

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
# Two generations that both ignore SIGTERM: whoever ends this one has to kill the group.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("up", flush=True)
time.sleep(600)
"""


class Kept:
    """One keeper in a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def start(self, name: str, *command: str, options: tuple[str, ...] = (), **env: str) -> subprocess.Popen[str]:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "webapp.jobs.keeper", name, *options, "--", *command],
            cwd=ROOT,
            env={**os.environ, "REWEAVE_VAR": str(self.folder), **env},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.running.append(keeper)
        return keeper

    def python(self, name: str, code: str, **env: str) -> subprocess.Popen[str]:
        keeper = self.start(name, sys.executable, "-c", code, **env)
        wait_until(lambda: self.log(name).count("up"), what=f"{name} is up")
        return keeper

    def log(self, name: str) -> str:
        path = self.folder / "log" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def left(self) -> list[int]:
        return processes_with(f"REWEAVE_VAR={self.folder}")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    kept = Kept(tmp_path)
    yield kept
    for keeper in kept.running:
        keeper.kill()
        if keeper.stdout is not None:
            keeper.stdout.close()
        keeper.wait(5)
    for pid in kept.left():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_dead_command_is_started_again(kept: Kept) -> None:
    keeper = kept.python("worker", SLEEP)
    (first,) = children(keeper.pid)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: kept.log("worker").count("up") == 2, what="the command runs again")
    (second,) = children(keeper.pid)
    assert second != first
    keeper.terminate()
    assert keeper.wait(5) == 0
    assert keeper.stdout is not None
    assert "worker ended (signal SIGKILL) and starts again" in keeper.stdout.read()
    assert kept.left() == []


def test_a_command_that_never_comes_up_is_given_up(kept: Kept) -> None:
    keeper = kept.start("worker", sys.executable, "-c", "raise SystemExit('no models here')")
    assert keeper.wait(20) == 1
    assert keeper.stdout is not None
    said = keeper.stdout.read()
    assert "worker does not start (exit status 1)" in said
    assert "no models here" in said
    assert kept.log("worker").count("no models here") == 4


def test_a_missing_program_is_said_to_be_missing(kept: Kept) -> None:
    keeper = kept.start("worker", "no-such-program")
    assert keeper.wait(20) == 1
    assert keeper.stdout is not None
    assert "no-such-program: No such file or directory" in keeper.stdout.read()


def test_the_end_takes_the_whole_group(kept: Kept) -> None:
    keeper = kept.python("worker", STUBBORN)
    wait_until(lambda: len(kept.left()) == 3, what="keeper, command and its child run")
    began = time.monotonic()
    keeper.terminate()
    assert keeper.wait(8) == 0
    assert time.monotonic() - began < 5, "honcho would have killed the keeper by now"
    wait_until(lambda: kept.left() == [], seconds=2, what="nobody is left")


def test_the_command_ends_when_its_keeper_is_killed(kept: Kept) -> None:
    keeper = kept.python("worker", SLEEP)
    (command,) = children(keeper.pid)
    keeper.kill()
    wait_until(lambda: not is_running(command), seconds=3, what="the command ends")


def test_it_ends_when_the_studio_is_gone(kept: Kept) -> None:
    with subprocess.Popen(["sleep", "600"]) as studio:
        keeper = kept.python("worker", SLEEP, REWEAVE_STUDIO_PID=str(studio.pid))
        assert keeper.poll() is None
        studio.kill()
    assert keeper.wait(5) == 0
    assert kept.left() == []


def test_one_name_is_kept_once(kept: Kept) -> None:
    kept.python("worker", SLEEP)
    second = kept.start("worker", "sleep", "600")
    assert second.wait(5) == 1
    assert second.stdout is not None
    assert "only one studio can use this folder" in second.stdout.read()


def test_who_is_to_outlive_others_waits_for_them(kept: Kept) -> None:
    slow = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit()))\n" + SLEEP
    worker = kept.python("worker", slow)
    redis = kept.start("redis", "sleep", "600", options=("--outlive", "worker", "beat"))
    wait_until(lambda: children(redis.pid), what="redis is up")
    (server,) = children(redis.pid)
    redis.terminate()
    worker.terminate()
    time.sleep(0.5)
    assert is_running(server)
    assert worker.wait(5) == 0
    assert redis.wait(2) == 0
    assert not is_running(server)
