"""Which tags a gallery has, kept for a minute: every gallery page shows them, and finding them asks every picture."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from django.core.cache import cache
from redis.exceptions import RedisError

from webapp.photos.models import Picture

logger = logging.getLogger(__name__)

_KEPT_SECONDS = 60
"""How late it may be seen that a picture with a tag of its own came, went or moved. One's own tags show at once."""


def kept_tags(place: UUID, find: Callable[[], list[str]]) -> list[str]:
    """What `find` says about the gallery of a team or of a person (by id), or said within the last minute."""
    try:
        names = cache.get(_key(place))
        if names is None:
            names = find()
            cache.set(_key(place), names, timeout=_KEPT_SECONDS)
    except (RedisError, OSError) as error:
        logger.warning("The cache cannot be reached; tags are looked up: %s", error)
        return find()
    found: list[str] = names
    return found


def forget_tags(pictures: Iterable[Picture]) -> None:
    """The tags of these pictures changed; call it once that is committed."""
    try:
        cache.delete_many({_key(picture.team_id or picture.owner_id) for picture in pictures})
    except (RedisError, OSError) as error:
        logger.warning("The cache cannot be reached; changed tags show within a minute: %s", error)


def _key(place: UUID) -> str:
    return f"tags-of-gallery:{place}"
