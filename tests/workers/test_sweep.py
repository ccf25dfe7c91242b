"""The sweep by itself, on a real Redis without workers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from tests.workers.conftest import RedisServer
from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.jobs import dispatch, states
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.sweep import send_missing_tokens, sweep
from webapp.jobs.tasks import Rhythm

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

QUEUE = "batch"


@pytest.fixture(autouse=True)
def empty_redis(redis_server: RedisServer) -> None:
    redis_server.restart_empty()


def running(user: User, *, silent_for: float, attempt: int = 1, handed_back: int = 0) -> Job:
    heartbeat = timezone.now() - timedelta(seconds=silent_for)
    return make_jobs(
        user, 1, status="running", attempt=attempt, handed_back=handed_back, worker="w:1", heartbeat_at=heartbeat
    )[0]


def test_a_job_with_a_heartbeat_is_left_alone(user: User) -> None:
    job = running(user, silent_for=10)
    assert sweep().taken_back == 0
    assert Job.objects.get(pk=job.pk).status == "running"


def test_a_silent_job_is_queued_again_with_a_token(user: User) -> None:
    job = running(user, silent_for=16)
    assert sweep().taken_back == 1
    back = Job.objects.get(pk=job.pk)
    assert (back.status, back.attempt, back.worker) == ("queued", 1, "")
    assert dispatch.tokens_waiting(QUEUE) == 1
    transition = back.transitions.get()
    assert (transition.actor, transition.reason) == ("sweep", "no sign of life from w:1")


def test_after_three_attempts_it_fails_with_a_sentence(user: User) -> None:
    job = running(user, silent_for=16, attempt=3)
    swept = sweep()
    assert (swept.taken_back, swept.given_up) == (0, 1)
    failed = Job.objects.get(pk=job.pk)
    assert (failed.status, failed.error_code) == ("failed", "worker_lost")
    assert "3 times" in failed.error


def test_attempts_that_were_handed_back_do_not_count(user: User) -> None:
    job = running(user, silent_for=16, attempt=4, handed_back=2)
    assert sweep().taken_back == 1
    assert Job.objects.get(pk=job.pk).status == "queued"


def test_missing_tokens_are_sent_once(user: User) -> None:
    make_jobs(user, 3)
    make_jobs(user, 2, status="held")
    assert send_missing_tokens() == 3
    assert dispatch.tokens_waiting(QUEUE) == 3
    assert send_missing_tokens() == 0


def test_without_redis_the_sweep_still_takes_jobs_back(user: User, redis_server: RedisServer) -> None:
    job = running(user, silent_for=16)
    redis_server.process.kill()
    swept = sweep()
    assert (swept.taken_back, swept.tokens_sent) == (1, 0)
    assert Job.objects.get(pk=job.pk).status == "queued"
    redis_server.restart_empty()
    assert sweep().tokens_sent == 1


def test_releasing_a_held_job_sends_its_token(user: User) -> None:
    (job,) = make_jobs(user, 1)
    held = states.hold(job, actor="staff")
    assert send_missing_tokens() == 0
    states.release(held, actor="staff")
    assert dispatch.tokens_waiting(QUEUE) == 1


def test_workers_that_were_not_seen_for_a_day_are_forgotten() -> None:
    now = timezone.now()
    WorkerSeen.objects.create(name="old", started_at=now, seen_at=now - timedelta(hours=25))
    WorkerSeen.objects.create(name="new", started_at=now, seen_at=now)
    sweep()
    assert set(WorkerSeen.objects.filter(name__in=("old", "new")).values_list("name", flat=True)) == {"new"}


def regularly(rhythm: Rhythm, start: float, seconds: float) -> float:
    """Sweep from `start` on as beat does, for at least `seconds`; returns when the last sweep was."""
    now = start
    while now < start + seconds:
        now += settings.JOBS.sweep_every
        rhythm.is_steady(now)
        rhythm.swept(now, now)
    return now


def test_after_a_gap_or_a_sweep_that_was_held_up_workers_get_time_to_say_that_they_are_well() -> None:
    patience, long = 2 * settings.JOBS.heartbeat, settings.JOBS.sweep_every + settings.JOBS.stale_after
    rhythm = Rhythm()
    assert not rhythm.is_steady(0), "a new process knows nothing"
    rhythm.swept(0, 0)
    now = regularly(rhythm, 0, patience)
    assert rhythm.is_steady(now)
    rhythm.swept(now, now + long)
    assert not rhythm.is_steady(now + long), "the one that waited behind the one that was held up"
    rhythm.swept(now + long, now + long)
    now = regularly(rhythm, now + long, patience)
    assert rhythm.is_steady(now)
    rhythm.swept(now, now)
    assert not rhythm.is_steady(now + long), "a gap"
