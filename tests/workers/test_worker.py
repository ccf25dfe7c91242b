"""Real jobs through the real Redis and real worker processes."""

from __future__ import annotations

import os
import signal
import time

import pytest

from inpainting.imaging import decode, decode_mask
from tests.workers.conftest import RedisServer, painted, started_worker, stored, wait_for_status
from tests.workers.processes import Process, children, is_running, wait_until
from webapp.accounts.models import User
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.services import cancel_job, submit_job, submit_selection
from webapp.photos import services as photos

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

# PatchMatch would need a minute for this one; it is always stopped.
LONG = {"side": 2400, "hole": 1500}
SOME_SECONDS = {"side": 1000, "hole": 420}


def submit(owner: User, *, model: str = "telea", queue: str = "interactive", **shape: int) -> Job:
    version, mask = painted(owner, **shape)
    job, created = submit_job(owner, version, mask, model=model, params={}, queue=queue)
    assert created
    return job


def history(job: Job) -> list[tuple[str, int]]:
    return [(each.to_status, each.attempt) for each in job.transitions.all()]


def test_a_job_is_filled_and_stored(interactive_worker: Process, user: User) -> None:
    job = wait_for_status(submit(user, side=256, hole=64), "succeeded", "failed")

    assert (job.status, job.error) == ("succeeded", "")
    assert history(job) == [("queued", 0), ("running", 1), ("succeeded", 1)]
    result = job.result
    assert result is not None
    assert (result.parent, result.mask, result.model) == (job.source, job.mask, "telea")
    assert result.proof["changed_pixels"] == 0
    before = decode(photos.read_version(job.source)).pixels
    after = decode(photos.read_version(result)).pixels
    hole = decode_mask(photos.read_mask(job.mask), width=256, height=256)
    assert (before[~hole] == after[~hole]).all()
    assert (before[hole] != after[hole]).any()
    assert [rendition.spec for rendition in result.renditions.all()] == ["display"]
    assert set(job.timings) >= {"queue_wait", "dispatch", "decode", "compute", "encode", "store"}
    assert all(seconds >= 0 for seconds in job.timings.values())


def test_a_running_job_is_cancelled_within_a_second(interactive_worker: Process, user: User) -> None:
    job = submit(user, model="patchmatch", **LONG)
    wait_until(lambda: stored(job).fraction > 0, what="the job makes progress", seconds=60)
    cancel_job(job, actor=str(user.pk))
    cancelled = time.monotonic()
    following = submit(user, side=96)
    began = wait_for_status(following, "running", "succeeded").started_at

    # The worker takes the next job only after the cancelled one has stopped.
    assert time.monotonic() - cancelled < 2.5
    assert began is not None
    assert (began - stored(job).finished_at).total_seconds() < 1.5
    wait_for_status(following, "succeeded")
    assert stored(job).status == "cancelled"
    assert stored(job).result is None
    assert job.picture.versions.count() == 1


def test_progress_reaches_the_row(interactive_worker: Process, user: User) -> None:
    job = submit(user, model="patchmatch", **LONG)
    running = wait_until(lambda: stored(job) if stored(job).fraction > 0 else None, seconds=60, what="progress")
    cancel_job(job, actor="test")

    assert running.stage
    assert 0 < running.fraction < 1
    wait_until(lambda: WorkerSeen.objects.filter(name=running.worker).exists(), what="the worker shows itself")


def test_a_selection_runs_like_any_job(interactive_worker: Process, user: User) -> None:
    version, hint = painted(user, side=512, hole=60)
    job, _ = submit_selection(user, version, hint, kind="object")
    done = wait_for_status(job, "succeeded", "failed")
    assert (done.status, done.error, done.result) == ("succeeded", "", None)
    assert history(done) == [("queued", 0), ("running", 1), ("succeeded", 1)]
    assert done.selection is not None
    assert done.selection.picture == version.picture
    assert done.fraction == 1.0
    wait_until(
        lambda: any("object" in seen.abilities for seen in WorkerSeen.objects.filter(queues="interactive")),
        what="the worker has said what it can select",
    )


def test_what_cannot_be_filled_fails_with_a_sentence(interactive_worker: Process, user: User) -> None:
    version, mask = painted(user)
    with version.file.storage.open(version.file.name, "r+b") as file:
        file.truncate(100)  # a file that was damaged on the disk
    job, _ = submit_job(user, version, mask, model="telea", params={})
    failed = wait_for_status(job, "failed")

    assert failed.error.endswith(".")
    assert failed.error_code == "cannot_fill"
    assert failed.result is None
    assert failed.picture.versions.count() == 1


def test_the_unexpected_fails_calmly_and_is_kept_for_staff(interactive_worker: Process, user: User) -> None:
    version, mask = painted(user)
    version.file.storage.delete(version.file.name)
    job, _ = submit_job(user, version, mask, model="telea", params={})
    failed = wait_for_status(job, "failed")

    assert "FileNotFoundError" not in failed.error
    assert "FileNotFoundError" in failed.traceback
    assert history(failed) == [("queued", 0), ("running", 1), ("failed", 1)]


def test_a_deleted_picture_stops_its_job(interactive_worker: Process, user: User) -> None:
    job = submit(user, model="patchmatch", **LONG)
    wait_for_status(job, "running")
    photos.delete_picture(job.picture)
    wait_for_status(submit(user, side=96), "succeeded", seconds=10)


