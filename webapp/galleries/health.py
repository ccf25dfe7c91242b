"""Whether this process lives, and whether the whole studio can do its work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import uuid4

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webapp.jobs.models import WorkerSeen

logger = logging.getLogger(__name__)


class NotReady(Exception):
    """A part that does not work; the text says what, without saying where."""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers. Nothing else is looked at: restarting it would not mend the database."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, Redis, storage and at least one worker are there, else 503; each part on its own."""
    parts = {name: _probe(name, check) for name, check in _CHECKS.items()}
    ready = all(part["ok"] for part in parts.values())
    return JsonResponse({"status": "ok" if ready else "unavailable", "parts": parts}, status=200 if ready else 503)


def _probe(name: str, check: Callable[[], None]) -> dict[str, bool | str]:
    try:
        check()
    except NotReady as problem:
        return {"ok": False, "message": str(problem)}
    except (DatabaseError, InterfaceError, redis.RedisError, OSError) as error:
        logger.warning("Not ready: %s: %s", name, error)
        return {"ok": False, "message": f"{_NAMES[name]} cannot be used; the log says why."}
    return {"ok": True, "message": ""}


def _database() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReady("The database has migrations to run.")


def _redis() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as client:
        client.ping()


def _storage() -> None:
    name = default_storage.save(f"probe/{uuid4().hex}", ContentFile(b"ready"))
    try:
        with default_storage.open(name) as stream:
            if stream.read() != b"ready":
                raise NotReady("The storage does not give back what was written.")
    finally:
        default_storage.delete(name)


def _worker() -> None:
    if not WorkerSeen.objects.alive().exists():
        raise NotReady(f"No worker gave a sign of life in the last {settings.JOBS.stale_after:g} seconds.")


_NAMES = {
    "database": "The database",
    "redis": "Redis",
    "storage": "The storage",
    "worker": "The list of workers",
}
_CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "redis": _redis,
    "storage": _storage,
    "worker": _worker,
}
