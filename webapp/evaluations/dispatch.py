"""Tokens of the evaluations' queue. As with jobs, a token names nothing: who gets one claims the next unit."""

from __future__ import annotations

import logging

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from webapp.celery import app
from webapp.jobs import dispatch

TASK = "evaluations.run_next"
QUEUE = "evaluations"
"""A queue of its own, which workers look into last: photos that people wait for come first."""
_BACKSTOP_SECONDS = 60

logger = logging.getLogger(__name__)


def send_token() -> bool:
    """Send one token; False when the broker cannot be reached, which the sweep makes up for."""
    try:
        app.send_task(
            TASK,
            queue=QUEUE,
            time_limit=settings.JOBS.time_limits["batch"] + _BACKSTOP_SECONDS,
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0},
        )
    except (OperationalError, redis.RedisError, OSError) as error:
        logger.warning("No token for evaluations could be sent; the sweep will send one. (%s)", error)
        return False
    return True


def tokens_waiting() -> int:
    """How many tokens lie in the broker; raises `redis.RedisError` when it cannot be asked."""
    return dispatch.tokens_waiting(QUEUE)
