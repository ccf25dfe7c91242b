"""Files as they are handed out: without location, under the right headers, bit for bit where that is promised."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client
from PIL import Image
from pytest_django import Settings

from inpainting.imaging import decode, decode_mask
from tests.webapp.conftest import MakeResult
from tests.webapp.material import GPS_MARK, body_of, has_location, mask_file, photo_file, srgb_profile
from webapp.accounts.models import User
from webapp.photos import services
from webapp.photos.models import Rendition, Version

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"]
FORMS = ["display", "thumb", "download?as=png", "download?as=original", "download"]


def fetch(client: Client, url: str) -> bytes:
    answer = client.get(url)
    assert answer.status_code == 200, answer
    return body_of(answer)


def add(owner: User, data: bytes) -> Version:
    return Version.objects.get(picture=services.add_picture(owner, "photo", data))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_served_says_where_a_photo_was_taken(
    ada: User, as_ada: Client, make_result: MakeResult, format: str, form: str
) -> None:
    data = photo_file(format, gps=True)
    assert has_location(data), "the test's own file must have a location"
    upload = add(ada, data)
    for version in (upload, make_result(upload)):
        served = fetch(as_ada, f"/files/versions/{version.pk}/{form}")
        assert not has_location(served)
        assert GPS_MARK not in served


@pytest.mark.parametrize("format", FORMATS)
def test_the_png_of_an_upload_is_its_decoded_pixels(ada: User, as_ada: Client, format: str) -> None:
    data = photo_file(format, orientation=6, gps=True)
    version = add(ada, data)
    png = fetch(as_ada, f"/files/versions/{version.pk}/download?as=png")
    assert png.startswith(b"\x89PNG")
    assert np.array_equal(decode(png).pixels, decode(data).pixels)


@pytest.mark.parametrize("format", FORMATS)
def test_known_pixels_of_a_result_equal_the_upload(
    ada: User, as_ada: Client, make_result: MakeResult, format: str
) -> None:
    data = photo_file(format, orientation=3)
    result = make_result(add(ada, data))
    png = decode(fetch(as_ada, f"/files/versions/{result.pk}/download"))
    assert result.mask is not None
    hole = decode_mask(fetch(as_ada, f"/files/masks/{result.mask.pk}"), width=result.width, height=result.height)
    assert hole.sum() == 400
    assert np.array_equal(png.pixels[~hole], decode(data).pixels[~hole])
    assert not np.array_equal(png.pixels[hole], decode(data).pixels[hole])


@pytest.mark.parametrize("format", FORMATS)
def test_the_original_form_has_the_uploads_format_profile_and_camera(
    ada: User, as_ada: Client, make_result: MakeResult, format: str
) -> None:
    profile = srgb_profile()
    upload = add(ada, photo_file(format, icc=profile, gps=True))
    for version in (upload, make_result(upload)):
        photo = decode(fetch(as_ada, f"/files/versions/{version.pk}/download?as=original"))
        assert photo.format == format
        assert photo.icc == profile
        assert photo.exif is not None
        assert b"Reweave Optics" in photo.exif


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2, "restart_marker_rows": 1}])
@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_a_jpeg_comes_back_with_the_very_same_pixels(
    ada: User, as_ada: Client, orientation: int | None, options: dict[str, int]
) -> None:
    """Re-encoding would change them; the compressed picture is passed on as it is."""
    data = photo_file("JPEG", orientation=orientation, gps=True, quality=60, width=203, height=151, **options)
    version = add(ada, data)
    served = fetch(as_ada, f"/files/versions/{version.pk}/download?as=original")
    assert np.array_equal(decode(served).pixels, decode(data).pixels)
    assert (decode(served).width, decode(served).height) == (version.width, version.height)


def test_what_follows_a_jpeg_is_cut_off(ada: User, as_ada: Client) -> None:
    """Phones append more pictures and videos, with locations of their own."""
    data = photo_file("JPEG") + b"trailer " + GPS_MARK
    version = add(ada, data)
    assert GPS_MARK not in fetch(as_ada, f"/files/versions/{version.pk}/download?as=original")


def test_headers_of_a_file(as_ada: Client, upload: Version) -> None:
    url = f"/files/versions/{upload.pk}/display"
    answer = as_ada.get(url)
    body = body_of(answer)
    headers = answer.headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Disposition"] == 'inline; filename="beach day.jpg"'
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    again = as_ada.get(url, headers={"If-None-Match": headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    other = as_ada.get(url, headers={"If-None-Match": '"other"'})
    assert (other.status_code, body_of(other)) == (200, body)


def test_the_etag_is_no_way_around_the_right(as_ada: Client, as_bob: Client, upload: Version) -> None:
    url = f"/files/versions/{upload.pk}/display"
    answer = as_ada.get(url)
    assert body_of(answer)
    etag = answer.headers["ETag"]
    assert as_bob.get(url, headers={"If-None-Match": etag}).status_code == 404


def test_names_of_downloads(ada: User, as_ada: Client, result: Version) -> None:
    answer = as_ada.get(f"/files/versions/{result.pk}/download?as=original")
    assert body_of(answer)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="beach day (telea).jpg"'
    result.picture.title = 'Été: "a/b"\\..'
    result.picture.save()
    answer = as_ada.get(f"/files/versions/{result.pk}/download")
    assert body_of(answer)
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=utf-8''%C3%89t%C3%A9_%20_a_b__%20%28telea%29.png"
    )


def test_an_unknown_form_is_refused(as_ada: Client, upload: Version) -> None:
    answer = as_ada.get(f"/files/versions/{upload.pk}/download?as=gif")
    assert answer.status_code == 400


def test_nginx_sends_the_file_where_there_is_one(as_ada: Client, result: Version, settings: Settings) -> None:
    settings.SENDFILE_PREFIX = "/protected/"
    answer = as_ada.get(f"/files/versions/{result.pk}/download")
    assert answer.content == b""
    assert answer.headers["X-Accel-Redirect"] == f"/protected/{result.file.name}"
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "Content-Length" not in answer.headers or answer.headers["Content-Length"] == "0"


def test_a_storage_that_is_no_folder_is_streamed_even_behind_nginx(
    as_ada: Client, upload: Version, settings: Settings
) -> None:
    """Django's in-memory storage has no path either, as a bucket has none."""
    data = services.read_version(upload)
    settings.SENDFILE_PREFIX = "/protected/"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    Rendition.objects.all().delete()
    upload.file.storage.save(upload.file.name or "", io.BytesIO(data))  # type: ignore[arg-type]
    answer = as_ada.get(f"/files/versions/{upload.pk}/display")
    assert "X-Accel-Redirect" not in answer.headers
    body = body_of(answer)
    with Image.open(io.BytesIO(body)) as image:
        assert image.size == (64, 48)


