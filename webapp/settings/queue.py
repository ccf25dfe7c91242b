"""Settings of Redis, Celery, Channels and the job machinery."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery.schedules import crontab

from webapp.settings.env import env_bool, env_int, env_str

QUEUE_PREFIX = "reweave:"
"""Stands before every key that Celery's broker makes, so that a Redis may be shared with other programs."""
_SWEEP_EXPIRES = 600  # seconds
_HOUR = 3600.0
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 108 bytes, its terminator included


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Times of the job machinery, in seconds, and its limits."""

    heartbeat: float
    """How often a worker process says that it is alive."""
    stale_after: float
    """A running job whose heartbeat is older is taken back."""
    sweep_every: float
    max_attempts: int
    progress_per_second: float
    preview_lifetime: int
    checkpoint_every: float
    """How often a job that takes long puts by what it has reached."""
    checkpoint_lifetime: int
    """How long the state of an interrupted job waits for the next attempt."""
    poll: float
    """How often a worker looks whether its job was cancelled or taken back."""
    stop_grace: float
    """How long a model may go on after it should stop before its whole process is ended."""
    shutdown_grace: float
    """How long a running job may go on after the worker is told to stop, before it is handed back."""
    max_active_per_user: int
    max_running_per_user: int
    """How many jobs of one person run at the same time; 0 for as many as there are workers."""
    max_active_per_team: int
    """Unfinished jobs on the pictures of one team; 0 for no limit beyond those of its members."""
    max_running_per_team: int
    """How many jobs on the pictures of one team run at the same time; 0 for no limit."""
    compute_per_day: int
    """Seconds that one person's jobs may run within 24 hours; 0 for no limit."""
    database_patience: float
    """How long a worker holds on to a result that the database does not take at the moment."""
    compute_per_team_and_day: int
    """Seconds that jobs on the pictures of one team may run within 24 hours; 0 for no limit."""
    review: bool
    """Whether jobs wait until staff approve them."""
    time_limits: dict[str, int]
    """Longest run of one attempt, by queue."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What `webapp.settings` takes over."""

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
    jobs = _job_settings()
    return QueueSettings(
        redis_url=redis_url,
        channel_layers={
            "default": {
                "BACKEND": "channels_redis.core.RedisChannelLayer",
                "CONFIG": {"hosts": [redis_url], "prefix": "reweave", "capacity": 500, "expiry": 30},
            }
        },
        celery=_celery_settings(given or f"redis+socket://{socket}", jobs),
        jobs=jobs,
    )


def _job_settings() -> JobSettings:
    return JobSettings(
        heartbeat=env_int("JOB_HEARTBEAT_SECONDS", 2, minimum=1, maximum=60),
        stale_after=env_int("JOB_STALE_SECONDS", 15, minimum=3, maximum=3600),
        sweep_every=env_int("JOB_SWEEP_SECONDS", 5, minimum=1, maximum=600),
        max_attempts=env_int("JOB_MAX_ATTEMPTS", 3, minimum=1, maximum=20),
        progress_per_second=4.0,
        preview_lifetime=env_int("PREVIEW_SECONDS", 120, minimum=1, maximum=86400),
        checkpoint_every=env_int("JOB_CHECKPOINT_SECONDS", 5, minimum=1, maximum=3600),
        checkpoint_lifetime=env_int("CHECKPOINT_LIFETIME_SECONDS", 3600, minimum=1, maximum=86400),
        poll=0.25,
        stop_grace=1.0,
        shutdown_grace=env_int("JOB_SHUTDOWN_GRACE_SECONDS", 2, minimum=0, maximum=3600),
        max_active_per_user=env_int("JOB_MAX_ACTIVE_PER_USER", 50, minimum=1, maximum=1_000_000),
        max_running_per_user=env_int("JOB_MAX_RUNNING_PER_USER", 0, minimum=0, maximum=10_000),
        max_active_per_team=env_int("JOB_MAX_ACTIVE_PER_TEAM", 0, minimum=0, maximum=1_000_000),
        max_running_per_team=env_int("JOB_MAX_RUNNING_PER_TEAM", 0, minimum=0, maximum=10_000),
        compute_per_team_and_day=env_int("JOB_COMPUTE_SECONDS_PER_TEAM", 0, minimum=0, maximum=100_000_000),
        compute_per_day=env_int("JOB_COMPUTE_SECONDS_PER_DAY", 4 * 3600, minimum=0, maximum=10_000_000),
        database_patience=env_int("JOB_DATABASE_PATIENCE_SECONDS", 60, minimum=0, maximum=3600),
        review=env_bool("REVIEW_JOBS", False),
        time_limits={
            "interactive": env_int("JOB_TIME_LIMIT_SECONDS", 3600, minimum=1, maximum=604_800),
            "batch": env_int("JOB_BATCH_TIME_LIMIT_SECONDS", 6 * 3600, minimum=1, maximum=604_800),
        },
    )


