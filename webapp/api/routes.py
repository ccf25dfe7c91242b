"""The REST API's calls about pictures and jobs; `painting` has those about masks.

Each call finds what it is about among what the caller may see, and leaves the rest to a service.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import File, Form, Query, Router, Status, UploadedFile

from webapp.accounts.services import account_for
from webapp.api.payloads import abilities_out, batch_out, card_out, job_out, models_out, picture_out
from webapp.api.schemas import AbilitiesOut, BatchOut, JobOut, ModelOut, PictureOut, PicturePage, SampleIn, TitleIn
from webapp.api.searches import SearchIn
from webapp.api.seen import REFUSED, caller, editable_version, visible_picture, visible_team
from webapp.errors import Refusal, not_found
from webapp.galleries.search import find_page
from webapp.galleries.services import rename, throw_away
from webapp.jobs.batches import cancel_batch, submit_batch
from webapp.jobs.models import Batch, Job
from webapp.jobs.services import cancel_job, submit_job
from webapp.photos import services
from webapp.photos.files import new_files
from webapp.teams import policies

router = Router()


@router.get("/models", response=list[ModelOut], summary="Models", tags=["models"])
def list_models(request: HttpRequest) -> list[ModelOut]:
    """Every model that can be used here with its parameters, in the order to show them."""
    return models_out()


@router.post("/pictures", response={201: PictureOut, **REFUSED}, summary="Upload a photo", tags=["pictures"])
def upload_picture(
    request: HttpRequest, file: File[UploadedFile], team: Form[UUID | None] = None
) -> Status[PictureOut]:
    """Take in a JPEG, PNG, WebP, TIFF or HEIC photo, for a team where `team` names one.

    A visitor becomes a guest by this, where guests are allowed.
    """
    into = None if team is None else visible_team(request, team)
    with account_for(request) as owner:
        picture = services.add_picture(owner, file.name or "", file.read(), team=into)
        return Status(201, picture_out(picture, owner))


@router.post(
    "/pictures/sample", response={201: PictureOut, **REFUSED}, summary="Take a sample photo", tags=["pictures"]
)
def take_sample(request: HttpRequest, sample: SampleIn) -> Status[PictureOut]:
    """Start from one of the photos that come with the site."""
    into = None if sample.team is None else visible_team(request, sample.team)
    with account_for(request) as owner:
        picture = services.add_sample(owner, sample.name, team=into)
        return Status(201, picture_out(picture, owner))


@router.get("/pictures", response={200: PicturePage, **REFUSED}, summary="A gallery", tags=["pictures"])
def list_pictures(request: HttpRequest, wanted: Query[SearchIn], cursor: str | None = None) -> PicturePage:
    """Your pictures, or a team's, 24 at a time; `next` is the cursor of the following page of the same search."""
    page = find_page(request.user, wanted.as_search(), cursor)
    return PicturePage(items=[card_out(row) for row in page.pictures], next=page.next)


@router.patch("/pictures/{uuid:picture_id}", response={200: TitleIn, **REFUSED}, summary="Rename", tags=["pictures"])
def rename_picture(request: HttpRequest, picture_id: UUID, change: TitleIn) -> TitleIn:
    """Give a picture another title."""
    picture = visible_picture(request, picture_id)
    return TitleIn(title=rename(caller(request), picture, change.title).title)


@router.get(
    "/pictures/{uuid:picture_id}", response={200: PictureOut, **REFUSED}, summary="A picture", tags=["pictures"]
)
def get_picture(request: HttpRequest, picture_id: UUID) -> PictureOut:
    """A picture with its versions and the jobs that have not ended."""
    return picture_out(visible_picture(request, picture_id), request.user)


@router.delete(
    "/pictures/{uuid:picture_id}", response={204: None, **REFUSED}, summary="Delete a picture", tags=["pictures"]
)
def delete_picture(request: HttpRequest, picture_id: UUID) -> Status[None]:
    """Put a picture into the trash; it can be brought back for some days. Its jobs are called off."""
    throw_away(caller(request), [picture_id])
    return Status(204, None)


