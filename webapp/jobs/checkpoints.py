"""What an interrupted attempt had reached: one small file a job in Redis, with a lifetime.

To lose one costs time and nothing else, so when Redis is away, full or started anew the next attempt begins from the
start. The library wrote it and decides whether it fits (`inpainting.checkpoints`); here it is only bytes.
"""

from __future__ import annotations

import logging
from uuid import UUID

import redis
from django.conf import settings

from webapp.jobs.redis_client import client

logger = logging.getLogger(__name__)

LARGEST = 32 * 2**20
"""A state of more bytes is not kept: the embedded Redis has 256 MB for everything."""


class JobCheckpoint:
    """The state of one job, from one attempt to the next. Nothing here raises."""

    def __init__(self, job_id: UUID) -> None:
        self._key = f"reweave:checkpoint:{job_id}"
        self.is_used = False
        """Whether there may be a state."""

    @property
    def seconds_between(self) -> float:
        """How often a state is to be saved."""
        return settings.JOBS.checkpoint_every

    def load(self) -> bytes | None:
        """What was saved last; None when there is nothing, its lifetime is over or Redis is away."""
        try:
            found = client().get(self._key)
        except redis.RedisError as error:
            logger.warning("It cannot be seen what an earlier attempt has reached. (%s)", error)
            return None
        self.is_used = self.is_used or isinstance(found, bytes)
        return found if isinstance(found, bytes) else None

    def save(self, data: bytes) -> None:
        """Keep `data` in place of what was saved before."""
        if len(data) > LARGEST:
            logger.warning("What a job has reached is too large to be kept (%d bytes).", len(data))
            return
        self.is_used = True
        try:
            client().setex(self._key, settings.JOBS.checkpoint_lifetime, data)
        except redis.RedisError as error:
            logger.warning("What a job has reached could not be kept. (%s)", error)

    def forget(self) -> None:
        """The job needs it no more."""
        try:
            client().delete(self._key)
        except redis.RedisError as error:
            logger.warning("What a job had reached stays until its lifetime is over. (%s)", error)
