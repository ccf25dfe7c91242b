"""What only a real PostgreSQL can show; `test_on_postgresql.py` runs this in a pytest of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests.workers import processes
from tests.workers.conftest import RedisServer, painted, started_web_server, started_worker, stored
from tests.workers.outages import OUTAGE, survive_an_outage
from tests.workers.outcomes import all_succeed_once
from tests.workers.postgres_server import FOLDER, PostgresServer
from tests.workers.processes import Process, children, wait_until
from webapp.accounts.models import User
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job
from webapp.operations.models import Attempt

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

MINUTE = timedelta(minutes=1)
TRIPPED = "tests.workers.tripwires"


def submit(owner: User, *, seed: int = 0, model: str = "telea", **shape: int) -> Job:
    return submit_job(owner, *painted(owner, seed=seed, **shape), model=model, params={}, queue="batch")[0]


def test_this_is_postgresql(db: None) -> None:
    assert connection.vendor == "postgresql"


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    connection.close()
    server.stop()
    try:
        yield
    finally:
        server.start()


def test_a_database_that_is_gone_for_seconds_costs_nothing(
    sweeper: None, redis_server: RedisServer, user: User
) -> None:
    worker = started_worker("batch", app=TRIPPED)
    try:
        before = children(worker.pid)
        survive_an_outage(user, stopped(PostgresServer(Path(os.environ[FOLDER]))))
        assert children(worker.pid) == before, "a process ended because the database was away"
    finally:
        worker.kill()
        print(worker.text())


def answer_of(port: int, path: str) -> tuple[int, bytes]:
    browser = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        # Somebody's session, which has to be looked up.
        browser.request("GET", path, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={'x' * 32}"})
        answer = browser.getresponse()
        return answer.status, answer.read()
    finally:
        browser.close()


def test_the_site_says_that_its_database_is_gone_and_comes_back(redis_server: RedisServer, user: User) -> None:
    port, web = started_web_server()
    server = PostgresServer(Path(os.environ[FOLDER]))
    try:
        assert answer_of(port, "/pictures/")[0] in (200, 302)
        with stopped(server):
            assert answer_of(port, "/healthz")[0] == 200
            status, body = answer_of(port, "/readyz")
            parts = json.loads(body)["parts"]
            assert (status, parts["database"]["ok"], parts["redis"]["ok"]) == (503, False, True)
            status, body = answer_of(port, "/api/jobs/00000000-0000-0000-0000-000000000000")
            assert (status, json.loads(body)["code"]) == (503, "unavailable")
            status, body = answer_of(port, "/pictures/")
            assert status == 503
            assert b"Traceback" not in body
        assert answer_of(port, "/api/jobs/00000000-0000-0000-0000-000000000000")[0] == 404
        assert answer_of(port, "/pictures/")[0] in (200, 302)
    finally:
        web.kill()
        print(web.text())


def skewed(seconds: int) -> dict[str, str]:
    """The environment in which a process believes that it is so much later."""
    spec = importlib.util.find_spec("libfaketime")  # found, not imported
    assert spec is not None
    assert spec.origin is not None
    library = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+d}s", "DONT_FAKE_MONOTONIC": "1"}


def clock_of(worker: Process) -> datetime:
    """When the worker's own log says that it was ready."""
    line = next(line for line in worker.text().splitlines() if line.endswith(" ready."))
    return datetime.fromisoformat(line[:19])


def test_clocks_a_minute_apart_change_nothing(redis_server: RedisServer, shared_database: None, user: User) -> None:
    """One worker is a minute ahead of the database, one a minute behind, and the sweeper is ahead of its beat."""
    running = [
        processes.maintenance_worker(**skewed(60)),
        processes.beat(),
        started_worker("batch", **skewed(60)),
        started_worker("batch", **skewed(-60)),
    ]
    try:
        assert abs(clock_of(running[2]) - clock_of(running[3])) > MINUTE
        quick = [submit(user, seed=seed) for seed in range(8)]
        long = submit(user, model="patchmatch", side=1000, hole=420, seed=9)
        wait_until(lambda: stored(long).fraction > 0, what="the long job makes progress")
        for job in all_succeed_once(quick):
            assert job.started_at is not None
            assert job.finished_at is not None
            assert abs(job.created_at - job.finished_at) < MINUTE
            assert all(0 <= seconds < 30 for seconds in job.timings.values()), job.timings
            moments = [move.at for move in job.transitions.order_by("pk")]
            assert moments == sorted(moments)
        workers = set(Attempt.objects.values_list("worker", flat=True)) | {stored(long).worker}
        assert len(workers) == 2, "one of the clocks was never looked at"

        os.kill(int(stored(long).worker.rpartition(":")[2]), signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: stored(long).attempt == 2, what="the sweep takes the job back", seconds=30)
        assert time.monotonic() - killed < 20
        all_succeed_once([long], attempts=2)
    finally:
        for process in running:
            process.kill()


def test_an_outage_is_longer_than_the_patience_with_heartbeats() -> None:
    assert float(processes.QUICK["JOB_STALE_SECONDS"]) * 2 <= OUTAGE


def test_two_workers_race_for_five_hundred_jobs_and_each_runs_once(
    sweeper: None, redis_server: RedisServer, db: None
) -> None:
    people = [User.objects.create_user(f"person-{number}") for number in range(10)]
    jobs = []
    for person in people:
        version, mask = painted(person, side=32, hole=8)
        for seed in range(50):
            jobs.append(submit_job(person, version, mask, model="telea", params={}, seed=seed, queue="batch")[0])
    workers = [started_worker("batch"), started_worker("batch")]
    try:
        ids = [job.pk for job in jobs]
        unfinished = Job.objects.filter(pk__in=ids).active()
        wait_until(lambda: not unfinished.exists(), seconds=200, every=0.5, what="all jobs have ended")
        all_succeed_once(jobs)
        ran = Attempt.objects.filter(job__in=ids).values_list("worker", flat=True)
        assert len(ran) == 500
        shares = {worker: list(ran).count(worker) for worker in set(ran)}
        assert len(shares) == 2
    finally:
        for worker in workers:
            worker.kill()
