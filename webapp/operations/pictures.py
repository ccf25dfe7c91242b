"""What a job was given and what it made, for staff who look into it. Owners have their own addresses."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from webapp.errors import not_found
from webapp.jobs.models import Job
from webapp.operations.access import staff_only
from webapp.photos.models import Version
from webapp.photos.renditions import CONTENT_TYPES, make_rendition
from webapp.photos.serving import send_file


@staff_only
@require_safe
def source(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The photo as the job got it, for the screen."""
    return _display(request, _job(job_id).source)


@staff_only
@require_safe
def result(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The photo as the job left it, for the screen; 404 when it made none."""
    return _display(request, _job(job_id).result)


@staff_only
@require_safe
def mask(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """The hole: 8-bit PNG, white is to be filled."""
    found = _job(job_id).mask
    return send_file(request, found.file, etag=f'"{found.pk}"', content_type="image/png", filename="mask.png")


def _job(job_id: UUID) -> Job:
    found: Job | None = Job.objects.select_related("source", "mask", "result").filter(pk=job_id).first()
    if found is None:
        raise not_found()
    return found


def _display(request: HttpRequest, version: Version | None) -> HttpResponseBase:
    if version is None:
        raise not_found()
    file = make_rendition(version, "display").file
    suffix = "." + (file.name or "").rpartition(".")[2]
    return send_file(
        request,
        file,
        etag=f'"{version.pk}-display"',
        content_type=CONTENT_TYPES[suffix],
        filename=f"{version.pk}{suffix}",
    )
