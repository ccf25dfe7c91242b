"""Jobs that are alike and wait at the same moment are computed as one batch, by a real worker process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from inpainting import catalog
from inpainting.imaging import decode, decode_mask
from tests.workers.batching import ENTRY
from tests.workers.conftest import (
    RedisServer,
    mask_png,
    painted,
    png_of,
    started_worker,
    stored,
    wait_for_status,
)
from tests.workers.outcomes import all_succeed_once, check_books
from tests.workers.processes import Process, wait_until
from webapp.accounts.models import User
from webapp.jobs.models import Job
from webapp.jobs.services import cancel_job, submit_job
from webapp.operations.models import Attempt
from webapp.photos import services as photos

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def started(redis_server: RedisServer, shared_database: None) -> Iterator[list[Process]]:
    """The workers of this module, of which the last one may be running."""
    workers: list[Process] = []
    yield workers
    for each in workers:
        each.kill()


@pytest.fixture
def worker(started: list[Process], db: None) -> Process:
    """A worker for the batch queue that computes up to four crops at once."""
    if not started or started[-1].popen.poll() is not None:
        started.append(started_worker("batch", app="tests.workers.batching", WORKER_BATCH="4"))
    return started[-1]


@pytest.fixture(autouse=True)
def offered_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has the model from its own start."""
    monkeypatch.setitem(catalog._BY_KEY, ENTRY.key, ENTRY)


def submit(owner: User, *, seconds: float = 0.3, side: int = 96, hole: int = 24, seed: int = 0) -> Job:
    version, mask = painted(owner, side=side, hole=hole, seed=seed)
    job, created = submit_job(owner, version, mask, model=ENTRY.key, params={"seconds": seconds}, queue="batch")
    assert created
    return job


def submit_poison(owner: User, *, seconds: float = 0.3) -> Job:
    white = np.full((96, 96, 3), 255, np.uint8)
    version = photos.add_picture(owner, "white.png", png_of(white)).versions.get()
    mask = photos.add_mask(version, mask_png(96, 24))
    return submit_job(owner, version, mask, model=ENTRY.key, params={"seconds": seconds}, queue="batch")[0]


@contextmanager
def busy_worker(owner: User) -> Iterator[None]:
    """The worker computes something that nothing else is like while the block runs, so that jobs have to wait."""
    job = submit(owner, seconds=600, side=128, hole=40)
    wait_for_status(job, "running")
    yield
    cancel_job(stored(job), actor="test")


def ends(job: Job) -> list[tuple[str, str]]:
    return [(move.to_status, move.reason) for move in job.transitions.all()][2:]


def test_jobs_that_are_alike_are_computed_together_and_each_ends_once(
    worker: Process, user: User, other_user: User
) -> None:
    with busy_worker(user):
        alike = [submit(owner, seed=number) for number, owner in enumerate((user, other_user, user, other_user))]
        differ = [submit(user, seconds=0.2, seed=8), submit(other_user, side=112, seed=9)]

    for job in all_succeed_once(alike):
        assert job.together == 4
        assert ends(job) == [("succeeded", "computed together with 3 more")]
        assert job.result is not None
        assert job.result.notes["together"] == 4
        assert job.result.proof["changed_pixels"] == 0
        before, after = (decode(photos.read_version(version)).pixels for version in (job.source, job.result))
        hole = decode_mask(photos.read_mask(job.mask), width=96, height=96)
        expected = before[~hole].mean(axis=0)
        assert np.abs(after[hole].mean(axis=0) - expected).max() <= 1, "another photo's colour"
        assert job.finished_at is not None
        assert job.started_at is not None
        ran = Attempt.objects.get(job=job.pk).run_seconds
        assert ran == pytest.approx((job.finished_at - job.started_at).total_seconds() / 4, abs=1e-3)
        assert job.timings["compute"] < 0.3, "each has its share of the time"
    begun = [move.reason for job in alike for move in job.transitions.filter(to_status="running")]
    leader = next(job for job in alike if not job.transitions.get(to_status="running").reason)
    assert sorted(begun) == ["", *[f"taken along with job {leader.pk}"] * 3]
    for job in all_succeed_once(differ):
        assert job.together == 1
        assert ends(job) == [("succeeded", "")]


