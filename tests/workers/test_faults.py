"""Faults that real processes really suffer. After each: no job lost, none completed twice, none stuck."""

from __future__ import annotations

import resource
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.db import transaction

from inpainting.imaging import Photo, encode, encode_mask
from tests.workers.conftest import RedisServer, painted, started_worker, stored, wait_for_status
from tests.workers.outages import hold_the_write_lock, survive_an_outage
from tests.workers.outcomes import all_succeed_once, check_books
from tests.workers.processes import Process, children, is_running, wait_until
from tests.workers.tripwires import STAGES, stretch
from webapp.accounts.models import User
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job
from webapp.operations.models import Attempt
from webapp.photos import services as photos

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("sweeper")]

SOME_SECONDS = {"side": 1000, "hole": 420}


def submit(owner: User, *, stage: str = "", fate: str = "kill", model: str = "telea", **shape: int) -> Job:
    """A job for the batch queue, with a tripwire at `stage` before any worker can have it."""
    version, mask = painted(owner, **shape)
    with transaction.atomic():
        job, _ = submit_job(owner, version, mask, model=model, params={}, queue="batch")
        if stage:
            stretch(job.pk, stage, fate)
    return job


@pytest.fixture
def worker(sweeper: None, redis_server: RedisServer) -> Iterator[Process]:
    """A worker with tripwires. It must be alive at the end, whatever its pool processes went through."""
    worker = started_worker("batch", app="tests.workers.tripwires", TEST_SQLITE_SECONDS="1")
    yield worker
    alive = is_running(worker.pid)
    worker.kill()
    print(worker.text())  # shown when the test fails
    assert alive


def pool_process(worker: Process) -> int:
    (found,) = children(worker.pid)
    return found


def test_a_worker_killed_at_any_stage_loses_nothing(worker: Process, user: User) -> None:
    jobs = [submit(user, stage=stage, seed=place) for place, stage in enumerate(STAGES)]
    bystanders = [submit(user, seed=10 + place) for place in range(2)]

    all_succeed_once(jobs[:-1], attempts=2)
    # The last one's outcome was committed before its process died: it must not be done again.
    all_succeed_once([*jobs[-1:], *bystanders], attempts=1)
    time.sleep(2)  # two more sweeps, which find nothing to do
    check_books([stored(job) for job in (*jobs, *bystanders)])


def test_a_job_that_always_crashes_its_worker_fails_with_its_reason(worker: Process, user: User) -> None:
    job = submit(user, stage="computing", fate="crash")
    bystander = submit(user, seed=1)

    failed = wait_for_status(job, "failed", "succeeded")
    assert (failed.status, failed.error_code, failed.attempt) == ("failed", "worker_lost", 3)
    assert "stopped 3 times" in failed.error
    all_succeed_once([bystander, submit(user, seed=2)])
    check_books([failed])


