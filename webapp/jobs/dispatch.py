"""Tokens: how a worker learns that there is something to claim. The one place that sends them.

A token names no job. A worker that gets one claims the next job of the token's queue by policy (`claims.py`), so a
duplicate token finds nothing to claim and a lost one is made up for by the sweep.
"""

from __future__ import annotations

import logging
from typing import cast

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from webapp.celery import app
from webapp.jobs import redis_client
from webapp.settings.queue import QUEUE_PREFIX

TASK = "jobs.run_next"
"""The task's name; its code lives in `workers`, which this side never imports."""
_BACKSTOP_SECONDS = 60

logger = logging.getLogger(__name__)


def send_token(queue: str) -> bool:
    """Send one token to `queue`; False when the broker cannot be reached.

    A broker that is down is no error for the caller: the job's row is safe, and the sweep sends a token later.
    """
    try:
        app.send_task(
            TASK,
            kwargs={"queue": queue},
            queue=queue,
            # The worker itself stops a job at its limit; this one ends a process that no longer can.
            time_limit=settings.JOBS.time_limits[queue] + _BACKSTOP_SECONDS,
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0},
        )
    except (OperationalError, redis.RedisError, OSError) as error:
        logger.warning("No token for the %s queue could be sent; the sweep will send one. (%s)", queue, error)
        return False
    return True


def tokens_waiting(queue: str) -> int:
    """How many tokens lie in the broker for `queue`; raises `redis.RedisError` when it cannot be asked."""
    return cast(int, redis_client.client().llen(f"{QUEUE_PREFIX}{queue}"))
