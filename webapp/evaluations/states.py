"""The only writer of the states of evaluations and their units.

Every change of a unit is a compare-and-set on state and attempt that must hit one row. Units of an evaluation that was
cancelled are not claimed any more, and a running one notices at its next sign of life.

    unit: queued → running → done | failed; running → queued by the sweep or a worker that is told to stop
    evaluation: running → done (its report unit is done) | failed | cancelled
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from webapp.evaluations import dispatch
from webapp.evaluations.models import Evaluation, Unit

_MOST_TOKENS = 16


class Lost(Exception):
    """The unit is no longer in the state or attempt that the caller knew, or its evaluation was cancelled."""


def claimable() -> QuerySet[Unit]:
    """Units that may start now; the report only when no photo is left."""
    unfinished = Unit.objects.filter(
        evaluation=OuterRef("evaluation"), kind=Unit.Kind.PHOTO, state__in=[Unit.State.QUEUED, Unit.State.RUNNING]
    )
    return Unit.objects.filter(state=Unit.State.QUEUED, evaluation__state=Evaluation.State.RUNNING).filter(
        Q(kind=Unit.Kind.PHOTO) | ~Exists(unfinished)
    )


def claim_next(*, worker: str) -> Unit | None:
    """Start the next unit for `worker`: people in turn, each person's oldest evaluation first; None when none waits."""
    for owner in _owners_in_turn():
        with transaction.atomic():
            # Reports first: they are what somebody waits for, and they are short.
            waiting = (
                claimable().filter(evaluation__owner=owner).order_by("-kind", "evaluation__created_at", "position")
            )
            unit = waiting.select_for_update(skip_locked=True, of=("self",)).first()
            if unit is None:
                continue
            hit = Unit.objects.filter(pk=unit.pk, state=Unit.State.QUEUED, attempt=unit.attempt).update(
                state=Unit.State.RUNNING,
                attempt=F("attempt") + 1,
                worker=worker,
                stage="",
                fraction=0.0,
                started_at=Now(),
                heartbeat_at=Now(),
            )
            if hit == 1:
                unit.refresh_from_db()
                return unit
    return None


def sign_of_life(unit: Unit, *, stage: str, fraction: float) -> None:
    """Note that a running unit is alive and how far it is; raises `Lost` when it must not go on."""
    mine = Unit.objects.filter(
        pk=unit.pk, state=Unit.State.RUNNING, attempt=unit.attempt, evaluation__state=Evaluation.State.RUNNING
    )
    if mine.update(heartbeat_at=Now(), stage=stage[:160], fraction=fraction) != 1:
        raise Lost(f"Unit {unit.pk} is no longer ours in attempt {unit.attempt}.")


def finish(unit: Unit, **changes: Any) -> None:
    """running → done; raises `Lost`."""
    _move(unit, Unit.State.DONE, fraction=1.0, **changes)
    _next_token()


def fail(unit: Unit, message: str) -> None:
    """running → failed. A photo that fails is left out; without its report an evaluation fails too. Raises `Lost`."""
    with transaction.atomic():
        _move(unit, Unit.State.FAILED, error=message)
        if unit.kind == Unit.Kind.REPORT:
            Evaluation.objects.filter(pk=unit.evaluation_id, state=Evaluation.State.RUNNING).update(
                state=Evaluation.State.FAILED, error=message, finished_at=Now()
            )
    _next_token()


def hand_back(unit: Unit) -> None:
    """running → queued by a worker that is told to stop; the attempt does not count. Raises `Lost`."""
    _move(unit, Unit.State.QUEUED, worker="", stage="", fraction=0.0, handed_back=F("handed_back") + 1)
    _next_token()


def complete(evaluation: Evaluation, summary: dict[str, Any], **changes: Any) -> None:
    """running → done, with the numbers of the report; raises `Lost`."""
    hit = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.RUNNING).update(
        state=Evaluation.State.DONE, summary=summary, finished_at=Now(), **changes
    )
    if hit != 1:
        raise Lost(f"Evaluation {evaluation.pk} is no longer running.")


def cancel(evaluation: Evaluation) -> bool:
    """running → cancelled; False when it had ended before."""
    hit = Evaluation.objects.filter(pk=evaluation.pk, state=Evaluation.State.RUNNING).update(
        state=Evaluation.State.CANCELLED, finished_at=Now()
    )
    evaluation.refresh_from_db()
    return hit == 1


def take_back(unit: Unit) -> None:
    """running → queued by the sweep, because its worker gave no sign of life. Raises `Lost`."""
    _move(unit, Unit.State.QUEUED, worker="", stage="", fraction=0.0)


def send_tokens(units: int) -> None:
    """Once the transaction is committed, as many tokens as can be of use at once."""
    transaction.on_commit(lambda: [dispatch.send_token() for _ in range(min(units, _MOST_TOKENS))], robust=True)


def _next_token() -> None:
    """A unit ended: whoever is free may have the next one."""
    if claimable().exists():
        send_tokens(1)


def _move(unit: Unit, to: str, **changes: Any) -> None:
    hit = Unit.objects.filter(pk=unit.pk, state=Unit.State.RUNNING, attempt=unit.attempt).update(state=to, **changes)
    if hit != 1:
        raise Lost(f"Unit {unit.pk} is no longer running in attempt {unit.attempt}.")


def _owners_in_turn() -> list[Any]:
    """People with something claimable: fewest units running, last start longest ago, oldest evaluation."""
    waiting = set(claimable().order_by().values_list("evaluation__owner", flat=True))
    if not waiting:
        return []
    rows = (
        Unit.objects.filter(evaluation__owner__in=waiting)
        .order_by()
        .values("evaluation__owner")
        .annotate(
            running=Count("pk", filter=Q(state=Unit.State.RUNNING)),
            last=Max("started_at"),
            oldest=Min("evaluation__created_at", filter=Q(state=Unit.State.QUEUED)),
        )
    )
    most = settings.JOBS.max_running_per_user or None
    may = [row for row in rows if most is None or row["running"] < most]
    may.sort(key=lambda row: (row["running"], row["last"] is not None, row["last"], row["oldest"]))
    return [row["evaluation__owner"] for row in may]
