"""Puts right what died or got lost between the database, Redis and the workers."""

from __future__ import annotations

import logging
from datetime import timedelta

import redis
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from webapp.evaluations import dispatch, states
from webapp.evaluations.models import Unit

logger = logging.getLogger(__name__)

_MOST_TOKENS = 16


def sweep() -> tuple[int, int]:
    """Take back or give up units without a heartbeat, then send missing tokens; how many of each."""
    silent_since = Now() - timedelta(seconds=settings.JOBS.stale_after)
    moved = 0
    for unit in Unit.objects.filter(state=Unit.State.RUNNING, heartbeat_at__lt=silent_since).annotate(
        may_begin=F("handed_back") + settings.JOBS.max_attempts
    ):
        try:
            if unit.attempt >= unit.may_begin:
                states.fail(unit, "The worker stopped several times while working on this, so Reweave gave up.")
            else:
                states.take_back(unit)
            moved += 1
        except states.Lost:
            logger.info("Unit %s was moved while the sweep looked at it.", unit.pk)
    return moved, _send_missing_tokens()


def _send_missing_tokens() -> int:
    waiting = min(states.claimable().count(), _MOST_TOKENS)
    try:
        missing = waiting - dispatch.tokens_waiting() if waiting else 0
    except redis.RedisError as error:
        logger.warning("Redis cannot be asked how many tokens wait. (%s)", error)
        return 0
    sent = 0
    while sent < missing and dispatch.send_token():
        sent += 1
    return sent
