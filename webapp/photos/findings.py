"""What models report with their results: pictures of their inner workings, and where they took content from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.photos.files import write_file
from webapp.photos.models import LONGEST_NAME, LONGEST_TITLE, Overlay, SourceMap, Version

OVERLAY_SUFFIX, SOURCES_SUFFIX = ".webp", ".bin"

Box = tuple[int, int, int, int]
"""left, top, right, bottom in photo pixels."""


@dataclass(frozen=True, slots=True)
class NewOverlay:
    """An overlay before it is stored; `data` is a WebP file."""

    name: str
    title: str
    box: Box
    data: bytes


@dataclass(frozen=True, slots=True)
class NewSourceMap:
    """A source map before it is stored; `data` is in the format of `inpainting.imaging.source_maps`."""

    box: Box
    width: int
    height: int
    patch: int
    data: bytes


def store_findings(version: Version, overlays: Sequence[NewOverlay], sources: Sequence[NewSourceMap]) -> None:
    """Keep what a model reported about `version`, in this order. Only inside `new_files` and a transaction."""
    rows = []
    for position, overlay in enumerate(overlays):
        left, top, right, bottom = overlay.box
        row = Overlay(
            version=version,
            position=position,
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            name=overlay.name[:LONGEST_NAME],
            title=overlay.title[:LONGEST_TITLE],
        )
        write_file(row.file, OVERLAY_SUFFIX, overlay.data)
        rows.append(row)
    Overlay.objects.bulk_create(rows)
    maps = []
    for position, found in enumerate(sources):
        left, top, right, bottom = found.box
        source = SourceMap(
            version=version,
            position=position,
            left=left,
            top=top,
            right=right,
            bottom=bottom,
            width=found.width,
            height=found.height,
            patch=found.patch,
        )
        write_file(source.file, SOURCES_SUFFIX, found.data)
        maps.append(source)
    SourceMap.objects.bulk_create(maps)
