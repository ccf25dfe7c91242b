"""A job whose worker died goes on from what it had reached, in a real worker and after a real SIGKILL."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from inpainting.engine import Engine
from tests.workers.conftest import RedisServer, painted, started_worker, stored, wait_for_status
from tests.workers.processes import children, wait_until
from webapp.accounts.models import User
from webapp.jobs.checkpoints import JobCheckpoint
from webapp.jobs.models import Job
from webapp.jobs.redis_client import client
from webapp.jobs.services import cancel_job, submit_job
from workers import shutdown
from workers.runner import Runner
from workers.supervisor import Supervisor

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

# Some seconds of MNPS; it keeps its state every second.
PARAMS = {"iterations": 30, "rematch": 10, "content": "telea"}
SHAPE = {"side": 160, "hole": 44}


def submit(owner: User, queue: str = "batch") -> Job:
    version, mask = painted(owner, **SHAPE)
    return submit_job(owner, version, mask, model="mnps", params=PARAMS, queue=queue)[0]


def keys() -> list[bytes]:
    return list(client().scan_iter("reweave:checkpoint:*"))


def test_a_killed_job_goes_on_where_it_was(sweeper: None, redis_server: RedisServer, user: User) -> None:
    worker = started_worker("batch", JOB_CHECKPOINT_SECONDS="1")
    try:
        job = submit(user)
        wait_until(
            lambda: stored(job).fraction > 0.2 and JobCheckpoint(job.pk).load(), what="a state is kept", seconds=60
        )
        assert 0 < client().ttl(f"reweave:checkpoint:{job.pk}") <= settings.JOBS.checkpoint_lifetime
        (pool_process,) = children(worker.pid)
        os.kill(pool_process, signal.SIGKILL)
        before = stored(job).fraction
        done = wait_for_status(job, "succeeded", "failed")
        # Before the worker is killed: it forgets only after it has told that the job is done.
        wait_until(lambda: not keys(), what="what was reached is forgotten")
    finally:
        worker.kill()
    assert (done.status, done.attempt, done.error) == ("succeeded", 2, "")
    assert done.result is not None
    assert done.result.proof["changed_pixels"] == 0
    assert 0.05 < done.result.notes["resumed_at"] <= before + 0.3


@pytest.fixture
def supervisor(redis_server: RedisServer, db: None) -> Iterator[Supervisor]:
    """Watches over jobs that run in this very process."""
    watching = Supervisor("here:1", device="cpu", queues="batch")
    watching.start()
    yield watching
    watching.end()


@pytest.fixture
def at_first_save(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What is to be done when a state is saved for the first time, which is as soon as there is one."""
    todo: list[Callable[[], object]] = []
    keep = JobCheckpoint.save

    def save(self: JobCheckpoint, data: bytes) -> None:
        keep(self, data)
        assert len(keys()) == 1
        while todo:
            todo.pop()()

    monkeypatch.setattr(JobCheckpoint, "save", save)
    monkeypatch.setattr(JobCheckpoint, "seconds_between", 0.0)
    return todo


def test_a_job_that_is_handed_back_goes_on(
    supervisor: Supervisor, user: User, at_first_save: list[Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, job = Runner(Engine("cpu"), supervisor), submit(user)
    at_first_save.append(lambda: monkeypatch.setattr(shutdown, "deadline", lambda: 0.0))
    runner.run_next("batch")
    assert (stored(job).status, stored(job).handed_back) == ("queued", 1)
    assert len(keys()) == 1
    monkeypatch.setattr(shutdown, "deadline", lambda: None)
    runner.run_next("batch")
    done = stored(job)
    assert (done.status, done.attempt) == ("succeeded", 2)
    assert done.result is not None
    assert done.result.notes["resumed_at"] > 0
    wait_until(lambda: not keys(), what="what was reached is forgotten")


def test_a_cancelled_job_leaves_nothing(
    supervisor: Supervisor, user: User, at_first_save: list[Callable[[], object]]
) -> None:
    job = submit(user)
    at_first_save.append(lambda: cancel_job(job, actor="test"))
    Runner(Engine("cpu"), supervisor).run_next("batch")
    assert stored(job).status == "cancelled"
    assert at_first_save == []
    wait_until(lambda: not keys(), what="what was reached is forgotten")