def _celery_settings(broker: str, jobs: JobSettings) -> dict[str, Any]:
    return {
        "broker_url": broker,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            "global_keyprefix": QUEUE_PREFIX,
            # A worker that serves several queues empties the first one it names before it looks at the next.
            "queue_order_strategy": "priority",
            # Celery would keep unacknowledged tokens in Redis and remove them one by one. A removal that fails
            # because Redis is away at that moment leaves a worker deaf for ever: it counts the token as still its own
            # and never asks for another. Tokens may be lost (the sweep sends new ones), so none are kept.
            "ack_emulation": False,
            "socket_connect_timeout": 2,
        },
        # A token that a busy worker holds in reserve is one that an idle worker cannot have. With late
        # acknowledgement the running token counts against the prefetch of one, so that none is held.
        "worker_prefetch_multiplier": 1,
        "task_acks_late": True,
        # When a process dies, its token dies too: the sweep sends a new one, as often as the job has attempts.
        # Giving the token back to the broker instead would loop for ever on a job that kills its worker.
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_concurrency": env_int("WORKER_CONCURRENCY", _graphics_cards() or 1, minimum=1, maximum=64),
        # Loading PyTorch and the models on a busy machine may take longer than Celery's four seconds.
        "worker_proc_alive_timeout": 180,
        "worker_enable_prefetch_count_reduction": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        # Nothing on disk: the only entry is an interval, and forgetting it costs one sweep.
        "beat_scheduler": "celery.beat:Scheduler",
        "beat_max_loop_interval": 5,
        "beat_schedule": {
            "sweep": {
                "task": "jobs.sweep",
                "schedule": jobs.sweep_every,
                # Sweeps that nobody ran are not to pile up for ever. The time is compared with the worker's clock,
                # so it leaves room for clocks that do not agree.
                "options": {"queue": "maintenance", "expires": max(_SWEEP_EXPIRES, 2 * jobs.sweep_every)},
            },
            "sweep-evaluations": {
                "task": "evaluations.sweep",
                "schedule": jobs.sweep_every,
                "options": {"queue": "maintenance", "expires": max(_SWEEP_EXPIRES, 2 * jobs.sweep_every)},
            },
            "trash": {
                "task": "galleries.empty_trash",
                "schedule": _HOUR,
                "options": {"queue": "maintenance", "expires": _HOUR},
            },
            "mails": {
                "task": "notifications.mail",
                "schedule": 30.0,
                "options": {"queue": "maintenance", "expires": _SWEEP_EXPIRES},
            },
            # By the clock, not after an interval: a site that is started anew every day is tidied all the same.
            "tidy": {
                "task": "accounts.tidy",
                "schedule": crontab(minute=17, hour="*/6"),
                "options": {"queue": "maintenance", "expires": 3600.0},
            },
        },
    }


def _graphics_cards() -> int:
    """How many NVIDIA cards this machine shows, without touching CUDA."""
    visible = env_str("CUDA_VISIBLE_DEVICES", "")
    if visible:
        return 0 if visible == "-1" else len(visible.split(","))
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