def test_killing_a_pool_process_gives_the_job_another_attempt(
    sweeper: None, redis_server: RedisServer, user: User
) -> None:
    worker = started_worker("batch")
    try:
        job = submit(user, model="patchmatch", queue="batch", **SOME_SECONDS)
        wait_until(lambda: stored(job).fraction > 0, what="the job makes progress")
        (pool_process,) = children(worker.pid)
        os.kill(pool_process, signal.SIGKILL)
        done = wait_for_status(job, "succeeded", "failed")
        assert history(done) == [("queued", 0), ("running", 1), ("queued", 1), ("running", 2), ("succeeded", 2)]
        assert done.picture.versions.count() == 2
    finally:
        worker.kill()


def test_killing_a_whole_worker_loses_nothing_and_leaves_nothing(
    sweeper: None, redis_server: RedisServer, user: User
) -> None:
    first = started_worker("batch")
    job = submit(user, model="patchmatch", queue="batch", **SOME_SECONDS)
    wait_until(lambda: stored(job).fraction > 0, what="the job makes progress")
    (pool_process,) = children(first.pid)
    model_processes = children(pool_process)  # the fill, and for a while the rough one beside it
    assert model_processes
    os.kill(first.pid, signal.SIGKILL)  # the parent only: its children have to notice by themselves
    wait_until(lambda: not is_running(pool_process), seconds=3, what="the orphaned pool process ends")
    wait_until(lambda: not any(map(is_running, model_processes)), seconds=3, what="the orphaned model processes end")
    first.kill()

    second = started_worker("batch")
    try:
        done = wait_for_status(job, "succeeded", "failed")
        assert (done.status, done.attempt) == ("succeeded", 2)
        assert done.transitions.get(to_status="queued", attempt=1).actor == "sweep"
    finally:
        second.kill()


def test_a_job_that_kills_its_workers_fails_in_the_end(sweeper: None, redis_server: RedisServer, user: User) -> None:
    worker = started_worker("batch")
    try:
        job = submit(user, model="patchmatch", queue="batch", **LONG)
        for attempt in (1, 2, 3):
            wait_until(
                lambda attempt=attempt: (stored(job).status, stored(job).attempt) == ("running", attempt),
                what=f"attempt {attempt} runs",
            )
            pool_process = int(stored(job).worker.rpartition(":")[2])
            os.kill(pool_process, signal.SIGKILL)
        failed = wait_for_status(job, "failed")
        assert failed.error_code == "worker_lost"
        assert "3 times" in failed.error
    finally:
        worker.kill()


def test_a_stopped_worker_hands_its_job_back(sweeper: None, redis_server: RedisServer, user: User) -> None:
    first = started_worker("batch", JOB_SHUTDOWN_GRACE_SECONDS="1")
    job = submit(user, model="patchmatch", queue="batch", **SOME_SECONDS)
    wait_until(lambda: stored(job).fraction > 0, what="the job makes progress")
    began = time.monotonic()
    first.stop(seconds=8)

    assert time.monotonic() - began < 6
    handed_back = stored(job)
    assert (handed_back.status, handed_back.attempt, handed_back.handed_back) == ("queued", 1, 1)
    back = handed_back.transitions.get(to_status="queued", attempt=1)
    assert back.actor != "sweep"

    second = started_worker("batch")
    try:
        assert wait_for_status(job, "succeeded", "failed").attempt == 2
    finally:
        second.kill()


def test_a_short_job_ends_before_its_stopped_worker(sweeper: None, redis_server: RedisServer, user: User) -> None:
    worker = started_worker("batch", JOB_SHUTDOWN_GRACE_SECONDS="60")
    job = submit(user, model="patchmatch", queue="batch", **SOME_SECONDS)
    wait_until(lambda: stored(job).fraction > 0, what="the job makes progress")
    worker.stop(seconds=60)

    assert history(job)[-1] == ("succeeded", 1)
    assert stored(job).status == "succeeded"


def test_a_job_over_its_time_fails_with_a_sentence(sweeper: None, redis_server: RedisServer, user: User) -> None:
    worker = started_worker("batch", JOB_BATCH_TIME_LIMIT_SECONDS="2")
    try:
        job = submit(user, model="patchmatch", queue="batch", **LONG)
        failed = wait_for_status(job, "failed", seconds=15)
        assert failed.error_code == "too_long"
        assert failed.error.endswith(".")
    finally:
        worker.kill()


def test_jobs_survive_a_redis_that_starts_anew_and_empty(
    sweeper: None, interactive_worker: Process, redis_server: RedisServer, user: User
) -> None:
    running = submit(user, model="patchmatch", **SOME_SECONDS)
    wait_until(lambda: stored(running).fraction > 0, what="the first job makes progress")
    waiting = [submit(user, side=96, seed=seed) for seed in (1, 2, 3)]
    redis_server.restart_empty()

    for job in (running, *waiting):
        done = wait_for_status(job, "succeeded", "failed")
        assert (done.status, done.attempt) == ("succeeded", 1)


def test_a_worker_whose_job_ends_while_redis_is_away_hears_again(
    sweeper: None, interactive_worker: Process, redis_server: RedisServer, user: User
) -> None:
    job = submit(user, model="patchmatch", side=640, hole=256)
    wait_for_status(job, "running")
    redis_server.process.kill()
    assert wait_for_status(job, "succeeded", "failed").status == "succeeded"
    time.sleep(0.5)  # the worker acknowledges its token, in vain
    redis_server.restart_empty()
    assert wait_for_status(submit(user, side=96), "succeeded", seconds=20).attempt == 1


def test_submitting_without_redis_keeps_the_job(
    sweeper: None, interactive_worker: Process, redis_server: RedisServer, user: User
) -> None:
    redis_server.process.kill()
    began = time.monotonic()
    job = submit(user, side=96)
    took = time.monotonic() - began
    assert stored(job).status == "queued"
    redis_server.restart_empty()

    assert took < 2
    assert wait_for_status(job, "succeeded").attempt == 1
