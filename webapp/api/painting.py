"""The REST API's calls about masks: selections, drafts, and reading masks that come from elsewhere."""

from __future__ import annotations

from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from ninja import File, Form, Router, Status, UploadedFile

from inpainting.imaging import encode_mask
from webapp.accounts.services import account_for
from webapp.api.payloads import draft_out, job_out
from webapp.api.schemas import DraftOut, JobOut
from webapp.api.seen import REFUSED, editable_version, visible_version
from webapp.errors import Refusal
from webapp.jobs.services import submit_selection
from webapp.photos import drafts, services
from webapp.photos.files import new_files, read_file
from webapp.photos.models import Mask, Version
from webapp.photos.uploads import too_big

router = Router(tags=["masks"])


@router.post(
    "/versions/{uuid:version_id}/select",
    response={201: JobOut, 200: JobOut, **REFUSED},
    summary="Select an object, or text",
)
def select(
    request: HttpRequest, version_id: UUID, kind: Form[str], hint: File[UploadedFile | None] = None
) -> Status[JobOut]:
    """Ask for a mask of the object under a rough stroke, or of the text in a region (everywhere without a hint).

    `hint` is a picture like a mask. The job's `selection` has the mask once it succeeded; nothing else changes.
    """
    version = editable_version(request, version_id)
    with account_for(request) as owner, new_files(), transaction.atomic():
        stroke = _stroke(version, None if hint is None else hint.read(), kind)
        job, created = submit_selection(owner, version, stroke, kind=kind)
    return Status(201 if created else 200, job_out(job))


@router.post("/versions/{uuid:version_id}/mask", response={200: None, **REFUSED}, summary="Read a mask")
def read_mask(request: HttpRequest, version_id: UUID, mask: File[UploadedFile]) -> HttpResponse:
    """Turn a picture of any format into a mask: 8-bit PNG, 255 where it has 128 or more. Nothing is kept."""
    version = visible_version(request, version_id)
    return _png(encode_mask(services.normalise_mask(version, mask.read())))


@router.put(
    "/versions/{uuid:version_id}/draft",
    response={200: DraftOut, 204: None, **REFUSED},
    summary="Keep a mask in progress",
    openapi_extra={"requestBody": {"required": True, "content": {"image/png": {}}}},
)
def put_draft(request: HttpRequest, version_id: UUID) -> Status[DraftOut] | Status[None]:
    """Keep the mask in the body; whoever writes last wins. One without a hole removes the draft (204)."""
    version = editable_version(request, version_id)
    # Not `body`, which ends at the limit for forms; a mask of a large photo may well be larger.
    data = request.read(settings.MAX_UPLOAD_BYTES + 1)
    if len(data) > settings.MAX_UPLOAD_BYTES:
        raise too_big()
    with account_for(request) as owner:
        draft = drafts.save_draft(owner, version, data)
    return Status(204, None) if draft is None else Status(200, draft_out(draft))


@router.get(
    "/versions/{uuid:version_id}/draft",
    response={200: None, 204: None, **REFUSED},
    summary="The mask in progress",
    url_name="draft",
)
def get_draft(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Your draft on this version as 8-bit PNG, or 204 when there is none."""
    draft = drafts.draft_on(request.user, visible_version(request, version_id))
    if draft is None:
        return HttpResponse(status=204)
    try:
        return _png(read_file(draft.file))
    except FileNotFoundError:  # replaced or removed at this moment
        return HttpResponse(status=204)


@router.delete("/versions/{uuid:version_id}/draft", response={204: None, **REFUSED}, summary="Drop a mask in progress")
def delete_draft(request: HttpRequest, version_id: UUID) -> Status[None]:
    """Remove your draft on this version, if there is one."""
    drafts.delete_draft(request.user, visible_version(request, version_id))
    return Status(204, None)


def _stroke(version: Version, data: bytes | None, kind: str) -> Mask:
    if data is not None:
        hole = services.normalise_mask(version, data)
    elif kind == "object":
        raise Refusal("no_hint", "Paint a rough stroke over the object first.", status=422)
    else:
        hole = np.ones((version.height, version.width), np.bool_)
    if not hole.any():
        raise Refusal("empty_mask", "Nothing is painted yet; paint a rough stroke first.", status=422)
    return services.keep_mask(version, hole)


def _png(data: bytes) -> HttpResponse:
    return HttpResponse(data, content_type="image/png", headers={"Cache-Control": "no-store"})
