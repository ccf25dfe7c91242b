"""Photos for an evaluation on their way in: files, zip archives, one's own pictures, the shipped samples."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from inpainting.imaging import PhotoError
from inpainting.imaging.decoding import probe_size
from webapp.errors import Refusal, not_found
from webapp.photos import samples
from webapp.photos import services as pictures
from webapp.photos.models import Picture, Version
from webapp.photos.uploads import too_big

if TYPE_CHECKING:
    from webapp.accounts.models import User

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif")
LEAST_SIDE = 32
_MOST_ENTRIES = 5000
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo's file under the name it is to have in the report."""

    name: str
    data: bytes


def gather(
    owner: User, *, files: Sequence[tuple[str, bytes]], own: Sequence[str], sample_names: Sequence[str]
) -> list[NewPhoto]:
    """All photos that were asked for, names made unique.

    `files` are uploads, of which a ``.zip`` counts by its photos; `own` are ids of the person's pictures, which count
    by their uploads. Raises `Refusal` with a sentence: none at all, too many, too big, not a photo, not the person's.
    """
    found: list[NewPhoto] = []
    for photo in _all(owner, files, own, sample_names):
        _check(photo)
        found.append(NewPhoto(_unique(photo.name, {each.name for each in found}), photo.data))
        if len(found) > settings.EVALUATION_MAX_PHOTOS:
            raise Refusal(
                "too_many_photos",
                f"An evaluation here may have at most {settings.EVALUATION_MAX_PHOTOS} photos.",
                status=422,
            )
    if not found:
        raise Refusal("no_photos", "Choose at least one photo: upload some, or tick pictures or samples.", status=422)
    return found


def _all(
    owner: User, files: Iterable[tuple[str, bytes]], own: Iterable[str], sample_names: Iterable[str]
) -> Iterator[NewPhoto]:
    for name, data in files:
        if PurePosixPath(name.lower()).suffix == ".zip" or zipfile.is_zipfile(io.BytesIO(data[:4096] + data[-70000:])):
            yield from _unzipped(name, data)
        else:
            yield NewPhoto(_plain(name), data)
    for picture_id in own:
        yield _own(owner, picture_id)
    for name in sample_names:
        sample = samples.get(name)
        if sample is None:
            raise Refusal("no_such_sample", "There is no sample of this name.", status=404)
        yield NewPhoto(sample.path.name, sample.path.read_bytes())


def _unzipped(name: str, data: bytes) -> Iterator[NewPhoto]:
    """Photos of an archive; folders, hidden files and other kinds of files are passed over."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_ENTRIES:
                raise Refusal("bad_zip", f"{_plain(name)} has more than {_MOST_ENTRIES} entries.", status=422)
            total = 0
            for entry in sorted(entries, key=lambda each: each.filename):
                path = PurePosixPath(entry.filename.replace("\\", "/"))
                hidden = any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in path.parts)
                if entry.is_dir() or hidden or path.suffix.lower() not in SUFFIXES:
                    continue
                if entry.flag_bits & 1:
                    raise Refusal("bad_zip", f"{_plain(name)} is protected by a password.", status=422)
                # What an entry says of its size is checked again by reading no more than that.
                total += entry.file_size
                if entry.file_size > settings.MAX_UPLOAD_BYTES or total > 4 * settings.MAX_UPLOAD_BYTES:
                    raise too_big()
                with archive.open(entry) as stream:
                    content = stream.read(entry.file_size + 1)
                if len(content) != entry.file_size:
                    raise Refusal("bad_zip", f"{_plain(name)} is damaged.", status=422)
                yield NewPhoto(_plain(entry.filename), content)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError):
        raise Refusal("bad_zip", f"{_plain(name)} cannot be read as a zip archive.", status=422) from None


def _own(owner: User, picture_id: str) -> NewPhoto:
    try:
        picture: Any = Picture.objects.owned_by(owner).filter(pk=UUID(picture_id)).first()
    except ValueError:
        picture = None
    upload = None if picture is None else Version.objects.filter(picture=picture, parent__isnull=True).first()
    if picture is None or upload is None:
        raise not_found()
    suffix = {"JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}.get(
        upload.upload_format, f".{upload.upload_format.lower()}"
    )
    return NewPhoto(_plain(f"{picture.title}{suffix}"), pictures.read_version(upload))


def _check(photo: NewPhoto) -> None:
    """Refuse what is certainly no photo, or too large, by its head; the worker notes what turns out broken."""
    try:
        width, height = probe_size(photo.data)
    except PhotoError as error:
        raise Refusal("not_a_photo", f"{photo.name}: {error}", status=422) from None
    if width * height > settings.MAX_UPLOAD_PIXELS:
        most = settings.MAX_UPLOAD_PIXELS // 1_000_000
        raise Refusal("too_many_pixels", f"{photo.name} has more than {most} million pixels.", status=422)
    if min(width, height) < LEAST_SIDE:
        raise Refusal(
            "too_small", f"{photo.name} has {width} × {height} px; at least {LEAST_SIDE} are needed.", status=422
        )


def _plain(name: str) -> str:
    """The last part of a path without anything invisible, at most 100 characters, its ending kept."""
    path = PurePosixPath(name.replace("\\", "/"))
    stem = "".join(char if char.isprintable() else " " for char in path.stem).strip() or "photo"
    return f"{stem[: _LONGEST_NAME - len(path.suffix)]}{path.suffix[:10]}"


def _unique(name: str, taken: set[str]) -> str:
    """Two photos may be called alike, in a report they are not."""
    path, number = PurePosixPath(name), 1
    while name in taken:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    return name
