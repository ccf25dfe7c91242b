"""From rows to the shapes of the API. The editor page starts from the same shapes."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from ninja import Schema
from ninja.responses import NinjaJSONEncoder

from inpainting.catalog import ModelEntry, Paper, Standing, offered, standings
from webapp.accounts.models import User
from webapp.api.schemas import (
    AbilitiesOut,
    BatchCard,
    BatchOut,
    DraftOut,
    JobOut,
    ModelOut,
    OverlayOut,
    PaperOut,
    ParamOut,
    PictureCard,
    PictureOut,
    Rights,
    SourceMapOut,
    TeamName,
    VersionOut,
)
from webapp.jobs.batches import jobs_of
from webapp.jobs.models import Batch, Job
from webapp.jobs.payloads import job_payload, model_title
from webapp.jobs.services import abilities
from webapp.photos.models import Draft, Picture, Version
from webapp.teams import policies

MOST_BATCHES = 50


def as_json(shape: Schema) -> dict[str, Any]:
    """What the API would send for `shape`, to the last digit of a time, for pages that bring it along."""
    found = json.loads(json.dumps(shape.model_dump(), cls=NinjaJSONEncoder))
    assert isinstance(found, dict)  # noqa: S101  # every shape is an object
    return found


def models_out() -> list[ModelOut]:
    """Every model that can be used here, in the order to show them."""
    measured = standings()
    return [_model_out(entry, measured.get(entry.key)) for entry in offered()]


def abilities_out() -> AbilitiesOut:
    """What can be selected here at this moment."""
    return AbilitiesOut.model_validate({"select": abilities()})


def picture_out(picture: Picture, user: User | AnonymousUser) -> PictureOut:
    """A picture as `user` sees it; at most ten queries, however many versions and batches there are."""
    rows = picture.versions.order_by("created_at", "id").prefetch_related("overlays", "sources")
    versions: list[Version] = list(rows)
    draft = picture.drafts.filter(owner=user.pk).first()
    batches = list(picture.batches.order_by("-created_at", "-id").prefetch_related("jobs")[:MOST_BATCHES])
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
        draft=None if draft is None else draft_out(draft),
        batches=[_batch_card(batch) for batch in reversed(batches)],
        team=None if picture.team is None else TeamName(id=picture.team.pk, name=picture.team.name),
        may=Rights.model_validate(policies.rights(user, picture)),
    )


def version_out(version: Version) -> VersionOut:
    """One version; no query when its overlays and sources are prefetched."""
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
        overlays=[
            OverlayOut(name=row.name, title=row.title, url=reverse("overlay", args=[row.pk]), box=row.box)
            for row in version.overlays.all()
        ],
        sources=[
            SourceMapOut(
                url=reverse("sources", args=[row.pk]), box=row.box, width=row.width, height=row.height, patch=row.patch
            )
            for row in version.sources.all()
        ],
    )


def job_out(job: Job) -> JobOut:
    """One job, as the socket shows it too."""
    return JobOut.model_validate(job_payload(job))


def batch_out(batch: Batch) -> BatchOut:
    """A batch with its jobs as they are now."""
    return BatchOut(
        batch=batch.pk,
        source=batch.source_id,
        mask_url=reverse("mask", args=[batch.mask_id]),
        created_at=batch.created_at,
        jobs=[job_out(job) for job in jobs_of(batch)],
    )


def draft_out(draft: Draft) -> DraftOut:
    """Where a draft is to be had."""
    url = reverse("api:draft", args=[draft.version_id])
    return DraftOut(version=draft.version_id, url=url, updated_at=draft.updated_at)


def _batch_card(batch: Batch) -> BatchCard:
    jobs = sorted(batch.jobs.all(), key=lambda job: (job.created_at, job.pk))
    return BatchCard(
        id=batch.pk,
        source=batch.source_id,
        mask_url=reverse("mask", args=[batch.mask_id]),
        created_at=batch.created_at,
        jobs=[job.pk for job in jobs],
        results=[job.result_id for job in jobs if job.result_id is not None],
    )


def card_out(picture: Picture) -> PictureCard:
    """One picture as `webapp.galleries.search.cards` gives it."""
    row = vars(picture)
    return PictureCard(
        id=picture.pk,
        title=picture.title,
        width=row["latest_width"],
        height=row["latest_height"],
        versions=row["version_count"],
        thumb_url=reverse("version_thumb", args=[row["latest_id"]]),
        page_url=reverse("picture", args=[picture.pk]),
        edit_url=reverse("editor", args=[picture.pk]),
        changed_at=picture.changed_at,
        trashed_at=picture.trashed_at,
        tags=[tag.name for tag in picture.tags.all()],
        favourite=row["is_favourite"],
        review=row["review"] or "open",
    )


def _model_out(entry: ModelEntry, standing: Standing | None) -> ModelOut:
    paper = entry.paper
    return ModelOut(
        key=entry.key,
        title=entry.title,
        summary=entry.summary,
        cost=entry.cost,
        measured=standing.sentence if standing else "",
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
