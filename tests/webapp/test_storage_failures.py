"""A picture store that fails while something is read: said clearly, answered by 503, and nothing is lost."""

from __future__ import annotations

import errno
import zipfile
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.test import Client
from django.urls import reverse
from pytest_django import Settings
from s3transfer.exceptions import RetriesExceededError

from tests.webapp.material import body_of, mask_file
from webapp.accounts.export import export_of
from webapp.accounts.models import User
from webapp.photos import services
from webapp.photos.files import STORAGE_FAILURES
from webapp.photos.models import Picture, Version

pytestmark = pytest.mark.django_db

FAILURES: dict[str, Exception] = {
    "refused": EndpointConnectionError(endpoint_url="http://bucket.example.org"),
    "internal": ClientError({"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}, "HEAD"),
    "broken off": RetriesExceededError(TimeoutError("read timed out")),
    "disk": OSError(errno.EIO, "Input/output error"),
}


class _Interrupted(File):  # type: ignore[type-arg]
    """A file that can be opened and not be read, as a bucket's whose server goes away in between."""

    def __init__(self, error: Exception) -> None:
        super().__init__(BytesIO(b""), "gone")
        self._error = error

    def seek(self, *args: Any) -> int:
        raise self._error


class FailingStorage(FileSystemStorage):
    """Lets nothing be read: as it is opened, or with the first access."""

    def __init__(self, failure: str = "", at_once: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._error, self._at_once = FAILURES[failure], at_once

    def _open(self, name: str, mode: str = "rb") -> File:  # type: ignore[type-arg]
        if self._at_once:
            raise self._error
        return _Interrupted(self._error)


def fail(settings: Settings, failure: str, *, at_once: bool = True) -> None:
    options = {"failure": failure, "at_once": at_once}
    backend = {"BACKEND": f"{__name__}.FailingStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "default": backend}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("failure", FAILURES)
def test_pages_and_api_say_so_and_all_is_there_afterwards(
    as_ada: Client, upload: Version, settings: Settings, failure: str, at_once: bool
) -> None:
    shown, draft = f"/files/versions/{upload.pk}/display", f"/api/versions/{upload.pk}/draft"
    as_ada.put(draft, mask_file(upload.width, upload.height), content_type="image/png")
    before = body_of(as_ada.get(shown))
    working = settings.STORAGES
    fail(settings, failure, at_once=at_once)
    page = as_ada.get(shown)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "Nothing is lost" in page.content.decode()
    assert "immutable" not in page.headers.get("Cache-Control", "")
    answer = as_ada.get(draft)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["code"] == "storage_away"
    assert "try again" in answer.json()["message"]
    assert as_ada.get(f"/files/versions/{upload.pk}/download?as=png").status_code == 503  # made from what is stored
    assert as_ada.get(reverse("picture", args=[upload.picture_id])).status_code == 200
    settings.STORAGES = working
    assert body_of(as_ada.get(shown)) == before
    assert as_ada.get(draft).status_code == 200
    assert list(Picture.objects.values_list("pk", flat=True)) == [upload.picture_id]


def test_archives_name_what_could_not_be_read(as_ada: Client, ada: User, upload: Version, settings: Settings) -> None:
    fail(settings, "internal")
    answer = as_ada.post(reverse("archive"), {"pictures": [str(upload.picture_id)]})
    for data in (body_of(answer), b"".join(export_of(ada))):
        with zipfile.ZipFile(BytesIO(data)) as archive:
            assert "could not be read" in archive.read("missing.txt").decode()


def test_what_is_missing_is_missing_and_other_errors_stay_errors(
    as_ada: Client, upload: Version, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAILURES, "a mistake of ours", ZeroDivisionError())
    fail(settings, "a mistake of ours")
    with pytest.raises(ZeroDivisionError):
        services.read_version(upload)
    monkeypatch.setitem(FAILURES, "missing", FileNotFoundError())
    fail(settings, "missing")
    assert as_ada.get(f"/files/versions/{upload.pk}/display").status_code == 404
    assert not issubclass(FileNotFoundError, STORAGE_FAILURES)
