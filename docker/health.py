"""Health checks of the containers: `python docker/health.py web|worker|queue` ends with status 0 when all is well.

What is wrong goes to stderr as one sentence; `docker inspect` shows it.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from pathlib import Path

PORT = 8000
SECONDS_OF_SILENCE = 60


def check_web() -> str:
    """Ask the web process whether it lives; "" or what is wrong. Not /readyz: a restart would not mend the database."""
    names = [name.strip() for name in os.environ.get("ALLOWED_HOSTS", "").split(",")]
    # A name that the site answers to: not a pattern like ".example.org" or "*".
    host = next((name for name in names if name and name[0] not in ".*"), "localhost")
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=4)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        status = connection.getresponse().status
    except OSError as error:
        return f"The web process does not answer: {error}."
    finally:
        connection.close()
    return "" if status == http.client.OK else f"/healthz answered {status}."


def check_worker() -> str:
    """Look for a recent sign of life of a worker process of this container; "" or what is wrong."""
    import django

    django.setup()
    from datetime import timedelta

    from django.db.models.functions import Now

    from webapp.jobs.models import WorkerSeen

    alive = WorkerSeen.objects.filter(
        name__contains=socket.gethostname(), seen_at__gt=Now() - timedelta(seconds=SECONDS_OF_SILENCE)
    )
    return "" if alive.exists() else f"No worker process here gave a sign of life for {SECONDS_OF_SILENCE} seconds."


def check_queue() -> str:
    """Celery (beat or the maintenance worker) is the first process here and reaches Redis; "" or what is wrong."""
    import redis

    if b"webapp.celery" not in Path("/proc/1/cmdline").read_bytes().split(b"\0"):
        return "The container's first process is not Celery."
    try:
        redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=4, socket_connect_timeout=4).ping()
    except redis.RedisError as error:
        return f"Redis does not answer: {error}."
    return ""


CHECKS = {"web": check_web, "worker": check_worker, "queue": check_queue}


def main(arguments: list[str]) -> int:
    """The command line; the exit status."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        print(f"Usage: health.py {'|'.join(CHECKS)}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    trouble = CHECKS[arguments[0]]()
    if trouble:
        print(trouble, file=sys.stderr)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
