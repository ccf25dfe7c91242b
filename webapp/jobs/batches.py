"""*Try all models*: one mask given to several models at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction

from inpainting.catalog import ModelEntry, offered
from webapp.errors import Refusal
from webapp.jobs.models import Batch, Job
from webapp.jobs.services import cancel_job, submit_job
from webapp.photos.models import Mask, Version

if TYPE_CHECKING:
    from webapp.accounts.models import User

_COSTS = ("instant", "fast", "slow")


def submit_batch(owner: User, version: Version, mask: Mask, *, models: Sequence[str] | None) -> tuple[Batch, bool]:
    """Ask each of `models` (None: all that are offered) to fill `mask` of `version`; returns ``(batch, created)``.

    All jobs are queued or none is, the quick ones first, each with its model's usual parameters. A job of the same
    request that is under way already becomes part of the batch. When all of them are, and in one batch, that batch is
    the answer. Raises `Refusal` as `submit_job` does.
    """
    keys = _in_order(models)
    with transaction.atomic():
        answers = [submit_job(owner, version, mask, model=key, params=None) for key in keys]
        jobs = [job for job, _ in answers]
        if not any(created for _, created in answers):
            existing = _batch_of(jobs)
            if existing is not None:
                return existing, False
        batch = Batch.objects.create(owner=owner, picture_id=version.picture_id, source=version, mask=jobs[0].mask)
        batch.jobs.set(jobs)
    return batch, True


def jobs_of(batch: Batch) -> list[Job]:
    """The jobs of a batch, in the order they were queued."""
    return list(batch.jobs.order_by("created_at", "id"))


def cancel_batch(batch: Batch, *, actor: str) -> None:
    """Call off every job of `batch` that has not ended."""
    for job in jobs_of(batch):
        cancel_job(job, actor=actor)


def _in_order(models: Sequence[str] | None) -> list[str]:
    """The keys without repetition, models that answer at once first. Unknown ones stay, for `submit_job` to refuse."""
    entries = {entry.key: entry for entry in offered()}
    keys = list(entries) if models is None else list(dict.fromkeys(models))
    if not keys:
        raise Refusal("no_models", "Name at least one model.", status=422)

    def rank(key: str) -> int:
        entry: ModelEntry | None = entries.get(key)
        return 0 if entry is None else _COSTS.index(entry.cost)

    return sorted(keys, key=rank)


def _batch_of(jobs: Sequence[Job]) -> Batch | None:
    """The newest batch of just these jobs."""
    wanted = {job.pk for job in jobs}
    rows: list[Batch] = list(Batch.objects.filter(jobs=jobs[0]).order_by("-created_at").prefetch_related("jobs"))
    for batch in rows:
        if {job.pk for job in batch.jobs.all()} == wanted:
            return batch
    return None