def test_a_file_that_is_gone_is_not_found(as_ada: Client, result: Version) -> None:
    result.file.storage.delete(result.file.name or "")
    assert as_ada.get(f"/files/versions/{result.pk}/download").status_code == 404


def test_only_reading(as_ada: Client, upload: Version) -> None:
    assert as_ada.post(f"/files/versions/{upload.pk}/display").status_code == 405
    head = as_ada.head(f"/files/versions/{upload.pk}/display")
    assert (head.status_code, body_of(head)) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_a_large_file_comes_in_pieces(ada: User, settings: Settings) -> None:
    """A synchronous iterator would be gathered in memory as a whole (and warned about, which fails the test)."""
    noise = np.random.default_rng(5).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")

    def prepare() -> tuple[Version, AsyncClient]:
        client = AsyncClient()
        client.force_login(ada)
        return add(ada, out.getvalue()), client

    version, client = await sync_to_async(prepare)()
    answer = await client.get(f"/files/versions/{version.pk}/download?as=original")
    pieces = [piece async for piece in answer.streaming_content]  # type: ignore[attr-defined]
    await sync_to_async(connections.close_all)()  # those of the thread that views ran in
    assert len(pieces) > 3
    assert max(map(len, pieces)) <= 256 * 1024
    assert str(sum(map(len, pieces))) == answer.headers["Content-Length"]
    assert np.array_equal(decode(b"".join(pieces)).pixels, noise)


def test_a_mask_is_served_as_it_counts(as_ada: Client, upload: Version) -> None:
    mask = services.add_mask(upload, mask_file(box=(0, 0, 5, 5)))
    with Image.open(io.BytesIO(fetch(as_ada, f"/files/masks/{mask.pk}"))) as image:
        values = np.asarray(image)
    assert image.mode == "L"
    assert set(np.unique(values)) == {0, 255}
    assert np.count_nonzero(values) == 25


def test_renditions_are_made_once(as_ada: Client, upload: Version, media: Callable[[], list[str]]) -> None:
    before = set(media())
    first = fetch(as_ada, f"/files/versions/{upload.pk}/download?as=png")
    made = set(media()) - before
    assert len(made) == 1
    assert fetch(as_ada, f"/files/versions/{upload.pk}/download?as=png") == first
    assert set(media()) - before == made
