"""Keeps one process of the studio alive: ``python -m webapp.jobs.keeper NAME [--outlive NAME …] -- COMMAND …``.

Starts the command, starts it again when it dies (at once the first time, then ever more slowly), writes what it
prints to ``var/log/NAME.log``, and ends it when told to, or when the studio itself is gone. A command that never once
stays up is given up with exit status 1. Standard library only: five of these run on a laptop.

The command runs in a process group of its own, so that a signal for the keeper does not hit the command's own
children (Celery's pool would die in the middle of a job), and whatever is left of the group at the end is killed.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO

STUDIO_PID = "REWEAVE_STUDIO_PID"
VERBOSE = "REWEAVE_VERBOSE"

_QUICK_DEATH = 3.0
"""A command that dies sooner than this, in seconds, did not come up."""
_MOST_TRIES = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_TERMINATION = 4.0
"""Seconds from SIGTERM to SIGKILL; honcho kills the keeper itself after five."""
_OUTLIVE = 4.2
_LARGEST_LOG = 5_000_000  # bytes
_LAST_LINES = 5
_PR_SET_PDEATHSIG = 1


def data_folder() -> Path:
    """The folder of all state, as the settings have it."""
    given = os.environ.get("REWEAVE_VAR", "").strip()
    return Path(given or Path(__file__).resolve().parents[2] / "var").resolve()


class Taken(Exception):
    """Somebody keeps a process of this name in this data folder already."""


class Keeper:
    """One command under supervision. Single-threaded: one loop waits for output, signals and the studio's end."""

    def __init__(self, name: str, command: Sequence[str], *, outlive: Sequence[str], folder: Path) -> None:
        self._name = name
        self._command = list(command)
        self._outlive = list(outlive)
        self._locks = folder / "run"
        self._log_path = folder / "log" / f"{name}.log"
        self._verbose = bool(os.environ.get(VERBOSE))
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._stop_at: float | None = None
        self._wakeup, self._wakeup_end = os.pipe()
        self._studio = _open_studio()

    def run(self) -> int:
        """Keep the command running until told to stop; returns the exit status."""
        for folder in (self._locks, self._log_path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._lock = _take_lock(self._locks / f"{self._name}.lock")
        self._listen_to_signals()
        quick_deaths, came_up = 0, False
        while True:
            began = time.monotonic()
            status = self._run_once()
            if self._told_to_stop():
                return 0
            lived = time.monotonic() - began >= _QUICK_DEATH
            came_up = came_up or lived
            quick_deaths = 1 if lived else quick_deaths + 1
            if not came_up and quick_deaths >= _MOST_TRIES:
                self._say(f"{self._name} does not start ({_describe(status)}). The last lines of {self._log_path}:")
                for line in self._last_lines:
                    self._say("    " + line)
                return 1
            pause = min(_FIRST_PAUSE * 2 ** (quick_deaths - 1), _LONGEST_PAUSE)
            self._say(f"{self._name} ended ({_describe(status)}) and starts again; see {self._log_path}")
            self._wait(None, until=time.monotonic() + pause)
            if self._told_to_stop():
                return 0

    def _told_to_stop(self) -> bool:
        return self._stop_at is not None

    def _run_once(self) -> int:
        """Start the command and see it to its end; its exit status."""
        try:
            child = subprocess.Popen(  # noqa: S603  the command line is the Procfile's
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # safe: this process has no threads
            )
        except OSError as error:
            self._last_lines.append(f"{self._command[0]}: {error.strerror}")
            return 127
        asked_at: float | None = None
        killed = False
        while child.poll() is None:
            if self._stop_at is not None and asked_at is None and self._may_end():
                asked_at = time.monotonic()
                child.terminate()
            if asked_at is not None and not killed and time.monotonic() >= asked_at + self._patience(asked_at):
                _kill_group(child.pid)
                killed = True
            self._wait(child.stdout, until=time.monotonic() + (0.05 if self._stop_at else 1.0))
        _kill_group(child.pid)
        self._copy_rest(child.stdout)
        return child.wait()

    def _patience(self, asked_at: float) -> float:
        """Seconds between asking and killing; whoever had to wait for others has less left."""
        waited = asked_at - (self._stop_at or asked_at)
        return max(0.3, _TERMINATION + 0.7 - waited) if self._outlive else _TERMINATION

    def _may_end(self) -> bool:
        """Whether those that this command has to outlive are gone, or have been waited for long enough."""
        if self._stop_at is not None and time.monotonic() - self._stop_at > _OUTLIVE:
            return True
        return not any(is_locked(self._locks / f"{name}.lock") for name in self._outlive)

    def _wait(self, output: IO[bytes] | None, *, until: float) -> None:
        """Copy output until there is a signal, the output ends, the studio is gone or the time is up."""
        sources: list[int] = [self._wakeup]
        if self._studio is not None:
            sources.append(self._studio)
        if output is not None:
            sources.append(output.fileno())
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select(sources, [], [], left)
            if self._wakeup in ready:
                os.read(self._wakeup, 512)
                return
            if self._studio in ready:
                os.close(self._studio or 0)
                self._studio = None
                self._stop_at = self._stop_at or time.monotonic()
                return
            if output is not None and output.fileno() in ready:
                data = os.read(output.fileno(), 65536)
                if not data:
                    time.sleep(0.02)  # the output is closed; the end of the process follows
                    return
                self._write(data)

    def _copy_rest(self, output: IO[bytes] | None) -> None:
        if output is not None:
            os.set_blocking(output.fileno(), False)
            try:
                while data := os.read(output.fileno(), 65536):
                    self._write(data)
            except BlockingIOError:
                return  # somebody outside the group holds the pipe open
            finally:
                output.close()

    def _write(self, data: bytes) -> None:
        if self._log_path.exists() and self._log_path.stat().st_size > _LARGEST_LOG:
            self._log_path.replace(self._log_path.with_suffix(".log.1"))
        with self._log_path.open("ab") as log:
            log.write(data)
        text = data.decode("utf-8", "replace")
        self._last_lines.extend(line for line in text.splitlines() if line.strip())
        if self._verbose:
            sys.stdout.write(text)
            sys.stdout.flush()

    def _listen_to_signals(self) -> None:
        os.set_blocking(self._wakeup_end, False)
        signal.set_wakeup_fd(self._wakeup_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the loop

    def _on_stop(self, *_: object) -> None:
        self._stop_at = self._stop_at or time.monotonic()

    def _say(self, line: str) -> None:
        print(line, flush=True)


def _open_studio() -> int | None:
    """A descriptor that becomes readable when the studio ends, however it ends; None when there is none to watch."""
    given = os.environ.get(STUDIO_PID, "")
    if not given.isdigit() or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(int(given))
    except OSError:
        return None


def _take_lock(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise Taken from None
    return file


def is_locked(path: Path) -> bool:
    """Whether a keeper that runs now holds this lock."""
    if not path.exists():
        return False
    try:
        _take_lock(path).close()
    except Taken:
        return True
    return False


def _die_with_parent() -> None:
    """In the child, before it becomes the command: end when the keeper is killed. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left


def _describe(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(prog="python -m webapp.jobs.keeper", description="Keep one process alive.")
    parser.add_argument("name", help="names the log and the lock")
    parser.add_argument("--outlive", nargs="+", default=[], metavar="NAME", help="end after these have ended")
    given = list(sys.argv[1:] if arguments is None else arguments)
    split = given.index("--") if "--" in given else len(given)
    options, command = parser.parse_args(given[:split]), given[split + 1 :]
    if not command:
        parser.error("there is no command after --")
    folder = data_folder()
    try:
        return Keeper(options.name, command, outlive=options.outlive, folder=folder).run()
    except Taken:
        print(f"{options.name} is running already for {folder}: only one studio can use this folder.", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
