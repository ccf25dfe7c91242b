"""Draining, racing and a Redis that stays away, with real workers and a real Redis."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from django.db import transaction

from tests.workers.conftest import RedisServer, painted, redis_answers, started_worker, stored, wait_for_status
from tests.workers.processes import Process, wait_until
from tests.workers.processes import redis_server as new_redis
from webapp.accounts.models import User
from webapp.jobs.models import Job, Transition, WorkerSeen
from webapp.jobs.services import submit_job
from webapp.operations.fleet import node_of
from webapp.operations.models import Attempt, DrainedNode
from webapp.photos.models import Version

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SOME_SECONDS = {"side": 1000, "hole": 420}
REDIS_AWAY = 10.0
"""Seconds: longer than any time limit of the clients, and several heartbeats, sweeps and stale times here."""


def submit(owner: User, *, model: str = "telea", **shape: int) -> Job:
    version, mask = painted(owner, **shape)
    return submit_job(owner, version, mask, model=model, params={}, queue="batch")[0]


def name_of(worker: Process) -> str:
    """The name under which the newest worker reported; call it right after it was started."""
    return WorkerSeen.objects.filter(queues="batch").order_by("-started_at").values_list("name", flat=True)[0]


def drain(name: str) -> None:
    # The row itself: what the audit log gets through the service could not be flushed after the test.
    DrainedNode.objects.create(node=node_of(name), by="test")


def test_a_drained_worker_finishes_and_claims_nothing_until_it_is_resumed(
    sweeper: None, redis_server: RedisServer, user: User
) -> None:
    worker = started_worker("batch")
    try:
        name = name_of(worker)
        under_way = submit(user, model="patchmatch", **SOME_SECONDS)
        wait_for_status(under_way, "running")
        drain(name)
        waiting = [submit(user, side=96, seed=seed) for seed in range(3)]
        assert wait_for_status(under_way, "succeeded", "failed").status == "succeeded"
        time.sleep(5)  # several sweeps, each of which sends tokens
        assert {stored(job).status for job in waiting} == {"queued"}

        second = started_worker("batch")
        try:
            # One token may lie with the drained worker; the sweep makes up for it.
            for job in waiting:
                done = wait_for_status(job, "succeeded", "failed", seconds=20)
                assert (done.status, done.attempt) == ("succeeded", 1)
                assert done.result is not None
            workers = set(Attempt.objects.filter(job__in=[job.pk for job in waiting]).values_list("worker", flat=True))
            assert len(workers) == 1
            assert name not in workers
        finally:
            second.kill()

        last = submit(user, side=96, seed=9)
        time.sleep(2)
        assert stored(last).status == "queued"
        DrainedNode.objects.all().delete()
        assert wait_for_status(last, "succeeded", "failed", seconds=10).worker == name
    finally:
        worker.kill()


def test_a_drained_worker_that_rests_on_a_token_stops_when_told(
    sweeper: None, redis_server: RedisServer, user: User
) -> None:
    worker = started_worker("batch")
    drain(name_of(worker))
    job = submit(user, side=96)
    time.sleep(2)
    began = time.monotonic()
    worker.stop(seconds=10)
    assert time.monotonic() - began < 6
    assert stored(job).status == "queued"


def test_nothing_is_lost_while_redis_is_gone_for_seconds(sweeper: None, redis_server: RedisServer, user: User) -> None:
    worker = started_worker("batch")
    try:
        under_way = submit(user, model="patchmatch", **SOME_SECONDS)
        wait_for_status(under_way, "running")
        redis_server.process.kill()
        gone = time.monotonic()
        meanwhile = [submit(user, side=96, seed=seed) for seed in range(4)]
        assert wait_for_status(under_way, "succeeded", "failed").status == "succeeded"
        assert {stored(job).status for job in meanwhile} == {"queued"}
        time.sleep(max(0.0, REDIS_AWAY - (time.monotonic() - gone)))
        redis_server.process = new_redis()
        wait_until(redis_answers, what="Redis answers again")
        for job in (under_way, *meanwhile):
            done = wait_for_status(job, "succeeded", "failed", seconds=40)
            assert (done.status, done.attempt) == ("succeeded", 1)
    finally:
        worker.kill()


def test_two_workers_race_for_a_hundred_jobs_and_each_runs_once(
    sweeper: None, redis_server: RedisServer, db: None
) -> None:
    people = [User.objects.create_user(f"person-{number}") for number in range(5)]
    jobs = []
    # Both are ready before there is work: else the first might be done before the second has started.
    workers = [started_worker("batch"), started_worker("batch")]
    try:
        material = [(person, *painted(person, side=32, hole=8)) for person in people]
        with transaction.atomic():  # all at once
            for person, version, mask in material:
                for seed in range(20):
                    jobs.append(
                        submit_job(person, version, mask, model="telea", params={}, seed=seed, queue="batch")[0]
                    )
        ids = [job.pk for job in jobs]
        wait_until(
            lambda: not Job.objects.filter(pk__in=ids, status__in=["queued", "running"]).exists(),
            seconds=200,
            every=0.5,
            what="all jobs have ended",
        )
        assert Counter(Job.objects.filter(pk__in=ids).values_list("status", "attempt")) == {("succeeded", 1): 100}
        moves = Counter(Transition.objects.filter(job__in=ids).values_list("to_status", flat=True))
        assert moves == {"queued": 100, "running": 100, "succeeded": 100}
        results = Version.objects.filter(parent__isnull=False)
        assert results.count() == len(set(Job.objects.filter(pk__in=ids).values_list("result", flat=True))) == 100
        shares = Counter(Attempt.objects.filter(job__in=ids).values_list("worker", flat=True))
        assert sum(shares.values()) == 100
        assert len(shares) == 2
        # In turns: of the first 50 that started, everybody has ten.
        first = Job.objects.filter(pk__in=ids).order_by("started_at").values_list("owner", flat=True)[:50]
        assert max(Counter(first).values()) <= 12
    finally:
        for worker in workers:
            worker.kill()
