"""What a person can do with jobs: ask for a fill or a selection, and call it off."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction

from inpainting.catalog import CatalogError, ModelEntry, get_entry
from webapp.errors import Refusal
from webapp.jobs import states
from webapp.jobs.limits import check_limits
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.querysets import ACTIVE
from webapp.photos.drafts import draft_is_submitted
from webapp.photos.models import Mask, Version
from webapp.teams import policies, quotas

if TYPE_CHECKING:
    from webapp.accounts.models import User

LARGEST_SEED = 2**32 - 1
"""What every random generator in use takes, and what survives a browser's numbers."""
SELECTIONS = {"object": Job.Kind.SELECT_OBJECT, "text": Job.Kind.SELECT_TEXT}
"""What can be asked for, and the kind of job that does it."""
SELECTION_PRIORITY = 10
_RACES = 10


def submit_job(
    owner: User,
    version: Version,
    mask: Mask,
    *,
    model: str,
    params: Mapping[str, Any] | None,
    seed: int | None = None,
    queue: str = Job.Queue.INTERACTIVE,
    priority: int = 0,
    by_staff: str = "",
) -> tuple[Job, bool]:
    """Ask for `mask` of `version` to be filled; returns ``(job, created)``. A draft of just that mask is done with.

    The same request (photo, hole, model, parameters, given seed) of the same person answers with the job that is
    already waiting or running. Without a seed one is drawn, and the request still counts as the same. Raises
    `Refusal` for a picture that is not the person's, an unknown or untrained model, parameters or a seed out of
    range, and a person who is at a limit. A job that one of the staff asks for in the owner's name (`by_staff`, their
    id) is neither limited nor reviewed.
    """
    _check_pictures(owner, version, mask)
    entry, parsed = _check_model(model, params)
    _check_seed(seed)
    job = Job(
        owner=owner,
        picture_id=version.picture_id,
        source=version,
        mask=mask,
        model=entry.key,
        params=parsed,
        seed=secrets.randbelow(LARGEST_SEED + 1) if seed is None else seed,
        fingerprint=_fingerprint(version, mask, entry.key, parsed, seed),
        queue=queue,
        priority=priority,
    )
    answer = _submit(job, by_staff=by_staff)
    draft_is_submitted(owner, mask)
    return answer


def submit_selection(owner: User, version: Version, hint: Mask, *, kind: str) -> tuple[Job, bool]:
    """Ask for a mask of what the stroke `hint` was painted over; `kind` is “object” or “text”.

    Returns ``(job, created)`` as `submit_job` does. Selections are short, so they go before fills. Raises `Refusal`
    also for what no worker that is alive can select.
    """
    _check_pictures(owner, version, hint)
    if kind not in SELECTIONS:
        raise Refusal("bad_kind", f"“kind” must be one of: {', '.join(SELECTIONS)}.", status=422)
    if kind not in abilities():
        raise Refusal("not_able", f"Selecting {kind} is not available here: no worker has what it needs.", status=422)
    job = Job(
        owner=owner,
        picture_id=version.picture_id,
        source=version,
        mask=hint,
        kind=SELECTIONS[kind],
        fingerprint=_fingerprint(version, hint, SELECTIONS[kind], {}, None),
        priority=SELECTION_PRIORITY,
    )
    return _submit(job)


def abilities() -> list[str]:
    """What can be selected here. Objects need nothing special; anything else needs a living worker that says so."""
    workers = WorkerSeen.objects.alive().values_list("abilities", flat=True)
    able = {"object"}.union(*workers)
    return [kind for kind in SELECTIONS if kind in able]


def _submit(job: Job, *, by_staff: str = "") -> tuple[Job, bool]:
    """The active job of the same fingerprint, or `job` itself, queued (or held for review)."""
    owner, fingerprint = job.owner, job.fingerprint
    for _ in range(_RACES):
        existing = Job.objects.active().filter(owner=owner, fingerprint=fingerprint).first()
        if existing is not None:
            return existing, False
        try:
            with transaction.atomic():
                if not by_staff:
                    check_limits(owner, job.picture.team)
                    quotas.check_compute(job.picture.team)
                    quotas.check_room(owner, job.picture.team)
                # A selection makes a mask, not a picture: there is nothing in it to review.
                review = settings.JOBS.review and not by_staff and job.kind == Job.Kind.FILL
                return states.submit(job, actor=by_staff or str(owner.pk), review=review), True
        except IntegrityError:
            # Either the same request came in at this moment and is now the one to answer with, or something else
            # is wrong with the row.
            if not Job.objects.active().filter(owner=owner, fingerprint=fingerprint).exists():
                _check_still_there(job.source, job.mask)
    raise Refusal("try_again", "This request could not be taken. Please try again.", status=409)


def cancel_job(job: Job, *, actor: str) -> Job:
    """Make sure that `job` does not run (any more); returns it as it is now.

    A job that ended before stays as it is: whoever presses *Cancel* a moment too late gets the result.
    """
    for _ in range(_RACES):
        if job.status not in ACTIVE:
            return job
        try:
            return states.cancel(job, actor=actor)
        except states.Lost:
            job.refresh_from_db()
    raise Refusal("try_again", "This job is changing too quickly to be cancelled. Please try again.", status=409)


def _check_pictures(owner: User, version: Version, mask: Mask) -> None:
    if not Version.objects.visible_to(owner).filter(pk=version.pk).exists():
        raise Refusal("not_found", "There is no such picture.", status=404)
    policies.require(policies.can_edit, owner, version.picture)
    if mask.picture_id != version.picture_id:
        raise Refusal("mask_of_other_picture", "This mask was painted on another picture.")


def _check_model(model: str, params: Mapping[str, Any] | None) -> tuple[ModelEntry, dict[str, Any]]:
    try:
        entry = get_entry(model)
    except CatalogError as error:
        raise Refusal("unknown_model", str(error)) from None
    if not entry.trained:
        raise Refusal("untrained_model", f"{entry.title} has no trained weights here. Choose another model.")
    try:
        return entry, entry.parse_params(params)
    except CatalogError as error:
        raise Refusal("bad_params", str(error)) from None


def _check_seed(seed: int | None) -> None:
    if seed is not None and not (isinstance(seed, int) and 0 <= seed <= LARGEST_SEED):
        raise Refusal("bad_seed", f"The seed must be a whole number from 0 to {LARGEST_SEED}.")


def _check_still_there(version: Version, mask: Mask) -> None:
    if not (Version.objects.filter(pk=version.pk).exists() and Mask.objects.filter(pk=mask.pk).exists()):
        raise Refusal("not_found", "This picture was deleted.", status=404)


def _fingerprint(version: Version, mask: Mask, model: str, params: Mapping[str, Any], seed: int | None) -> str:
    """Equal for equal requests. The mask counts by its pixels: each request brings a mask row of its own."""
    asked = [str(version.pk), mask.sha256, model, dict(params), seed]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
