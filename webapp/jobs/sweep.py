"""The sweep: puts right what died or got lost between the database, Redis and the workers."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Count, F
from django.db.models.functions import Now

from webapp.jobs import dispatch, states
from webapp.jobs.models import Job, WorkerSeen

logger = logging.getLogger(__name__)

_MOST_TOKENS = 1000
_FORGET_WORKERS_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    taken_back: int
    given_up: int
    tokens_sent: int


def sweep(*, judge: bool = True) -> Swept:
    """Take back running jobs without a heartbeat, then send the tokens that are missing. Safe to run at any time.

    Without `judge` nobody is taken for dead: for when heartbeats could not be written for a while.
    """
    taken_back, given_up = take_back_stale() if judge else (0, 0)
    sent = send_missing_tokens()
    WorkerSeen.objects.filter(seen_at__lt=Now() - _FORGET_WORKERS_AFTER).delete()
    return Swept(taken_back, given_up, sent)


def take_back_stale() -> tuple[int, int]:
    """Queue jobs again whose worker fell silent, or fail those that had their attempts; returns both counts."""
    # The database's clock writes and judges heartbeats, so the clocks of several machines need not agree.
    silent_since = Now() - timedelta(seconds=settings.JOBS.stale_after)
    stale = Job.objects.filter(status=Job.Status.RUNNING, heartbeat_at__lt=silent_since)
    spent = F("handed_back") + settings.JOBS.max_attempts
    taken_back = given_up = 0
    for job in stale.annotate(may_begin=spent):
        reason = f"no sign of life from {job.worker}"
        asked = time.monotonic()
        try:
            with transaction.atomic():
                if time.monotonic() - asked > settings.JOBS.heartbeat:
                    # Somebody held SQLite's lock. No heartbeat could be written either, so nobody is judged by them.
                    logger.warning("The database was locked; who fell silent is looked at again later.")
                    break
                if job.attempt >= job.may_begin:
                    _give_up(job)
                    given_up += 1
                else:
                    states.take_back(job, reason=reason)
                    taken_back += 1
        except states.Lost:
            logger.info("Job %s was finished or moved while the sweep looked at it.", job.pk)
            continue
        logger.warning("Job %s, attempt %d: %s.", job.pk, job.attempt, reason)
    return taken_back, given_up


def send_missing_tokens() -> int:
    """Send as many tokens as there are more waiting jobs than tokens; returns how many.

    Counted by what lies in the broker. A token that a worker has just taken is not counted, so at times one too many
    is sent: it claims nothing. After Redis was started anew and empty this brings all work back.
    """
    waiting = Job.objects.filter(status=Job.Status.QUEUED).order_by().values_list("queue").annotate(Count("pk"))
    sent = 0
    for queue, jobs in waiting:
        try:
            missing = min(jobs, _MOST_TOKENS) - dispatch.tokens_waiting(queue)
        except redis.RedisError as error:
            logger.warning("Redis cannot be asked how many tokens wait. (%s)", error)
            return sent
        for _ in range(missing):
            if not dispatch.send_token(queue):
                return sent
            sent += 1
    return sent


def _give_up(job: Job) -> None:
    times = job.attempt - job.handed_back
    states.fail(
        job,
        actor="sweep",
        code="worker_lost",
        message=(
            f"The worker stopped {times} times while working on this photo, so Reweave gave up. "
            "A smaller hole or another model may work."
        ),
    )
