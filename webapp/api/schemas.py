"""The shapes of the API's answers; ARCHITECTURE.md shows them at a glance."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema

from inpainting.catalog import Cost, ParamKind

Box = tuple[int, int, int, int]


class ErrorOut(Schema):
    """Every error: a stable code for programs and a sentence for people."""

    code: str
    message: str


class PaperOut(Schema):
    authors: str
    title: str
    year: int
    link: str


class ParamOut(Schema):
    name: str
    kind: ParamKind
    default: Any
    label: str
    help: str
    minimum: float | None
    maximum: float | None
    choices: list[str]


class ModelOut(Schema):
    key: str
    title: str
    summary: str
    cost: Cost
    measured: str
    """How it compares with the others where it was measured; may be empty."""
    paper: PaperOut | None
    params: list[ParamOut]


class PictureCard(Schema):
    """A picture in a list; size and thumbnail are those of its latest version."""

    id: UUID
    title: str
    width: int
    height: int
    versions: int = Field(description="How many there are.")
    thumb_url: str
    page_url: str
    edit_url: str
    changed_at: datetime
    trashed_at: datetime | None = Field(description="When it was thrown away; only in the trash.")
    tags: list[str]
    favourite: bool = Field(description="Yours.")
    review: Literal["open", "approved", "changes"] = Field(description="What the newest verdict says.")


class PicturePage(Schema):
    items: list[PictureCard]
    next: str | None = Field(description="Cursor of the next page.")


class ManyIn(Schema):
    """Which pictures; either all of them are handled or none."""

    pictures: list[UUID]


class TagsIn(ManyIn):
    add: list[str] = Field(default_factory=list)
    remove: list[str] = Field(default_factory=list)


class FavouriteIn(ManyIn):
    favourite: bool


class MoveIn(ManyIn):
    team: UUID | None = Field(description="The team that gets them; null for your own pictures.")


class TitleIn(Schema):
    title: str


class RerunIn(Schema):
    model: str
    params: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None


class HandledOut(Schema):
    handled: int = Field(description="How many pictures were changed.")


class OverlayOut(Schema):
    """A picture of what happened inside the model, to be stretched over its box."""

    name: str = Field(description="Stable key: `coarse`, `lbp`, `ratio-2`.")
    title: str
    url: str
    box: Box = Field(description="left, top, right, bottom in pixels of the photo")


class SourceMapOut(Schema):
    """Where the content of one crop's hole was taken from; the file's format is in ARCHITECTURE.md."""

    url: str
    box: Box = Field(description="left, top, right, bottom in pixels of the photo")
    width: int = Field(description="Cells in a row, stretched over the box.")
    height: int
    patch: int = Field(description="Side of the copied patches in pixels of the photo.")


class VersionOut(Schema):
    """A state of a picture: the upload (no parent) or a result."""

    id: UUID
    parent: UUID | None
    model: str
    model_title: str
    params: dict[str, Any]
    seed: int | None
    width: int
    height: int
    bytes: int
    created_at: datetime
    mask_url: str | None
    display_url: str
    thumb_url: str
    download_url: str = Field(description="Lossless PNG; `?as=original` for the upload's format.")
    original_format: str
    timings: dict[str, Any] = Field(description="Seconds by stage.")
    proof: dict[str, Any] = Field(description="`known_pixels` and how many of them changed; empty for uploads.")
    notes: dict[str, Any]
    overlays: list[OverlayOut]
    sources: list[SourceMapOut]


class PreviewOut(Schema):
    url: str
    box: Box = Field(description="left, top, right, bottom in pixels of the photo")


class SelectionOut(Schema):
    mask_url: str
    share: float = Field(description="Selected pixels over all pixels, 0 to 1.")


class JobOut(Schema):
    id: UUID
    kind: Literal["fill", "select-object", "select-text"]
    picture: UUID
    source: UUID
    result: UUID | None
    selection: SelectionOut | None = Field(description="What a selection found.")
    model: str = Field(description="Empty for selections.")
    model_title: str
    status: Literal["held", "queued", "running", "succeeded", "failed", "cancelled"]
    queue: str
    position: int | None = Field(description="Counts from 1; only for jobs that wait.")
    expected_start: datetime | None = Field(description="Only for jobs that wait; null when it cannot be known.")
    expected_finish: datetime | None = Field(description="Null when such a job was never measured.")
    attempt: int
    stage: str
    fraction: float
    steps_done: int | None
    steps_total: int | None
    seconds_left: float | None
    preview: PreviewOut | None
    error: str
    error_code: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    timings: dict[str, Any]


class BatchOut(Schema):
    """One mask given to several models."""

    batch: UUID
    source: UUID
    mask_url: str
    created_at: datetime
    jobs: list[JobOut] = Field(description="In the order they were queued.")


class BatchCard(Schema):
    """A batch in its picture."""

    id: UUID
    source: UUID
    mask_url: str
    created_at: datetime
    jobs: list[UUID] = Field(description="In the order they were queued.")
    results: list[UUID] = Field(description="The versions made so far, in the same order.")


class DraftOut(Schema):
    """The mask in progress."""

    version: UUID
    url: str
    updated_at: datetime


class AbilitiesOut(Schema):
    select: list[Literal["object", "text"]]


class TeamName(Schema):
    id: UUID
    name: str


class Rights(Schema):
    """What the caller may do with a picture, besides looking at it."""

    edit: bool
    review: bool
    delete: bool
    share: bool


class PictureOut(Schema):
    id: UUID
    title: str
    width: int
    height: int
    created_at: datetime
    edit_url: str
    versions: list[VersionOut] = Field(description="In the order they were made.")
    jobs: list[JobOut] = Field(description="Those that have not ended.")
    draft: DraftOut | None = Field(description="Yours.")
    batches: list[BatchCard] = Field(description="The latest 50, oldest first.")
    team: TeamName | None = Field(description="The team that it belongs to, if any.")
    may: Rights


class SampleIn(Schema):
    name: str
    team: UUID | None = Field(None, description="The team that gets the picture; you without it.")
