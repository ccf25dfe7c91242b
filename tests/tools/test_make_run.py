"""`make run` in a real terminal: ready, served, ended by Ctrl-C without a trace."""

from __future__ import annotations

import http.client
import os
import pty
import select
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.real

CTRL_C = b"\x03"
READY_WITHIN = 120.0
ENDED_WITHIN = 20.0


class Terminal:
    """A command in a pseudo-terminal of its own, as when a person types it."""

    def __init__(self, command: list[str], cwd: Path, **environment: str) -> None:
        self._screen, terminal = pty.openpty()
        self.said = ""
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            # The terminal becomes the controlling one, so that Ctrl-C reaches the whole foreground group.
            preexec_fn=lambda: os.login_tty(terminal),
        )
        os.close(terminal)

    def read_until(self, words: str, seconds: float) -> bool:
        """Read until the words were said; False when time ran out or the program ended first."""
        deadline = time.monotonic() + seconds
        while words not in self.said and time.monotonic() < deadline:
            if not self._read(0.2) and self.process.poll() is not None:
                break
        return words in self.said

    def type(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def wait(self, seconds: float) -> int:
        """The exit status; whatever is said meanwhile is read."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        while self._read(0.1):
            pass
        return self.process.wait(0)

    def close(self) -> None:
        os.close(self._screen)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._screen], [], [], seconds)[0]:
            return False
        try:
            part = os.read(self._screen, 65536)
        except OSError:  # the other side is closed
            return False
        self.said += part.decode(errors="replace")
        return bool(part)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_make_run_serves_until_ctrl_c_and_leaves_nothing_behind(project_root: Path, tmp_path: Path) -> None:
    port = free_port()
    terminal = Terminal(["make", "run", f"PORT={port}"], project_root, REWEAVE_VAR=str(tmp_path / "var"))
    try:
        assert terminal.read_until("Ctrl-C ends it", READY_WITHIN), terminal.said
        assert f"http://127.0.0.1:{port}" in terminal.said
        assert status_of(port, "/") == http.client.OK
        assert status_of(port, "/readyz") == http.client.OK
        family = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len(family) >= 5  # studio, Redis, web, worker, beat and their helpers

        before = len(terminal.said)
        terminal.type(CTRL_C)
        terminal.wait(ENDED_WITHIN)
        after = terminal.said[before:]
        assert "Traceback" not in after
        assert "Error" not in after, after
        _, alive = psutil.wait_procs(family, timeout=2)
        assert alive == []
        with pytest.raises(ConnectionRefusedError):
            status_of(port, "/")
    finally:
        if terminal.process.poll() is None:
            terminal.process.terminate()
            terminal.process.wait(ENDED_WITHIN)
        terminal.close()


def test_a_taken_port_is_one_sentence(project_root: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            ["make", "run", f"PORT={port}"],
            cwd=project_root,
            env={**os.environ, "REWEAVE_VAR": str(tmp_path / "var")},
            capture_output=True,
            text=True,
        )
    assert done.returncode != 0
    assert f"Port {port} is taken" in done.stderr
    assert "Traceback" not in done.stderr
    # Besides the sentence, only make's own line.
    assert len(done.stderr.strip().splitlines()) <= 2
