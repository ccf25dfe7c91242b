"""Files to take away: one version, or many in an archive that is made while it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath

from django.db.models.fields.files import FieldFile
from zipstream import ZipStream

from webapp.errors import Refusal
from webapp.photos.files import open_file
from webapp.photos.models import Version
from webapp.photos.renditions import SUFFIXES, Spec, make_rendition

_CHUNK = 256 * 1024
_NOT_IN_NAMES = '<>:"/\\|?*'


def file_of(version: Version, spec: Spec) -> FieldFile:
    """The file of a version in that form: the stored one where it is just that, else a rendition, made once.

    Raises `Refusal` when the version is gone or cannot be had in that form.
    """
    is_stored = not version.is_upload and (spec == "png" or (spec == "original" and version.upload_format == "PNG"))
    return version.file if is_stored else make_rendition(version, spec).file


def filename_of(version: Version, suffix: str) -> str:
    """``“Beach day.png”`` for an upload, ``“Beach day (patchmatch).png”`` for a result."""
    made_by = "" if version.is_upload else f" ({version.model})"
    # What a file system may stumble over; the title itself has neither controls nor line ends.
    title = "".join("_" if char in _NOT_IN_NAMES else char for char in version.picture.title).strip(". ")
    return f"{title or 'picture'}{made_by}{suffix}"


def archive_of(versions: Iterable[Version]) -> Iterator[bytes]:
    """A ZIP file of these versions, each in the format of its upload and without the place it was taken.

    Only one picture is in memory at a time, and nothing is compressed a second time. A picture that cannot be read is
    left out, and named in a text at the end of the archive. The versions need their pictures (`select_related`).
    """
    archive = ZipStream()
    names: set[str] = set()
    missing: list[str] = []
    for version in versions:
        name = _unused(filename_of(version, SUFFIXES.get(version.upload_format, ".png")), names)
        try:
            field = file_of(version, "original")
            stream = open_file(field)
        except (Refusal, FileNotFoundError):
            missing.append(name)
            continue
        with stream:
            archive.add(iter(lambda stream=stream: stream.read(_CHUNK), b""), name)  # type: ignore[misc]
            yield from archive.all_files()
    if missing:
        archive.add("These pictures could not be read:\n" + "\n".join(missing) + "\n", "missing.txt")
    yield from archive.finalize()


def _unused(name: str, taken: set[str]) -> str:
    """`name`, or with a number where it is taken; file systems that ignore case count as well."""
    path, number = PurePath(name), 1
    while name.casefold() in taken:
        number += 1
        name = f"{path.stem} {number}{path.suffix}"
    taken.add(name.casefold())
    return name
