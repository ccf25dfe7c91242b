"""Files that belong to running jobs."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from webapp.jobs.models import Job
from webapp.jobs.previews import read_preview
from webapp.operations.requests import PREVIEWS_SERVED


@require_safe
def preview(request: HttpRequest, job_id: UUID, n: int) -> HttpResponse:
    """One live preview: a PNG with alpha in which only the hole's pixels are opaque. 404 when its lifetime is over."""
    if not Job.objects.visible_to(request.user).filter(pk=job_id).exists():
        raise Http404("There is no such job.")
    png = read_preview(job_id, n)
    if png is None:
        raise Http404("This preview is no longer kept.")
    PREVIEWS_SERVED.inc()
    response = HttpResponse(png, content_type="image/png")
    # A number never shows two different pictures, so a browser that has it need not ask again.
    response["Cache-Control"] = "private, max-age=300, immutable"
    return response
