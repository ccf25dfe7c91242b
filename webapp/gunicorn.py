"""How gunicorn serves the site: ``gunicorn -c webapp/gunicorn.py webapp.asgi:application``.

HOST, PORT and WEB_WORKERS come from the environment. The workers are few: requests are short, and on a small machine
the models need the processors. Two let one page load while the other decodes an upload.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from uvicorn_worker import UvicornWorker

# What the processes count lies in shared files; prometheus_client reads the variable when it is imported.
_COUNTS = tempfile.mkdtemp(prefix="reweave-counts-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _COUNTS


class Worker(UvicornWorker):
    """Uvicorn's worker with limits that fit small JSON messages and an end within seconds."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "http": "auto",
        "lifespan": "off",
        "ws_max_size": 64 * 1024,
        # Open sockets are closed with “going away”; requests under way get this long.
        "timeout_graceful_shutdown": int(os.environ.get("WEB_SHUTDOWN_SECONDS") or 2),
    }


bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
worker_class = Worker
workers = int(os.environ.get("WEB_WORKERS") or 2)
preload_app = True
timeout = 60
graceful_timeout = Worker.CONFIG_KWARGS["timeout_graceful_shutdown"] + 1
keepalive = 75
errorlog = "-"
accesslog = None
control_socket_disable = True
loglevel = os.environ.get("WEB_LOG_LEVEL") or "warning"
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  heartbeat files, not data


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a process that has ended; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """The server has ended, and what it counted with it."""
    shutil.rmtree(_COUNTS, ignore_errors=True)
