"""The book of attempts: what ran, how long, for whom. `webapp.jobs.states` writes it; limits and estimates read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.utils import timezone

from webapp.operations.models import Attempt

if TYPE_CHECKING:
    from webapp.jobs.models import Job

DAY = timedelta(hours=24)
_LATEST = 21
"""How many of the latest measurements a model's usual time is the median of: enough to be steady, few enough to
follow a machine that became faster or slower."""


def size_class(photo_pixels: int, hole_pixels: int) -> int:
    """The class of jobs that take about as long: photo and hole each by factors of four in pixels, two in sides.

    Reading, decoding and writing grow with the photo, filling with the hole; so both count, as ``100 · photo + hole``.
    """
    return 100 * _factor_of_four(photo_pixels) + _factor_of_four(hole_pixels)


def _factor_of_four(pixels: int) -> int:
    """floor(log₄ pixels), exactly."""
    return (max(pixels, 1).bit_length() - 1) // 2


def note(job: Job, *, worker: str, device: str, started_at: datetime, queued_at: datetime | None) -> None:
    """Write down the attempt that has just ended; `job` is as it is now, the rest as it was while it ran."""
    ended_at = _ended_at(job)
    waited = (started_at - queued_at).total_seconds() if queued_at else 0.0
    photo_pixels = job.source.width * job.source.height
    Attempt.objects.create(
        job=job.pk,
        owner=job.owner_id,
        number=job.attempt,
        model=job.model,
        queue=job.queue,
        worker=worker,
        device=device,
        photo_pixels=photo_pixels,
        hole_pixels=job.mask.hole_pixels,
        size_class=size_class(photo_pixels, job.mask.hole_pixels),
        outcome=job.status,
        error_code=job.error_code if job.status == "failed" else "",
        wait_seconds=max(0.0, waited),
        run_seconds=max(0.0, (ended_at - counted_from(job, started_at)).total_seconds()),
        ended_at=ended_at,
    )


def counted_from(job: Job, started_at: datetime) -> datetime:
    """From when on the attempt that has just ended counts: of jobs that were computed together each has its share."""
    ended_at = _ended_at(job)
    return ended_at - (ended_at - started_at) / job.together


def _ended_at(job: Job) -> datetime:
    return job.finished_at or job.queued_at or timezone.now()


def usual_seconds(model: str, size: int, devices: Sequence[str] = ()) -> float | None:
    """How long a successful attempt of `model` usually takes for that size class; None when it was never measured.

    On one of `devices` if it ran there before, else on any; never another size: a class away is a factor of four.
    """
    measured: QuerySet[Attempt] = Attempt.objects.filter(model=model, size_class=size, outcome="succeeded")
    here = measured.filter(device__in=devices) if devices else measured
    for rows in (here, measured):
        seconds = list(rows.order_by("-ended_at").values_list("run_seconds", flat=True)[:_LATEST])
        if seconds:
            return median(seconds)
    return None


def seconds_of_day(owner: UUID, now: datetime) -> float:
    """Seconds that `owner`'s attempts ran which ended within the last 24 hours."""
    total = Attempt.objects.filter(owner=owner, ended_at__gt=now - DAY).aggregate(total=Sum("run_seconds"))["total"]
    return float(total or 0.0)


def when_below(owner: UUID, allowed: float, now: datetime) -> datetime:
    """When the attempts of the last 24 hours will have dropped out that keep `owner` at or above `allowed` seconds."""
    used = seconds_of_day(owner, now)
    ended = Attempt.objects.filter(owner=owner, ended_at__gt=now - DAY).order_by("ended_at")
    for ended_at, seconds in ended.values_list("ended_at", "run_seconds").iterator(chunk_size=500):
        used -= seconds
        if used < allowed:
            return ended_at + DAY
    return now + DAY
