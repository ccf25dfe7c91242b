"""The process's Redis connection for small values: previews and the lengths of queues."""

from __future__ import annotations

from functools import cache

import redis
from django.conf import settings


@cache
def client() -> redis.Redis:
    """A client with short time limits, safe to share between threads and across a fork."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=1)
