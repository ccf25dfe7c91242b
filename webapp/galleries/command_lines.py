"""A result's recipe as a command line, for whoever wants to make it again without the studio."""

from __future__ import annotations

import shlex

from webapp.photos.downloads import filename_of
from webapp.photos.models import Version
from webapp.photos.renditions import SUFFIXES


def command_of(version: Version) -> str:
    """``python -m inpainting fill …`` for a result, with the names its files are downloaded by; empty for an upload."""
    source = version.parent
    if source is None:
        return ""
    suffix = SUFFIXES.get(source.upload_format, ".png") if source.is_upload else ".png"
    words = [
        *("python", "-m", "inpainting", "fill"),
        _operand(filename_of(source, suffix)),
        _operand(f"{filename_of(source, '')} mask.png"),
        *("-o", _operand(filename_of(version, ".png"))),
        *("--model", version.model),
    ]
    for name, value in sorted(version.params.items()):
        words += ["--param", f"{name}={value}"]
    if version.seed is not None:
        words += ["--seed", str(version.seed)]
    return shlex.join(words)


def _operand(name: str) -> str:
    """A file's name that no program takes for an option."""
    return f"./{name}" if name.startswith("-") else name
