"""Which photo goes with which mask and output file, and writing files safely."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

FORMAT_BY_SUFFIX = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".heic": "HEIF",
    ".heif": "HEIF",
}
_PHOTO_SUFFIXES = {*FORMAT_BY_SUFFIX, ".mpo", ".hif"}


class UsageError(ValueError):
    """Paths that do not fit together; the text is meant for people."""


@dataclass(frozen=True, slots=True)
class Task:
    """One photo to fill. `mask` is ``None`` when no mask was found for it."""

    photo: Path
    mask: Path | None
    out: Path


def plan_tasks(photo: Path, mask: Path, out: Path, *, suffix: str = ".png") -> list[Task]:
    """Pair photos, masks and outputs.

    A folder of photos needs a folder to write to; masks are one file for all, or a folder with a mask of the same stem
    for each photo. Outputs in a folder are called like their photo, with `suffix`. Raises `UsageError`.
    """
    for path in (photo, mask):
        if not path.exists():
            raise UsageError(f"There is no file or folder {path}.")
    tasks = _folder_tasks(photo, mask, out, suffix) if photo.is_dir() else [_file_task(photo, mask, out, suffix)]
    inputs = {path.resolve() for task in tasks for path in (task.photo, task.mask) if path is not None}
    for task in tasks:
        if task.out.suffix.lower() not in FORMAT_BY_SUFFIX:
            known = ", ".join(FORMAT_BY_SUFFIX)
            raise UsageError(f"The ending of {task.out.name!r} names no picture format. Use one of {known}.")
        if task.out.resolve() in inputs:
            raise UsageError(f"{task.out} would overwrite an input file. Choose another output.")
    return tasks


def _file_task(photo: Path, mask: Path, out: Path, suffix: str) -> Task:
    if mask.is_dir():
        raise UsageError("A folder of masks needs a folder of photos.")
    # A path that ends in a separator is meant as a folder, but `Path` drops the separator; no ending says the same.
    if out.is_dir() or not out.suffix:
        out = out / f"{photo.stem}{suffix}"
    return Task(photo, mask, out)


def _folder_tasks(photo: Path, mask: Path, out: Path, suffix: str) -> list[Task]:
    if out.exists() and not out.is_dir():
        raise UsageError(f"The photos are a folder, so the output must be a folder too; {out} is a file.")
    photos = pictures_by_stem(photo)
    if not photos:
        raise UsageError(f"There are no photos in {photo}.")
    masks = pictures_by_stem(mask) if mask.is_dir() else dict.fromkeys(photos, mask)
    return [Task(path, masks.get(stem), out / f"{stem}{suffix}") for stem, path in photos.items()]


def pictures_by_stem(folder: Path) -> dict[str, Path]:
    """The picture files of `folder` by their name without ending, sorted; raises `UsageError` when two share it."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in _PHOTO_SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in found:
            raise UsageError(f"{found[path.stem]} and {path} have the same name before the ending; rename one.")
        found[path.stem] = path
    return found


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` so that `path` has either its old content or all of the new one; makes missing folders.

    Without `durable` this holds when the process dies, but not when the whole machine does; it is much quicker.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # temporary files are private; results get the usual rights
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
