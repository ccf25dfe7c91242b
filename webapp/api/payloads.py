"""From rows to the shapes of the API. The editor page starts from the same shapes."""

from __future__ import annotations

import json
from typing import Any

from django.urls import reverse
from ninja import Schema
from ninja.responses import NinjaJSONEncoder

from inpainting.catalog import ModelEntry, Paper, offered
from webapp.api.schemas import JobOut, ModelOut, PaperOut, ParamOut, PictureCard, PictureOut, VersionOut
from webapp.jobs.models import Job
from webapp.jobs.payloads import job_payload, model_title
from webapp.photos.models import Picture, Version


def as_json(shape: Schema) -> dict[str, Any]:
    """What the API would send for `shape`, to the last digit of a time, for pages that bring it along."""
    found = json.loads(json.dumps(shape.model_dump(), cls=NinjaJSONEncoder))
    assert isinstance(found, dict)  # noqa: S101  # every shape is an object
    return found


def models_out() -> list[ModelOut]:
    """Every model that can be used here, in the order to show them."""
    return [_model_out(entry) for entry in offered()]


def picture_out(picture: Picture) -> PictureOut:
    """A picture with its versions and the jobs that have not ended; two queries, however many there are."""
    versions: list[Version] = list(picture.versions.order_by("created_at", "id"))
    jobs = list(picture.jobs.active().order_by("created_at"))
    upload = versions[0]
    return PictureOut(
        id=picture.pk,
        title=picture.title,
        width=upload.width,
        height=upload.height,
        created_at=picture.created_at,
        edit_url=reverse("editor", args=[picture.pk]),
        versions=[version_out(version) for version in versions],
        jobs=[job_out(job) for job in jobs],
    )


def version_out(version: Version) -> VersionOut:
    """One version; no query."""
    return VersionOut(
        id=version.pk,
        parent=version.parent_id,
        model=version.model,
        model_title=model_title(version.model) if version.model else "",
        params=version.params,
        seed=version.seed,
        width=version.width,
        height=version.height,
        bytes=version.bytes,
        created_at=version.created_at,
        mask_url=None if version.mask_id is None else reverse("mask", args=[version.mask_id]),
        display_url=reverse("version_display", args=[version.pk]),
        thumb_url=reverse("version_thumb", args=[version.pk]),
        download_url=reverse("version_download", args=[version.pk]),
        original_format=version.upload_format,
        timings=version.timings,
        proof=version.proof,
        notes=version.notes,
    )


def job_out(job: Job) -> JobOut:
    """One job, as the socket shows it too."""
    return JobOut.model_validate(job_payload(job))


def card_out(picture: Picture) -> PictureCard:
    """One picture of `PictureQuerySet.for_cards`."""
    row = vars(picture)
    return PictureCard(
        id=picture.pk,
        title=picture.title,
        width=row["latest_width"],
        height=row["latest_height"],
        versions=row["version_count"],
        thumb_url=reverse("version_thumb", args=[row["latest_id"]]),
        edit_url=reverse("editor", args=[picture.pk]),
        changed_at=picture.changed_at,
    )


def _model_out(entry: ModelEntry) -> ModelOut:
    paper = entry.paper
    return ModelOut(
        key=entry.key,
        title=entry.title,
        summary=entry.summary,
        cost=entry.cost,
        paper=None if paper is None else _paper_out(paper),
        params=[
            ParamOut(
                name=param.name,
                kind=param.kind,
                default=param.default,
                label=param.label,
                help=param.help,
                minimum=param.minimum,
                maximum=param.maximum,
                choices=list(param.choices),
            )
            for param in entry.params
        ],
    )


def _paper_out(paper: Paper) -> PaperOut:
    return PaperOut(authors=paper.authors, title=paper.title, year=paper.year, link=paper.link)
