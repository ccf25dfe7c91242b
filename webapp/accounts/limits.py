"""How often somebody may do something."""

from __future__ import annotations

import hashlib
import logging
import time

from django.core.cache import cache
from redis.exceptions import RedisError

from webapp.errors import Refusal

logger = logging.getLogger(__name__)


def use_allowance(action: str, who: str, *, limit: int, seconds: int, message: str) -> None:
    """Count one `action` of `who` in the current window of `seconds`; refuse with status 429 beyond `limit`.

    A `limit` of 0 means none. When the cache cannot be reached the action is allowed: these limits keep a busy
    neighbour in bounds, and a lost cache is no reason to turn everybody away.
    """
    if limit == 0:
        return
    window = int(time.time() // seconds)
    key = f"allowance:{action}:{hashlib.sha256(who.encode()).hexdigest()[:32]}:{window}"
    try:
        cache.add(key, 0, timeout=seconds)
        used = cache.incr(key)
    except ValueError:  # the entry was evicted between the two calls
        return
    except (RedisError, OSError) as error:
        logger.warning("The cache cannot be reached; “%s” is not limited: %s", action, error)
        return
    if used > limit:
        raise Refusal("too_many_requests", message, status=429)