def test_poisoned_pictures_fail_calmly_and_the_process_lives_on(worker: Process, user: User) -> None:
    poisons = {
        "nothing": b"",
        "noise": np.random.default_rng(0).bytes(4000),
        "a bomb": png_of_size(60_000, 60_000),
        "an end too early": None,
    }
    jobs = []
    for name, poison in poisons.items():
        version, mask = painted(user)
        data = photos.read_version(version)
        Path(version.file.path).write_bytes(data[: len(data) // 2] if poison is None else poison)
        jobs.append((name, submit_job(user, version, mask, model="telea", params={}, queue="batch")[0]))
    after = submit(user, seed=1)

    for name, job in jobs:
        failed = wait_for_status(job, "failed", "succeeded")
        assert (name, failed.status, failed.error_code, failed.attempt) == (name, "failed", "cannot_fill", 1)
        assert failed.error.endswith("."), failed.error
    all_succeed_once([after])
    assert Attempt.objects.order_by().values("worker").distinct().count() == 1


def png_of_size(width: int, height: int) -> bytes:
    """A few bytes that say they are a picture of that size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + checksum

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_worker_without_memory_fails_the_job_and_lives_on(worker: Process, user: User) -> None:
    side = 7000
    hole = np.zeros((side, side), np.bool_)
    hole[2400:2600, 2400:2600] = True
    plain = encode(Photo(np.full((side, side, 3), 90, np.uint8)), "PNG")
    version = photos.add_picture(user, "plain.png", plain).versions.get()
    mask = photos.add_mask(version, encode_mask(hole))
    all_succeed_once([submit(user)])  # so that everything is imported

    process = pool_process(worker)
    used = int(Path(f"/proc/{process}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(process, resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))
    job, _ = submit_job(user, version, mask, model="telea", params={}, queue="batch")
    failed = wait_for_status(job, "failed", "succeeded")

    assert (failed.status, failed.error_code, failed.attempt) == ("failed", "out_of_memory", 1)
    assert "too little memory" in failed.error
    all_succeed_once([submit(user, seed=1)])
    assert pool_process(worker) == process


def test_a_full_disk_fails_the_job_and_leaves_no_part_of_a_file(worker: Process, user: User) -> None:
    all_succeed_once([submit(user)])
    version, mask = painted(user, side=2000, hole=100)  # noise: the result takes some ten megabytes
    before = media_files()
    process = pool_process(worker)
    # Any write beyond this offset fails as on a full disk (EFBIG); the database's files are smaller.
    database = max(path.stat().st_size for path in Path(settings.VAR_DIR).glob("test.sqlite3*"))
    limit = max(database, 5_000_000) + 1_000_000
    assert version.bytes > limit
    resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    job, _ = submit_job(user, version, mask, model="telea", params={}, queue="batch")
    failed = wait_for_status(job, "failed", "succeeded")

    assert (failed.status, failed.error_code, failed.attempt) == ("failed", "disk_full", 1)
    assert "disk is full" in failed.error
    assert media_files() == before
    assert failed.picture.versions.count() == 1
    all_succeed_once([submit(user, seed=1)])
    resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    all_succeed_once([submit_job(user, version, mask, model="telea", params={}, queue="batch")[0]])
    assert pool_process(worker) == process


def media_files() -> set[str]:
    return {str(path) for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


def test_a_database_locked_for_seconds_delays_and_nothing_else(worker: Process, user: User) -> None:
    survive_an_outage(user, hold_the_write_lock())


def holder(job: Job, workers: list[Process]) -> Process:
    """The one of `workers` that `job` runs in."""
    pid = int(stored(job).worker.rpartition(":")[2])
    return next(worker for worker in workers if pid in (worker.pid, *children(worker.pid)))


def test_a_deploy_replaces_workers_under_way(sweeper: None, redis_server: RedisServer, user: User) -> None:
    """One worker after the other is told to stop while jobs keep coming: each ends its job in time or hands it back."""
    workers = [started_worker("batch", JOB_SHUTDOWN_GRACE_SECONDS="1")]
    jobs: list[Job] = []
    try:
        for generation in range(2):
            workers.append(started_worker("batch", JOB_SHUTDOWN_GRACE_SECONDS="1"))
            jobs += [submit(user, seed=10 * generation + place) for place in range(6)]
            long = submit(user, model="patchmatch", seed=generation, **SOME_SECONDS)
            jobs.append(long)
            wait_until(lambda long=long: stored(long).fraction > 0, what="the long job makes progress")  # type: ignore[misc]
            began = time.monotonic()
            busy = holder(long, workers)
            workers.remove(busy)
            busy.stop(seconds=10)
            assert time.monotonic() - began < 8
        ended = all_succeed_once(jobs, attempts=None)
        assert all(job.attempt == 1 + job.handed_back for job in ended), "a stop cost an attempt"
        assert sum(job.handed_back for job in ended) >= 1
    finally:
        for worker in workers:
            worker.kill()
