"""The whole studio on one machine: checks, preparation, processes, readiness, orderly end."""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TextIO

import redis
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor
from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message, Printer

from webapp.jobs import keeper, redis_server
from webapp.jobs.models import WorkerSeen
from webapp.jobs.redis_client import client
from webapp.settings.env import env_int, env_str
from webapp.settings.queue import embedded_socket

_READY_WITHIN = 120.0
_LOOK_EVERY = 0.15


class CannotStart(Exception):
    """The studio cannot start; the text is a sentence that says why and what to do."""


class Studio:
    """Runs the Procfile until somebody ends it."""

    def __init__(self, *, out: TextIO, verbose: bool = False) -> None:
        self._out = out
        self._verbose = verbose
        self._host = env_str("HOST", "127.0.0.1")
        self._port = env_int("PORT", 8000, minimum=1, maximum=65535)
        self._began = datetime.now().astimezone()
        self._clock = time.monotonic()
        self._manager: Manager | None = None
        self._ended_by_person = False
        self._ended = threading.Event()

    def run(self) -> int:
        """Start, wait until ended, return the exit status; raises `CannotStart` before anything was started."""
        _check_port(self._host, self._port)
        _check_nobody_else()
        if not os.environ.get("REDIS_URL"):
            _check_redis()
        self._prepare()
        manager = Manager(_FirstWord(self._out, self._watch_readiness, verbose=self._verbose))
        environment = self._environment()
        for name, command in self._processes().items():
            manager.add_process(name, command, env=environment, cwd=str(settings.BASE_DIR))
        self._manager = manager
        manager.loop()
        self._ended.set()
        # A person who ends the studio gets status 0: honcho notes 128 + the signal it was ended by.
        if manager.returncode in {128 + signal.SIGINT, 128 + signal.SIGTERM}:
            self._say("Reweave has stopped.")
            return 0
        return manager.returncode or 1

    def _prepare(self) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self._say("Preparing the database …")
            call_command("migrate", database=DEFAULT_DB_ALIAS, interactive=False, verbosity=0)
        _collect_static(self._say)
        connection.close()  # the processes that follow are forked

    def _processes(self) -> dict[str, str]:
        procfile = Path(settings.BASE_DIR) / "Procfile"
        processes = dict(parse_procfile(procfile.read_text(encoding="utf-8")).processes)
        if os.environ.get("REDIS_URL"):
            processes.pop("redis", None)
        return processes

    def _environment(self) -> dict[str, str]:
        """What the processes see: this interpreter first on the PATH, this studio's data folder and address."""
        environment = dict(os.environ)
        environment.update(
            {
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "REWEAVE_VAR": str(settings.VAR_DIR),
                "HOST": self._host,
                "PORT": str(self._port),
                "PYTHONUNBUFFERED": "1",
                "CELERY_SKIP_CHECKS": "1",  # this command has just run Django's checks for all of them
                keeper.STUDIO_PID: str(os.getpid()),
            }
        )
        if self._verbose:
            environment[keeper.VERBOSE] = "1"
        return environment

    def _watch_readiness(self) -> None:
        """Runs in a thread, begun when all processes are forked."""
        checks: dict[str, Callable[[], bool]] = {
            "Redis": _redis_answers,
            "the website": self._website_answers,
            "the worker": self._worker_reported,
        }
        threading.Thread(target=self._wait_for, args=(checks,), name="readiness", daemon=True).start()

    def _wait_for(self, checks: dict[str, Callable[[], bool]]) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        missing = dict(checks)
        while missing and time.monotonic() < deadline and not self._ended.wait(_LOOK_EVERY):
            missing = {name: check for name, check in missing.items() if not check()}
        connection.close()
        if self._ended.is_set() or self._manager is None or self._manager.returncode is not None:
            return
        if missing:
            self._say(
                f"Reweave is not ready after {_READY_WITHIN:.0f} seconds: {' and '.join(missing)} did not come up. "
                f"See {settings.VAR_DIR / 'log'}."
            )
            self._manager.returncode = 1
            self._manager.terminate()
            return
        took = time.monotonic() - self._clock
        self._say(f"Reweave is ready at {self._address()} ({took:.1f} s). Ctrl-C ends it.")

    def _address(self) -> str:
        host = "127.0.0.1" if self._host in {"0.0.0.0", "::", ""} else self._host  # noqa: S104  compared, not bound
        return f"http://{host}:{self._port}"

    def _website_answers(self) -> bool:
        host = self._address().removeprefix("http://").rpartition(":")[0]
        known = next((name for name in settings.ALLOWED_HOSTS if not name.startswith(("*", "."))), host)
        page = http.client.HTTPConnection(host, self._port, timeout=2)
        try:
            page.request("GET", "/healthz", headers={"Host": known})
            return page.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            page.close()

    def _worker_reported(self) -> bool:
        return WorkerSeen.objects.filter(seen_at__gte=self._began).exists()

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)


class _FirstWord(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints what the processes say; calls back once at the first word, which comes when all of them are forked.

    A thread that was begun earlier would be forked along. honcho's own words about process ids are left out.
    """

    def __init__(self, out: TextIO, at_first: Callable[[], None], *, verbose: bool) -> None:
        super().__init__(out)
        self._at_first: Callable[[], None] | None = at_first
        self._verbose = verbose

    def write(self, message: Message) -> None:
        if self._at_first is not None:
            self._at_first()
            self._at_first = None
        if self._verbose or message.name != SYSTEM_PRINTER_NAME:
            super().write(message)


def _check_port(host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise CannotStart(f"HOST={host} is no address of this machine.") from None
    family, kind, protocol, _, address = found[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            # Somebody may have bound the port without listening on it yet; only listening finds that out.
            probe.listen(1)
        except PermissionError:
            raise CannotStart(
                f"Port {port} needs more rights than you have; choose one above 1023 with PORT=."
            ) from None
        except OSError:
            raise CannotStart(
                f"Port {port} is taken by another program. Stop that one, or choose another port: PORT={port + 1}"
            ) from None


def _check_nobody_else() -> None:
    locks = Path(settings.VAR_DIR) / "run"
    for lock in locks.glob("*.lock"):
        if keeper.is_locked(lock):
            raise CannotStart(
                f"Another studio is running in {settings.VAR_DIR}. Stop it, or use another folder with REWEAVE_VAR=."
            )


def _check_redis() -> None:
    try:
        redis_server.find_server()
        redis_server.prepare_folder(embedded_socket(Path(settings.VAR_DIR)))
    except redis_server.NoRedis as error:
        raise CannotStart(str(error)) from None


def _redis_answers() -> bool:
    try:
        return bool(client().ping())
    except redis.RedisError:
        return False


def _collect_static(say: Callable[[str], None]) -> None:
    """`collectstatic`, unless no source file and no setting has changed since the last time."""
    mark = Path(settings.VAR_DIR) / "run" / "static.sha256"
    now = _static_fingerprint()
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if manifest.exists() and mark.exists() and mark.read_text(encoding="ascii") == now:
        return
    say("Collecting the static files …")
    call_command("collectstatic", interactive=False, clear=False, verbosity=0)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text(now, encoding="ascii")


def _static_fingerprint() -> str:
    """Changes when a static file is added, removed or edited, or when the way they are stored changes."""
    digest = hashlib.sha256(repr((settings.STORAGES["staticfiles"], str(settings.STATIC_ROOT))).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
