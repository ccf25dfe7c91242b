"""Jobs as bare rows, for tests of rules that need no picture behind them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from webapp.accounts.models import User
from webapp.jobs.models import Job
from webapp.photos.models import Mask, Picture, Version


def make_version(owner: User) -> tuple[Version, Mask]:
    """Rows of a picture, its upload and a mask; their files do not exist."""
    picture = Picture.objects.create(owner=owner, title="wall")
    version = Version.objects.create(
        picture=picture, file="version/none.png", bytes=1, width=8, height=8, upload_format="PNG"
    )
    mask = Mask.objects.create(
        picture=picture, file="mask/none.png", sha256=uuid.uuid4().hex, hole_pixels=1, hole_share=0.1
    )
    return version, mask


def make_jobs(owner: User, number: int, *, first_at: datetime | None = None, **columns: Any) -> list[Job]:
    """`number` queued jobs of one picture, a millisecond apart, as if submitted from `first_at` on."""
    first_at = first_at or timezone.now() - timedelta(hours=1)
    jobs = unsaved_jobs(owner, number, queued_at=first_at, **columns)
    Job.objects.bulk_create(jobs)
    for place, job in enumerate(jobs):
        job.created_at = first_at + timedelta(milliseconds=place)
    Job.objects.bulk_update(jobs, ["created_at"])
    return jobs


def unsaved_jobs(owner: User, number: int, **columns: Any) -> list[Job]:
    """`number` queued jobs of one picture, for inserting many at once."""
    version, mask = make_version(owner)
    return [
        Job(
            owner=owner,
            picture_id=version.picture_id,
            source=version,
            mask=mask,
            fingerprint=uuid.uuid4().hex,
            **{"status": "queued", "queue": "batch", "model": "telea", **columns},
        )
        for _ in range(number)
    ]
