"""Photos for an evaluation on their way in: files, zip archives, pictures of galleries, the shipped samples."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from inpainting.imaging import PhotoError
from inpainting.imaging.decoding import probe_size
from webapp.errors import Refusal, not_found
from webapp.photos import samples
from webapp.photos.models import Picture, Version
from webapp.photos.renditions import SUFFIXES as SUFFIX_OF
from webapp.photos.uploads import too_big
from webapp.teams.models import Team

if TYPE_CHECKING:
    from webapp.accounts.models import User

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif")
LEAST_SIDE = 32
MINE = "mine"
"""The gallery of one's own pictures."""
_MOST_ENTRIES = 5000
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """A photo under the name it is to have in the report: a file, or the upload of a gallery's picture."""

    name: str
    data: bytes = b""
    version: Version | None = None
    """Such a photo stays where it is and is read when its turn comes; `data` is empty then."""

    def size(self) -> tuple[int, int]:
        """Width and height as displayed; raises `PhotoError` for what is no photo."""
        return probe_size(self.data) if self.version is None else (self.version.width, self.version.height)


def gather(
    owner: User,
    *,
    files: Sequence[tuple[str, bytes]] = (),
    galleries: Sequence[str] = (),
    chosen: Sequence[str] = (),
    sample_names: Sequence[str] = (),
) -> list[NewPhoto]:
    """All photos that were asked for, each picture once, names made unique.

    `files` are uploads, of which a ``.zip`` counts by its photos; `galleries` are `MINE` and ids of teams, of which the
    pictures changed last count, as many as an evaluation may have; `chosen` are ids of single pictures. Pictures count
    by their uploads. Raises `Refusal` with a sentence: none at all, too many, too big, not a photo, not to be seen.
    """
    found: list[NewPhoto] = []
    for photo in _all(owner, files, galleries, chosen, sample_names):
        _check(photo)
        found.append(replace(photo, name=_unique(photo.name, {each.name for each in found})))
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
    owner: User,
    files: Iterable[tuple[str, bytes]],
    galleries: Iterable[str],
    chosen: Iterable[str],
    sample_names: Iterable[str],
) -> Iterator[NewPhoto]:
    for name, data in files:
        if PurePosixPath(name.lower()).suffix == ".zip" or zipfile.is_zipfile(io.BytesIO(data[:4096] + data[-70000:])):
            yield from _unzipped(name, data)
        else:
            yield NewPhoto(_plain(name), data)
    pictures = dict.fromkeys(each for name in galleries for each in _gallery(owner, name))
    pictures |= dict.fromkeys(_picture(owner, picture_id) for picture_id in chosen)
    yield from _uploads(list(pictures))
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
    # ValueError: a name that is not UTF-8 although it says so; MemoryError: a dictionary of gigabytes is asked for.
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError, MemoryError):
        raise Refusal("bad_zip", f"{_plain(name)} cannot be read as a zip archive.", status=422) from None


def _gallery(owner: User, name: str) -> list[Picture]:
    """The pictures of a gallery that `owner` may see, the last changed first."""
    rows: QuerySet[Picture]
    if name == MINE:
        rows = Picture.objects.owned_by(owner)
    else:
        team: Team | None = Team.objects.visible_to(owner).filter(pk=_id(name)).first()
        if team is None:
            raise not_found()
        rows = Picture.objects.visible_to(owner).of_team(team)
    return list(rows[: settings.EVALUATION_MAX_PHOTOS])


def _picture(owner: User, picture_id: str) -> Picture:
    found: Picture | None = Picture.objects.visible_to(owner).filter(pk=_id(picture_id)).first()
    if found is None:
        raise not_found()
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise not_found() from None


def _uploads(pictures: Sequence[Picture]) -> Iterator[NewPhoto]:
    """What was uploaded for each of `pictures`, in their order."""
    rows = Version.objects.filter(picture__in=pictures, parent__isnull=True)
    uploads: dict[UUID, Version] = {each.picture_id: each for each in rows}
    for picture in pictures:
        upload = uploads.get(picture.pk)
        if upload is not None:
            upload.picture = picture
            yield NewPhoto(_plain(f"{picture.title}{SUFFIX_OF[upload.upload_format]}"), version=upload)


def _check(photo: NewPhoto) -> None:
    """Refuse what is certainly no photo, or too large, by its head; the worker notes what turns out broken."""
    try:
        width, height = photo.size()
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
