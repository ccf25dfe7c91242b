"""Live previews: small PNGs in Redis with a lifetime, fetched by address and never sent in a message."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from uuid import UUID

import redis
from django.conf import settings

from webapp.jobs.redis_client import client

logger = logging.getLogger(__name__)

_ATTEMPT_SHIFT = 20
_COUNT_KEY = "reweave:previews"


@dataclass(frozen=True, slots=True)
class PreviewNote:
    """Which preview of a job is the newest."""

    number: int
    box: list[int]
    """The photo pixels that it covers: left, top, right, bottom."""


def preview_number(attempt: int, seq: int) -> int:
    """A number that no other preview of the job has, in whatever attempt; browsers may keep what they fetched."""
    return (attempt << _ATTEMPT_SHIFT) | seq


def publish_preview(job_id: UUID, number: int, png: bytes, box: list[int]) -> bool:
    """Store a preview and note it as the newest; False when Redis does not take it (the fill goes on without)."""
    lifetime = settings.JOBS.preview_lifetime
    try:
        with client().pipeline(transaction=False) as pipe:
            pipe.setex(_picture_key(job_id, number), lifetime, png)
            pipe.setex(_note_key(job_id), lifetime, json.dumps({"number": number, "box": box}))
            pipe.incr(_COUNT_KEY)
            pipe.execute()
    except redis.RedisError as error:
        logger.warning("A live preview could not be stored. (%s)", error)
        return False
    return True


def read_preview(job_id: UUID, n: int) -> bytes | None:
    """The PNG, or None when its lifetime is over, it never was, or Redis is away."""
    try:
        found = client().get(_picture_key(job_id, n))
    except redis.RedisError:
        return None
    return found if isinstance(found, bytes) else None


def previews_made() -> int | None:
    """How many previews were published since Redis was started; None when it cannot be asked."""
    try:
        found = client().get(_COUNT_KEY)
    except redis.RedisError:
        return None
    return int(found) if isinstance(found, bytes) else 0


def newest_preview(job_id: UUID) -> PreviewNote | None:
    """The newest preview that is still there."""
    try:
        found = client().get(_note_key(job_id))
    except redis.RedisError:
        return None
    if not isinstance(found, bytes):
        return None
    note = json.loads(found)
    return PreviewNote(note["number"], note["box"])


def _picture_key(job_id: UUID, number: int) -> str:
    return f"reweave:preview:{job_id}:{number}"


def _note_key(job_id: UUID) -> str:
    return f"reweave:preview:{job_id}"
