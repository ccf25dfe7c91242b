"""Files made from a version, once: for the screen and for download.

| spec | what |
| --- | --- |
| `display` | 8-bit sRGB for the screen, long side at most 2560 pixels |
| `thumb` | the same, at most 480 pixels |
| `png` | an upload's pixels as PNG, bit for bit as decoded |
| `original` | in the format of the upload, with its colour profile and its EXIF without location |
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import Literal

from django.db import IntegrityError, transaction
from PIL import Image

from inpainting.imaging import Photo, PhotoError, decode, encode, to_display
from webapp.errors import Refusal, not_found
from webapp.photos.files import new_files, read_file, write_file
from webapp.photos.location import jpeg_without_location
from webapp.photos.models import Rendition, Version

Spec = Literal["display", "thumb", "png", "original"]

DISPLAY_SIDE, THUMB_SIDE = 2560, 480
_DISPLAY_QUALITY, _THUMB_QUALITY = 92, 84
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "HEIF": ".heic"}
CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".heic": "image/heic",
}
# A decoded photo of 100 megapixels takes hundreds of megabytes; more than two at a time wait.
decoding_slots = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Made:
    """A rendition's file before it is stored."""

    data: bytes
    suffix: str
    width: int
    height: int


def make_rendition(version: Version, spec: Spec, photo: Photo | None = None) -> Rendition:
    """The rendition `spec` of `version`, made now if there is none yet; `photo` spares decoding the version again.

    Safe to call from several processes at once: the first to store its file wins, the others drop theirs.
    Raises `Refusal` when the version was deleted meanwhile or cannot be had in that form.
    """
    existing = Rendition.objects.filter(version=version, spec=spec).first()
    if existing is not None:
        return existing
    with decoding_slots:
        data = None if photo is not None and spec in ("display", "thumb") else _stored(version)
        try:
            made = render(
                photo or decode(data or b""),
                spec,
                upload_format=version.upload_format,
                upload=data if version.is_upload else None,
            )
        except PhotoError as error:
            raise Refusal("no_such_form", str(error), status=422) from None
    return store_rendition(version, spec, made)


def render(photo: Photo, spec: Spec, *, upload_format: str = "PNG", upload: bytes | None = None) -> Made:
    """Make one rendition of `photo`. `upload` is the file that `photo` was decoded from, when it is an upload.

    Raises `PhotoError` when the upload's format cannot hold the result.
    """
    if spec == "display":
        return _file_of(to_display(photo, DISPLAY_SIDE), _DISPLAY_QUALITY)
    if spec == "thumb":
        return _file_of(to_display(photo, THUMB_SIDE), _THUMB_QUALITY)
    wanted = "PNG" if spec == "png" else upload_format
    data = jpeg_without_location(upload, photo) if upload is not None and wanted == "JPEG" else None
    return Made(data or encode(photo, wanted), SUFFIXES[wanted], photo.width, photo.height)


def render_for_screen(photo: Photo) -> dict[Spec, Made]:
    """`display` and `thumb` of `photo` at once: the small one is made from the larger, not from all pixels again."""
    shown = to_display(photo, DISPLAY_SIDE)
    scale = min(1.0, THUMB_SIDE / max(shown.size))
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    small = shown.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return {"display": _file_of(shown, _DISPLAY_QUALITY), "thumb": _file_of(small, _THUMB_QUALITY)}


def store_rendition(version: Version, spec: Spec, made: Made) -> Rendition:
    """Keep what was made, unless somebody else was faster; the rendition that counts."""
    rendition = Rendition(version=version, spec=spec, width=made.width, height=made.height)
    try:
        with new_files(), transaction.atomic():
            write_file(rendition.file, made.suffix, made.data)
            rendition.save(force_insert=True)
    except IntegrityError:
        winner = Rendition.objects.filter(version_id=version.pk, spec=spec).first()
        if winner is None:  # the version itself is gone
            raise not_found() from None
        return winner
    return rendition


def _stored(version: Version) -> bytes:
    try:
        return read_file(version.file)
    except FileNotFoundError:
        raise not_found() from None


def _file_of(image: Image.Image, quality: int) -> Made:
    """JPEG without chroma subsampling, which keeps a mask's edge as it is; lossless WebP where there is alpha."""
    out = io.BytesIO()
    if image.mode == "RGBA":
        image.save(out, "WEBP", lossless=True, method=0, quality=0)
        suffix = ".webp"
    else:
        image.save(out, "JPEG", quality=quality, subsampling=0)
        suffix = ".jpg"
    return Made(out.getvalue(), suffix, image.width, image.height)
