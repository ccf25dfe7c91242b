"""Real Redis, real workers, and photos to fill."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import numpy as np
import pytest
import redis
from django.db import connection
from PIL import Image
from pytest_django import DjangoDbBlocker

from tests.workers import processes
from tests.workers.processes import Process, wait_until
from webapp.accounts.models import User
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.redis_client import client
from webapp.photos import services as photos
from webapp.photos.models import Mask, Version


def redis_answers() -> bool:
    try:
        return bool(client().ping())
    except redis.RedisError:
        return False


class RedisServer:
    """The embedded Redis of this run; it can be replaced by a fresh, empty one."""

    def __init__(self) -> None:
        self.process = processes.redis_server()
        wait_until(redis_answers, what="Redis answers")

    def restart_empty(self) -> None:
        self.process.kill()
        self.process = processes.redis_server()
        wait_until(redis_answers, what="Redis answers again")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.process.kill()


@pytest.fixture(scope="session")
def shared_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database, also for other processes. What still holds it at the end would keep it from being dropped."""
    yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture(scope="module")  # a module that sweeps by itself must not meet another sweeper
def sweeper(redis_server: RedisServer, shared_database: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Beat and the maintenance worker, sweeping every second."""
    with django_db_blocker.unblock():
        running = [processes.maintenance_worker(), processes.beat()]
    yield
    for process in running:
        process.kill()


def started_worker(queue: str, *, app: str = "workers.tasks", **environment: str) -> Process:
    """A worker for `queue` that has reported for work."""
    before = set(WorkerSeen.objects.values_list("name", flat=True))
    worker = processes.fill_worker(queue, app=app, **environment)
    try:
        wait_until(
            lambda: WorkerSeen.objects.filter(queues=queue).exclude(name__in=before).exists(),
            seconds=60,
            what=f"the worker of {queue} reports",
        )
    except AssertionError as error:
        worker.kill()
        raise AssertionError(worker.text()) from error
    return worker


@pytest.fixture(scope="session")
def interactive_worker(
    redis_server: RedisServer, shared_database: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Process]:
    """One worker for the interactive queue, shared by the tests that leave it as it is."""
    with django_db_blocker.unblock():
        worker = started_worker("interactive", WORKER_WARM_UP="on")  # as people have it
    yield worker
    worker.kill()


@pytest.fixture(scope="session")
def web_port(redis_server: RedisServer, shared_database: None, django_db_blocker: DjangoDbBlocker) -> Iterator[int]:
    """The real ASGI server under gunicorn; its port."""
    with django_db_blocker.unblock():
        port, server = started_web_server()
    yield port
    server.kill()


def started_web_server(*, workers: int = 1, **environment: str) -> tuple[int, Process]:
    """The real ASGI server under gunicorn, listening; and its port."""
    port = free_port()
    server = processes.web_server(port, workers=workers, **environment)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(listens, seconds=60, what="the web server listens")
    except AssertionError:
        server.kill()
        raise
    return port, server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada")


@pytest.fixture
def other_user(db: None) -> User:
    return User.objects.create_user("grace")


def photo_png(side: int, seed: int = 0) -> bytes:
    """A photo-like picture: soft structure with noise on it."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = np.clip(smooth + rng.integers(-12, 13, smooth.shape), 0, 255).astype(np.uint8)
    return png_of(noisy)


def mask_png(side: int, hole: int) -> bytes:
    mask = np.zeros((side, side), np.uint8)
    start = (side - hole) // 2
    mask[start : start + hole, start : start + hole] = 255
    return png_of(mask)


def png_of(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def painted(owner: User, *, side: int = 96, hole: int = 24, seed: int = 0) -> tuple[Version, Mask]:
    """A picture of `owner` with a mask painted on it."""
    version = photos.add_picture(owner, "wall.png", photo_png(side, seed)).versions.get()
    return version, photos.add_mask(version, mask_png(side, hole))


def stored(job: Job) -> Job:
    job.refresh_from_db()
    return job


def wait_for_status(job: Job, *statuses: str, seconds: float = 60) -> Job:
    """The job as soon as its status is one of these."""
    return wait_until(
        lambda: stored(job) if stored(job).status in statuses else None,
        seconds=seconds,
        what=f"{job.pk} is {' or '.join(statuses)}",
    )