def test_one_of_a_batch_is_cancelled_and_the_others_go_on(worker: Process, user: User, other_user: User) -> None:
    with busy_worker(user):
        jobs = [submit(owner, seconds=3.0, seed=number) for number, owner in enumerate((user, other_user, other_user))]
    unlucky = jobs[1]
    wait_until(lambda: all(stored(job).fraction > 0 for job in jobs), what="each makes progress")
    cancel_job(stored(unlucky), actor="test")
    reached = stored(unlucky).fraction

    all_succeed_once([jobs[0], jobs[2]])
    cancelled = stored(unlucky)
    assert (cancelled.status, cancelled.result, cancelled.fraction) == ("cancelled", None, reached)
    assert [stored(job).together for job in jobs] == [3, 3, 3]
    check_books([cancelled])


def test_a_batch_that_nobody_waits_for_stops(worker: Process, user: User, other_user: User) -> None:
    with busy_worker(user):
        jobs = [submit(owner, seconds=600, seed=number) for number, owner in enumerate((user, other_user))]
    wait_until(lambda: all(stored(job).fraction > 0 for job in jobs), what="each makes progress")
    for job in jobs:
        cancel_job(stored(job), actor="test")
    all_succeed_once([submit(user)], seconds=20)
    assert [stored(job).status for job in jobs] == ["cancelled", "cancelled"]


def test_a_poisoned_picture_fails_alone(worker: Process, user: User, other_user: User) -> None:
    with busy_worker(user):
        poison = submit_poison(user)
        good = [submit(other_user, seed=1), submit(other_user, seed=2)]
        damaged = submit(user, seed=3)
        damaged.source.file.storage.delete(damaged.source.file.name)

    all_succeed_once(good)
    failed = wait_for_status(poison, "failed")
    assert (failed.error, failed.attempt) == ("This photo cannot be filled with its mean.", 1)
    assert wait_for_status(damaged, "failed").error_code == "unexpected"
    assert {stored(job).together for job in (poison, *good)} == {4}
    for job in good:
        result = stored(job).result
        assert result is not None
        assert "together" not in result.notes, "each was filled by itself in the end"
    check_books([stored(poison), stored(damaged)])


def test_a_worker_that_is_told_to_stop_hands_all_of_a_batch_back(worker: Process, user: User, other_user: User) -> None:
    with busy_worker(user):
        jobs = [submit(owner, seconds=600, seed=number) for number, owner in enumerate((user, other_user))]
    wait_until(lambda: all(stored(job).fraction > 0 for job in jobs), what="each makes progress")
    worker.stop()
    for job in map(stored, jobs):
        assert (job.status, job.attempt, job.handed_back) == ("queued", 1, 1)
        cancel_job(job, actor="test")


def test_what_was_together_when_its_worker_died_runs_alone_then(
    sweeper: None, worker: Process, user: User, other_user: User
) -> None:
    with busy_worker(user):
        jobs = [submit(owner, seconds=600, seed=number) for number, owner in enumerate((user, other_user))]
    wait_until(lambda: all(stored(job).fraction > 0 for job in jobs), what="each makes progress")
    assert [stored(job).together for job in jobs] == [2, 2]
    os.kill(int(stored(jobs[0]).worker.rpartition(":")[2]), signal.SIGKILL)
    for _ in jobs:
        again = wait_until(
            lambda: next((job for job in map(stored, jobs) if (job.status, job.attempt) == ("running", 2)), None),
            what="one of them runs again",
            seconds=60,
        )
        assert again.together == 1
        cancel_job(again, actor="test")
    assert [(stored(job).status, stored(job).attempt) for job in jobs] == [("cancelled", 2)] * 2
