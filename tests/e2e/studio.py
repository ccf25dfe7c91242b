"""The real studio as a child process: its own data folder, its own port, its own Redis and worker."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_READY_WITHIN = 120.0
_ENDS_WITHIN = 30.0


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running_studio(root: Path, var: Path) -> Iterator[str]:
    """Start ``manage.py studio``, wait until it can be used, yield its address, and end it as Ctrl-C would."""
    port = free_port()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "REWEAVE_VAR": str(var),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "OMP_NUM_THREADS": "1",
        # Every test is a new visitor from the same address, which looks like what these limits are there to stop.
        "GUESTS_PER_HOUR": "0",
        "UPLOADS_PER_HOUR": "0",
    }
    log = var / "studio.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "studio", "--verbose"],
            cwd=root,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}/readyz", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        # The website answers before its worker does; the worker is what the tests need.
        if b"is ready at" in log.read_bytes():
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own http address
                assert answer.status == 200
            return
        time.sleep(0.1)
    raise RuntimeError(f"The studio did not become ready.\n{log.read_text(errors='replace')[-4000:]}")
