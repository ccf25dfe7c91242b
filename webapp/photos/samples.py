"""The sample photos that come with the site."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample photo, as listed in the folder's `samples.json`."""

    name: str
    title: str
    credit: str
    licence: str
    source: str
    path: Path
    thumb: str

    @property
    def url(self) -> str:
        """Address of the photo among the static files."""
        return static(f"samples/{self.path.name}")

    @property
    def thumb_url(self) -> str:
        """Address of its small picture."""
        return static(f"samples/{self.thumb}")


def all_samples() -> list[Sample]:
    """Every sample, in the order to show them; none when the folder has no list."""
    return list(_read(Path(settings.SAMPLES_DIR)))


def get(name: str) -> Sample | None:
    """The sample called `name`."""
    return next((sample for sample in all_samples() if sample.name == name), None)


@cache
def _read(folder: Path) -> tuple[Sample, ...]:
    listing = folder / "samples.json"
    if not listing.is_file():
        return ()
    rows = json.loads(listing.read_text(encoding="utf-8"))
    return tuple(
        Sample(
            name=row["name"],
            title=row["title"],
            credit=row["credit"],
            licence=row["licence"],
            source=row["source"],
            path=folder / row["file"],
            thumb=row["thumb"],
        )
        for row in rows
    )
