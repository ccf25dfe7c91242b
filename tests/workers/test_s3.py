"""Pictures in a bucket: a real server that speaks S3, the real website's services, and a real worker process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from threading import Timer
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import BotoCoreError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from pytest_django.fixtures import Settings

from inpainting.engine import Engine
from inpainting.imaging import decode
from tests.webapp.material import body_of
from tests.workers.conftest import RedisServer, free_port, mask_png, photo_png, started_worker, wait_for_status
from tests.workers.processes import Process, wait_until
from webapp.accounts.models import User
from webapp.galleries.services import erase
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job
from webapp.photos import services
from webapp.photos.models import Picture
from webapp.settings.storage import storage_settings
from workers.runner import Runner
from workers.supervisor import Supervisor

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

BUCKET, PREFIX = "pictures", "studio/one"


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The settings of a bucket on a server of its own."""
    port = free_port()
    server = Process("s3", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    environment = {
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "S3_REGION": "us-east-1",
        "S3_ACCESS_KEY_ID": "somebody",
        "S3_SECRET_ACCESS_KEY": "something",
        "S3_PREFIX": PREFIX,
    }
    try:
        wait_until(lambda: "Running on" in server.text(), seconds=60, what="the S3 server listens")
        bucket_of(environment).create()
        yield environment
    finally:
        server.kill()


def bucket_of(environment: dict[str, str]) -> Any:
    """The bucket, around our own code."""
    resource = boto3.resource(
        "s3",
        endpoint_url=environment["S3_ENDPOINT_URL"],
        region_name=environment["S3_REGION"],
        aws_access_key_id="somebody",
        aws_secret_access_key="something",
    )
    return resource.Bucket(BUCKET)


@pytest.fixture
def bucket(s3: dict[str, str], settings: Settings) -> Iterator[Any]:
    """The site keeps its pictures there."""
    with patch.dict(os.environ, s3):
        settings.STORAGES = {**settings.STORAGES, "default": storage_settings()["default"]}
    found = bucket_of(s3)
    yield found
    found.objects.delete()


def kinds_in(bucket: Any) -> list[str]:
    """What lies there: ``version``, ``rendition``, …; everything under the prefix and under a name of its own."""
    keys = [item.key for item in bucket.objects.all()]
    assert all(key.startswith(f"{PREFIX}/") for key in keys)
    return sorted(key.removeprefix(f"{PREFIX}/").split("/")[0] for key in keys)


def test_from_upload_to_deletion(redis_server: RedisServer, s3: dict[str, str], bucket: Any, user: User) -> None:
    browser = Client()
    browser.force_login(user)
    photo = photo_png(96)
    answer = browser.post("/api/pictures", {"file": SimpleUploadedFile("wall.png", photo)})
    assert answer.status_code == 201
    assert kinds_in(bucket) == ["rendition", "rendition", "version"]
    upload = Picture.objects.get().versions.get()
    assert services.read_version(upload) == photo

    worker = started_worker("batch", **s3)
    try:
        mask = services.add_mask(upload, mask_png(96, 24))
        job, _ = submit_job(user, upload, mask, model="telea", params={}, queue="batch")
        wait_for_status(job, "succeeded", "failed")
    finally:
        worker.kill()
    assert job.status == "succeeded", job.error
    assert job.result is not None
    made = decode(services.read_version(job.result))
    assert (made.pixels[:30] == decode(photo).pixels[:30]).all()

    for form in ("display", "thumb", "download?as=png", "download?as=original"):
        file = browser.get(f"/files/versions/{job.result_id}/{form}")
        body = body_of(file)
        assert (file.status_code, len(body)) == (200, int(file.headers["Content-Length"]))
    assert body == services.read_version(job.result)
    assert Client().get(f"/files/versions/{job.result_id}/display").status_code == 404
    assert "http" not in str(browser.get(f"/api/pictures/{upload.picture_id}").json()["versions"])

    assert browser.delete(f"/api/pictures/{upload.picture_id}").status_code == 204
    assert "version" in kinds_in(bucket)  # in the trash, from where it can come back
    assert erase(user, [upload.picture_id]) == 1
    assert kinds_in(bucket) == []


def test_what_has_no_row_is_swept(bucket: Any, user: User, capsys: pytest.CaptureFixture[str]) -> None:
    picture = services.add_picture(user, "wall.png", photo_png(96))
    bucket.put_object(Key=f"{PREFIX}/version/00/stray.png", Body=b"nobody's")
    bucket.put_object(Key="elsewhere/not ours.png", Body=b"of another program")
    call_command("clear_files")
    assert "Removed 0 files" in capsys.readouterr().out  # both are young: a row may be on its way
    call_command("clear_files", "--hours", "0")
    assert "Removed 1 file." in capsys.readouterr().out
    bucket.Object("elsewhere/not ours.png").delete()
    assert kinds_in(bucket) == ["rendition", "rendition", "version"]
    assert services.read_version(picture.versions.get())


def test_a_file_that_is_missing_is_no_failure_of_the_site(bucket: Any, user: User) -> None:
    version = services.add_picture(user, "wall.png", photo_png(96)).versions.get()
    bucket.objects.delete()
    browser = Client()
    browser.force_login(user)
    assert browser.get(f"/files/versions/{version.pk}/thumb").status_code == 404


def pointing_nowhere(settings: Settings, s3: dict[str, str]) -> dict[str, Any]:
    """Settings of a store that does not answer."""
    with patch.dict(os.environ, {**s3, "S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}):
        return {**settings.STORAGES, "default": storage_settings()["default"]}


def test_a_server_that_is_away_is_told_nothing_is_kept_and_nothing_lost(
    bucket: Any, user: User, settings: Settings, s3: dict[str, str]
) -> None:
    version = services.add_picture(user, "wall.png", photo_png(96)).versions.get()
    working = settings.STORAGES
    settings.STORAGES = pointing_nowhere(settings, s3)
    browser = Client()
    browser.force_login(user)
    answer = browser.post("/api/pictures", {"file": SimpleUploadedFile("wall.png", photo_png(96))})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_away")
    assert Picture.objects.count() == 1
    shown = browser.get(f"/files/versions/{version.pk}/display")
    assert (shown.status_code, shown.headers["Retry-After"]) == (503, "5")
    assert "Nothing is lost" in shown.content.decode()
    settings.STORAGES = working
    assert body_of(browser.get(f"/files/versions/{version.pk}/display"))[:2] == b"\xff\xd8"  # a JPEG begins so


@pytest.fixture
def job_and_runner(bucket: Any, user: User, redis_server: RedisServer) -> tuple[Job, Runner]:
    upload = services.add_picture(user, "wall.png", photo_png(96)).versions.get()
    mask = services.add_mask(upload, mask_png(96, 24))
    job, _ = submit_job(user, upload, mask, model="telea", params={}, queue="batch")
    return job, Runner(Engine("cpu"), Supervisor("here:1", device="cpu", queues="batch"))


def test_a_job_waits_for_a_server_that_comes_back(
    job_and_runner: tuple[Job, Runner],
    s3: dict[str, str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    job, runner = job_and_runner
    working = settings.STORAGES
    settings.STORAGES = pointing_nowhere(settings, s3)

    def come_back() -> None:
        settings.STORAGES = working

    outage = Timer(2.0, come_back)
    outage.start()
    runner.run_next("batch")
    outage.join()
    job.refresh_from_db()
    assert (job.status, job.attempt) == ("succeeded", 1), job.error
    assert "trying again" in caplog.text


def test_a_server_that_stays_away_fails_the_job_with_a_sentence(
    job_and_runner: tuple[Job, Runner], s3: dict[str, str], settings: Settings
) -> None:
    job, runner = job_and_runner
    settings.STORAGES = pointing_nowhere(settings, s3)
    settings.JOBS = replace(settings.JOBS, database_patience=0)
    runner.run_next("batch")
    job.refresh_from_db()
    assert (job.status, job.error_code) == ("failed", "storage_away")
    assert "Nothing is lost" in job.error


def test_the_server_in_these_tests_is_a_process_of_its_own(s3: dict[str, str]) -> None:
    assert s3["S3_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert issubclass(BotoCoreError, Exception)
    assert "moto" not in {name.split(".")[0] for name in sys.modules}
