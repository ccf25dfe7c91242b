"""The shapes of the API's answers; ARCHITECTURE.md shows them at a glance."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema

from inpainting.catalog import Cost, ParamKind


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
    edit_url: str
    changed_at: datetime


class PicturePage(Schema):
    items: list[PictureCard]
    next: str | None = Field(description="Cursor of the next page.")


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


class PreviewOut(Schema):
    url: str
    box: tuple[int, int, int, int] = Field(description="left, top, right, bottom in pixels of the photo")


class JobOut(Schema):
    id: UUID
    picture: UUID
    source: UUID
    result: UUID | None
    model: str
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


class PictureOut(Schema):
    id: UUID
    title: str
    width: int
    height: int
    created_at: datetime
    edit_url: str
    versions: list[VersionOut] = Field(description="In the order they were made.")
    jobs: list[JobOut] = Field(description="Those that have not ended.")


class SampleIn(Schema):
    name: str
