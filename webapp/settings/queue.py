"""Settings of Redis, Celery, Channels and the job machinery."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.settings.env import env_int, env_str

_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 108 bytes, its terminator included


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Times of the job machinery, in seconds, and its limits."""

    heartbeat: float
    stale_after: float
    sweep_every: float
    max_attempts: int
    progress_per_second: float
    preview_lifetime: int


@dataclass(frozen=True, slots=True)
class QueueSettings:
    redis_url: str
    channel_layers: dict[str, Any]
    celery: dict[str, Any]
    jobs: JobSettings


def embedded_socket(var_dir: Path) -> Path:
    """Where our own Redis listens: under var/, or in the temporary folder when that path is too long for a socket."""
    path = var_dir / "run" / "redis.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    key = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"reweave-{os.getuid()}-{key}" / "redis.sock"


def queue_settings(var_dir: Path) -> QueueSettings:
    """Read the environment; without `REDIS_URL` everything points at the embedded server's socket."""
    given = env_str("REDIS_URL", "")
    socket = embedded_socket(var_dir)
    redis_url = given or f"unix://{socket}"
    broker = given or f"redis+socket://{socket}"
    return QueueSettings(
        redis_url=redis_url,
        channel_layers={
            "default": {
                "BACKEND": "channels_redis.core.RedisChannelLayer",
                "CONFIG": {"hosts": [redis_url], "prefix": "reweave", "capacity": 500, "expiry": 30},
            }
        },
        celery={
            "broker_url": broker,
            "worker_prefetch_multiplier": 1,
            "task_acks_late": True,
            "task_ignore_result": True,
            "task_serializer": "json",
            "accept_content": ["json"],
            "worker_concurrency": env_int("WORKER_CONCURRENCY", 1, minimum=1, maximum=64),
            "worker_hijack_root_logger": False,
            "broker_connection_retry_on_startup": True,
        },
        jobs=JobSettings(
            heartbeat=env_int("JOB_HEARTBEAT_SECONDS", 2, minimum=1, maximum=60),
            stale_after=env_int("JOB_STALE_SECONDS", 15, minimum=3, maximum=3600),
            sweep_every=env_int("JOB_SWEEP_SECONDS", 5, minimum=1, maximum=600),
            max_attempts=env_int("JOB_MAX_ATTEMPTS", 3, minimum=1, maximum=20),
            progress_per_second=4.0,
            preview_lifetime=env_int("PREVIEW_SECONDS", 120, minimum=5, maximum=86400),
        ),
    )
