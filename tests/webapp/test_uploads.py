"""What is taken in, what is refused, and what is kept of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from inpainting.imaging import decode
from tests.webapp.material import photo_file, pixels
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.photos import services
from webapp.photos.files import read_file
from webapp.photos.models import Picture, Version
from webapp.photos.uploads import title_from

Media = Callable[[], list[str]]


def png_claiming(width: int, height: int) -> bytes:
    """A small PNG whose header announces a huge picture: a decompression bomb."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100_000)) + chunk(b"IEND", b"")


def send(client: Client, name: str, data: bytes) -> tuple[int, dict[str, object]]:
    answer = client.post("/api/pictures", {"file": SimpleUploadedFile(name, data)})
    return answer.status_code, answer.json()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_every_offered_format_is_taken_in(ada: User, format: str) -> None:
    data = photo_file(format)
    picture = services.add_picture(ada, f"photo.{format.lower()}", data)
    version = Version.objects.get(picture=picture)
    assert (version.width, version.height, version.upload_format) == (64, 48, format)
    assert version.is_upload
    assert version.bytes == len(data)
    assert services.read_version(version) == data
    assert {each.spec for each in version.renditions.all()} == {"display", "thumb"}


def test_the_format_is_decided_by_the_content_not_by_the_name(ada: User) -> None:
    picture = services.add_picture(ada, "photo.jpg", photo_file("PNG"))
    version = Version.objects.get(picture=picture)
    assert version.upload_format == "PNG"
    assert version.file.name.endswith(".png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_the_one_displayed(ada: User, orientation: int) -> None:
    picture = services.add_picture(ada, "turned.jpg", photo_file(orientation=orientation, width=80, height=32))
    version = Version.objects.get(picture=picture)
    assert (version.width, version.height) == ((80, 32) if orientation <= 4 else (32, 80))
    display = version.renditions.get(spec="display")
    assert (display.width, display.height) == (version.width, version.height)


def test_stored_files_have_names_that_say_nothing(ada: User, media: Media) -> None:
    services.add_picture(ada, "my secret.jpg", photo_file())
    services.add_picture(ada, "my secret.jpg", photo_file())
    names = media()
    assert len(names) == len(set(names)) == 6
    stems = [name.rsplit("/", 1)[-1].split(".")[0] for name in names]
    assert all(len(stem) == 32 and int(stem, 16) for stem in stems)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("text.jpg", b"this is not a picture at all, but text", "not a picture"),
        ("empty.png", b"", "empty"),
        ("cut.jpg", photo_file("JPEG", width=400, height=300)[:4000], "damaged"),
        ("cut.png", photo_file("PNG", width=400, height=300)[:4000], "damaged"),
        ("script.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a picture"),
        ("page.gif", b"GIF89a<script>alert(1)</script>", "not a picture"),
        ("bomb.png", png_claiming(60_000, 60_000), "megapixels"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_sentence(
    as_ada: Client, media: Media, name: str, data: bytes, words: str
) -> None:
    status, body = send(as_ada, name, data)
    assert status == 422, body
    assert body["code"] in ("bad_photo", "invalid")
    assert words in str(body["message"])
    assert str(body["message"]).endswith(".")
    assert not Picture.objects.exists()
    assert media() == []


def test_too_many_pixels_are_refused(as_ada: Client, settings: Settings) -> None:
    settings.MAX_UPLOAD_PIXELS = 64 * 48 - 1
    status, body = send(as_ada, "big.jpg", photo_file())
    assert (status, body["code"]) == (422, "bad_photo")
    settings.MAX_UPLOAD_PIXELS = 64 * 48
    assert send(as_ada, "fits.jpg", photo_file())[0] == 201


def test_too_many_bytes_are_refused(as_ada: Client, settings: Settings, media: Media) -> None:
    data = photo_file("PNG", width=300, height=300)
    settings.MAX_UPLOAD_BYTES = len(data) - 1
    status, body = send(as_ada, "big.png", data)
    assert (status, body["code"]) == (413, "too_big")
    assert "MB" in str(body["message"])
    assert media() == []
    settings.MAX_UPLOAD_BYTES = len(data)
    assert send(as_ada, "fits.png", data)[0] == 201


def test_the_limit_also_holds_below_the_api(ada: User, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 100
    with pytest.raises(Refusal) as refused:
        services.add_picture(ada, "big.jpg", photo_file())
    assert refused.value.status == 413


def test_a_missing_file_is_named(as_ada: Client) -> None:
    answer = as_ada.post("/api/pictures", {})
    assert answer.status_code == 422
    assert answer.json() == {"code": "invalid", "message": "“file” is missing."}


def test_uploads_are_counted_by_the_hour(as_ada: Client, settings: Settings) -> None:
    settings.UPLOADS_PER_HOUR = 2
    assert [send(as_ada, "a.jpg", photo_file())[0] for _ in range(3)] == [201, 201, 429]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("beach.jpg", "beach"),
        ("IMG_0001.JPEG", "IMG_0001"),
        ("C:\\Users\\ada\\My photo.png", "My photo"),
        ("../../etc/passwd", "passwd"),
        ("a.b.c.tiff", "a.b.c"),
        ("e\u0301te\u0301.heic", "été"),
        ("evil\u202egpj.exe.jpg", "evil gpj.exe"),
        ("line\r\nbreak\x00.png", "line break"),
        ("  spaced   out  .webp", "spaced out"),
        ("<b>bold</b>", "b>"),
        (".jpg", "Untitled"),
        ("", "Untitled"),
        ("x" * 500 + ".jpg", "x" * 120),
    ],
)
def test_titles_come_from_file_names(name: str, title: str) -> None:
    assert title_from(name) == title


def test_the_display_rendition_is_small_srgb_and_keeps_alpha(ada: User) -> None:
    wide = services.add_picture(ada, "wide.jpg", photo_file(width=3000, height=600))
    rendition = Version.objects.get(picture=wide).renditions.get(spec="display")
    with Image.open(io.BytesIO(read_file(rendition.file))) as image:
        assert image.size == (2560, 512) == (rendition.width, rendition.height)
        assert (image.format, image.mode) == ("JPEG", "RGB")
    clear = services.add_picture(ada, "clear.png", photo_file("PNG", channels=4))
    version = Version.objects.get(picture=clear)
    with Image.open(io.BytesIO(read_file(version.renditions.get(spec="display").file))) as image:
        assert (image.format, image.mode, image.size) == ("WEBP", "RGBA", (64, 48))
        alpha = np.asarray(image)[..., 3]
    assert np.array_equal(alpha, pixels(channels=4)[..., 3])
    assert version.renditions.get(spec="thumb").width == 64


def test_sixteen_bits_survive(ada: User) -> None:
    values = np.random.default_rng(3).integers(0, 65536, (40, 50), dtype=np.uint16)
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    picture = services.add_picture(ada, "deep.png", out.getvalue())
    version = Version.objects.get(picture=picture)
    png = services.make_rendition(version, "png")
    assert np.array_equal(decode(read_file(png.file)).pixels[..., 0], values)
