"""Many pictures in one ZIP file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client

from tests.webapp.material import body_of, has_location, photo_file
from webapp.accounts.models import User
from webapp.photos.models import Picture, Version
from webapp.photos.services import add_picture

pytestmark = pytest.mark.django_db
MakeResult = Callable[[Version], Version]


def test_an_archive_holds_the_latest_versions_without_places(
    as_ada: Client, ada: User, picture: Picture, make_result: MakeResult
) -> None:
    other = add_picture(ada, "beach day.png", photo_file("PNG", seed=5))
    third = add_picture(ada, "Beach Day.jpg", photo_file("JPEG", gps=True, seed=7))
    make_result(other.versions.get())
    ids = [str(each.pk) for each in (picture, other, third)]
    answer = as_ada.post("/pictures/archive", {"pictures": ids})
    assert answer.headers["Content-Type"] == "application/zip"
    assert "attachment" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(body_of(answer))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == ["beach day.jpg", "beach day (telea).png", "Beach Day 2.jpg"]
        assert not any(has_location(archive.read(name)) for name in names)


@pytest.mark.django_db(transaction=True)
async def test_an_archive_is_streamed_by_the_real_server_s_way(ada: User) -> None:
    picture = await sync_to_async(add_picture)(ada, "a.jpg", photo_file("JPEG"))
    client = AsyncClient()
    await client.aforce_login(ada)
    answer = await client.post("/pictures/archive", {"pictures": [str(picture.pk)]})
    assert answer.is_async
    body = b"".join([chunk async for chunk in answer.streaming_content])
    await sync_to_async(connections.close_all)()  # the connection of the thread that this test does not own
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["a.jpg"]


def test_a_picture_that_cannot_be_read_is_named(as_ada: Client, ada: User, picture: Picture) -> None:
    lost = Picture.objects.create(owner=ada, title="lost")
    Version.objects.create(picture=lost, file="version/none.png", bytes=1, width=8, height=9, upload_format="PNG")
    answer = as_ada.post("/pictures/archive", {"pictures": [str(picture.pk), str(lost.pk)]})
    with zipfile.ZipFile(io.BytesIO(body_of(answer))) as archive:
        assert archive.namelist() == ["beach day.jpg", "missing.txt"]
        assert b"lost.png" in archive.read("missing.txt")


def test_nobody_gets_an_archive_of_foreign_pictures(as_bob: Client, picture: Picture) -> None:
    for ids in ([str(picture.pk)], ["rubbish"]):
        assert as_bob.post("/pictures/archive", {"pictures": ids}).status_code == 404
    assert Client().post("/pictures/archive", {"pictures": [str(picture.pk)]}).status_code == 404