@router.post(
    "/versions/{uuid:version_id}/fill",
    response={201: JobOut, 200: JobOut, **REFUSED},
    summary="Fill a hole",
    tags=["jobs"],
)
def fill(
    request: HttpRequest,
    version_id: UUID,
    mask: File[UploadedFile],
    model: Form[str],
    params: Form[str] = "{}",
    seed: Form[int | None] = None,
) -> Status[JobOut]:
    """Ask a model to fill the hole painted in `mask` (a PNG of the version's size, 128 or more is hole).

    `params` is a JSON object of the model's parameters. Answers 200 with the job that exists when the same request
    is already waiting or running.
    """
    version = editable_version(request, version_id)
    with account_for(request) as owner, new_files(), transaction.atomic():
        job, created = submit_job(
            owner, version, services.add_mask(version, mask.read()), model=model, params=_params(params), seed=seed
        )
    return Status(201 if created else 200, job_out(job))


@router.post(
    "/versions/{uuid:version_id}/fill-all",
    response={201: BatchOut, 200: BatchOut, **REFUSED},
    summary="Fill a hole with several models",
    tags=["jobs"],
)
def fill_all(
    request: HttpRequest, version_id: UUID, mask: File[UploadedFile], models: Form[str | None] = None
) -> Status[BatchOut]:
    """Ask several models to fill the same hole; `models` is a JSON list of their keys, all that are offered without it.

    Either all jobs are queued or none is. Answers 200 with the batch that exists when the same request is under way.
    """
    version = editable_version(request, version_id)
    keys = None if models is None else _keys(models)
    with account_for(request) as owner, new_files(), transaction.atomic():
        batch, created = submit_batch(owner, version, services.add_mask(version, mask.read()), models=keys)
    return Status(201 if created else 200, batch_out(batch))


@router.get("/abilities", response=AbilitiesOut, summary="What can be selected", tags=["masks"])
def list_abilities(request: HttpRequest) -> AbilitiesOut:
    """Kinds of selection that a worker can make which is alive now."""
    return abilities_out()


@router.get("/jobs/{uuid:job_id}", response={200: JobOut, **REFUSED}, summary="A job", tags=["jobs"])
def get_job(request: HttpRequest, job_id: UUID) -> JobOut:
    """A job as it is now."""
    return job_out(_job(request, job_id))


@router.post("/jobs/{uuid:job_id}/cancel", response={200: JobOut, **REFUSED}, summary="Cancel a job", tags=["jobs"])
def cancel(request: HttpRequest, job_id: UUID) -> JobOut:
    """Call a job off; one that has ended stays as it is."""
    job = _job(request, job_id)
    if not policies.can_cancel(request.user, job):
        raise policies.forbidden()
    return job_out(cancel_job(job, actor=str(request.user.pk)))


@router.get("/batches/{uuid:batch_id}", response={200: BatchOut, **REFUSED}, summary="A batch", tags=["jobs"])
def get_batch(request: HttpRequest, batch_id: UUID) -> BatchOut:
    """A batch with its jobs as they are now."""
    return batch_out(_batch(request, batch_id))


@router.post(
    "/batches/{uuid:batch_id}/cancel", response={200: BatchOut, **REFUSED}, summary="Cancel a batch", tags=["jobs"]
)
def cancel_all(request: HttpRequest, batch_id: UUID) -> BatchOut:
    """Call off the jobs of a batch that have not ended."""
    batch = _batch(request, batch_id)
    if not policies.can_cancel(request.user, batch):
        raise policies.forbidden()
    cancel_batch(batch, actor=str(request.user.pk))
    return batch_out(batch)


def _job(request: HttpRequest, job_id: UUID) -> Job:
    found: Job | None = Job.objects.visible_to(request.user).filter(pk=job_id).first()
    if found is None:
        raise not_found()
    return found


def _batch(request: HttpRequest, batch_id: UUID) -> Batch:
    found: Batch | None = Batch.objects.visible_to(request.user).filter(pk=batch_id).first()
    if found is None:
        raise not_found()
    return found


def _keys(text: str) -> list[str]:
    try:
        keys = json.loads(text)
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refusal("bad_models", "“models” must be a JSON list of models' keys.", status=422)
    return keys


def _params(text: str) -> dict[str, Any]:
    try:
        params = json.loads(text or "{}")
    except ValueError:
        params = None
    if not isinstance(params, dict):
        raise Refusal("bad_params", "“params” must be a JSON object of the model's parameters.", status=422)
    return params
