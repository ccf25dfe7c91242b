"""A job as the API and the socket show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from inpainting.catalog import CatalogError, get_entry
from webapp.jobs import claims
from webapp.jobs.events import PreviewInfo
from webapp.jobs.models import Job
from webapp.jobs.previews import newest_preview
from webapp.operations import estimates


def job_payload(job: Job, *, position: int | None = None) -> dict[str, Any]:
    """The Job JSON of the API: ids as text, times in ISO 8601, durations in seconds.

    `position` may be given by who has looked it up for many jobs at once.

    `position` counts from 1 and is given for queued jobs, as are `expected_start` and `expected_finish` (the latter
    for running ones too) when such jobs were measured before; `preview` while the job runs and Redis still has one.
    """
    expected = estimates.expected(job)
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "picture": str(job.picture_id),
        "source": str(job.source_id),
        "result": None if job.result_id is None else str(job.result_id),
        "selection": _selection(job),
        "model": job.model,
        "model_title": model_title(job.model) if job.is_fill else job.get_kind_display(),
        "status": job.status,
        "queue": job.queue,
        "position": claims.position(job) if position is None else position,
        "expected_start": _iso(expected.start),
        "expected_finish": _iso(expected.finish),
        "attempt": job.attempt,
        "stage": job.stage,
        "fraction": job.fraction,
        "steps_done": job.steps_done,
        "steps_total": job.steps_total,
        "seconds_left": job.seconds_left,
        "preview": _preview(job),
        "error": job.error,
        "error_code": job.error_code,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "timings": job.timings,
    }


def preview_info(job_id: UUID | str, number: int, box: list[int]) -> PreviewInfo:
    """Where the browser finds a preview."""
    return {"url": reverse("jobs:preview", args=[job_id, number]), "box": box}


def model_title(key: str) -> str:
    """The model's name for people; a model that was removed from the catalogue keeps its key."""
    try:
        return get_entry(key).title
    except CatalogError:
        return key


def _selection(job: Job) -> dict[str, Any] | None:
    mask = job.selection
    return None if mask is None else {"mask_url": reverse("mask", args=[mask.pk]), "share": mask.hole_share}


def _preview(job: Job) -> PreviewInfo | None:
    if job.status != Job.Status.RUNNING:
        return None
    note = newest_preview(job.pk)
    return None if note is None else preview_info(job.pk, note.number, note.box)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
