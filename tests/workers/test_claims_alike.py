"""Which waiting jobs a worker may take along, and what stays as it is: order, turns and limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from inpainting import catalog
from inpainting.engine import Engine
from tests.workers.batching import ENTRY
from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.jobs import claims
from webapp.jobs.limits import compute_used
from webapp.jobs.models import Job, WorkerSeen
from webapp.operations.models import Attempt
from workers.together import companions

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(hours=10)


@pytest.fixture(autouse=True)
def no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.jobs.dispatch.send_token", lambda queue: True)


def jobs_of(owner: User, number: int, **columns: object) -> list[Job]:
    """Jobs that are younger than those made before."""
    return make_jobs(owner, number, first_at=LONG_AGO + timedelta(minutes=Job.objects.count()), **columns)


def take(most: int, *, among: list[Job] | None = None) -> tuple[Job, list[Job]]:
    """Claim the next job and up to `most` more; `among` are the ones whose crops have the right size, None for all."""
    first = claims.claim_next("batch", worker="w:1")
    assert first is not None
    fits = None if among is None else {job.pk for job in among}
    return first, claims.claim_alike(first, worker="w:1", most=most, fits=lambda job: fits is None or job.pk in fits)


def test_people_take_turns_within_a_batch_too(user: User, other_user: User) -> None:
    mine, theirs = jobs_of(user, 5), jobs_of(other_user, 2)
    first, more = take(4)
    assert [first, *more] == [mine[0], theirs[0], mine[1], theirs[1], mine[2]]
    for job in (first, *more):
        job.refresh_from_db()
        assert (job.status, job.attempt, job.worker, job.together) == ("running", 1, "w:1", 5)


def test_whose_job_does_not_fit_is_passed_over_and_comes_next(user: User, other_user: User) -> None:
    mine = jobs_of(user, 3)
    other_size, fitting = jobs_of(other_user, 2)
    first, more = take(3, among=[*mine, fitting])
    assert [first, *more] == mine, "a person's younger job must not overtake the older one"
    assert claims.claim_next("batch", worker="w:2") == other_size


def test_only_the_same_model_with_the_same_parameters(user: User) -> None:
    jobs_of(user, 1, params={"radius": 5})
    jobs_of(user, 1, params={"radius": 6})
    assert take(3)[1] == []
    Job.objects.all().delete()
    jobs_of(user, 1)
    jobs_of(user, 1, model="patchmatch")
    assert take(3)[1] == []
    Job.objects.all().delete()
    jobs_of(user, 1)
    jobs_of(user, 1, kind=Job.Kind.SELECT_OBJECT)
    assert take(3)[1] == []


def test_nothing_is_taken_while_something_more_urgent_waits(user: User, other_user: User) -> None:
    jobs_of(user, 3)
    first = claims.claim_next("batch", worker="w:1")
    assert first is not None
    (urgent,) = jobs_of(other_user, 1, priority=1)
    assert claims.claim_alike(first, worker="w:1", most=3, fits=lambda job: True) == []
    assert claims.claim_next("batch", worker="w:2") == urgent


def test_limits_hold_within_a_batch(user: User, other_user: User, settings: Settings) -> None:
    settings.JOBS = replace(settings.JOBS, max_running_per_user=2)
    mine, theirs = jobs_of(user, 4), jobs_of(other_user, 1)
    first, more = take(7)
    assert [first, *more] == [mine[0], theirs[0], mine[1]]


def test_free_workers_are_left_their_share(user: User) -> None:
    for name in ("w:1", "other:1", "silent:1"):
        seen_at = timezone.now() - timedelta(hours=name == "silent:1")
        WorkerSeen.objects.create(name=name, device="cuda", queues="batch", started_at=seen_at, seen_at=seen_at)
    jobs = jobs_of(user, 6)
    first, more = take(7)
    assert [first, *more] == jobs[:3]


def test_what_ended_without_an_outcome_before_is_not_taken_along(user: User, other_user: User) -> None:
    jobs_of(user, 1)
    jobs_of(other_user, 1, attempt=1)
    (handed_back,) = jobs_of(user, 1, attempt=1, handed_back=1)
    assert take(3)[1] == [handed_back]


def test_each_is_charged_with_its_share(user: User) -> None:
    jobs_of(user, 4)
    take(3)
    Job.objects.filter(status="running").update(started_at=timezone.now() - timedelta(seconds=100))
    assert compute_used(user) == pytest.approx(100, abs=5)
    assert not Attempt.objects.exists()


def test_a_model_is_given_as_many_as_it_is_worth_on_the_device(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(claims, "claim_alike", lambda first, *, worker, most, fits: asked.append(most) or [])
    monkeypatch.setattr("workers.together._crop_shapes", lambda job, engine: ((96, 96),))
    monkeypatch.setitem(catalog._BY_KEY, ENTRY.key, ENTRY)
    engine = Engine("cpu")

    def most(model: str, batch: int | None, **columns: object) -> int:
        del asked[:]
        (job,) = jobs_of(user, 1, **{"model": model, "status": "running", "attempt": 1, **columns})
        companions(job, engine, batch=batch, worker="w:1")
        return 1 + sum(asked)

    assert most(ENTRY.key, None) == 1, "on the processor nothing is said, so one by one"
    assert most(ENTRY.key, 6) == 6
    assert most(ENTRY.key, 1) == 1
    assert most("telea", 6) == 1, "it has nothing to gain"
    assert most(ENTRY.key, 6, attempt=2) == 1, "perhaps it was this one that killed its worker"
    engine.models.get(ENTRY.key, lambda: pytest.fail("it was loaded before")).device = "cuda"
    assert most(ENTRY.key, None) == 4
    monkeypatch.setattr("workers.together._crop_shapes", lambda job, engine: ((96, 96), (64, 64)))
    assert most(ENTRY.key, None) == 2, "each has two crops"
