"""Health checks of the containers: `python docker/health.py web|worker|beat` ends with status 0 when all is well.

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
    """Ask the web process whether it can work; "" or what is wrong."""
    names = [name.strip() for name in os.environ.get("ALLOWED_HOSTS", "").split(",")]
    # A name that the site answers to: not a pattern like ".example.org" or "*".
    host = next((name for name in names if name and name[0] not in ".*"), "localhost")
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=4)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        status = connection.getresponse().status
    except OSError as error:
        return f"The web process does not answer: {error}."
    finally:
        connection.close()
    return "" if status == http.client.OK else f"/readyz answered {status}."


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


def check_beat() -> str:
    """Beat is the container's first process and can reach Redis; "" or what is wrong."""
    import redis

    if b"beat" not in Path("/proc/1/cmdline").read_bytes().split(b"\0"):
        return "The container's first process is not beat."
    try:
        redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=4, socket_connect_timeout=4).ping()
    except redis.RedisError as error:
        return f"Redis does not answer: {error}."
    return ""


CHECKS = {"web": check_web, "worker": check_worker, "beat": check_beat}


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
