"""Asking for a fill and calling it off."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from tests.workers.conftest import RedisServer
from tests.workers.rows import make_version
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs import dispatch, services, states
from webapp.jobs.models import Job
from webapp.jobs.services import LARGEST_SEED, cancel_job, submit_job
from webapp.photos.models import Mask

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("redis_server")]


def ask(owner: User, version: Any, mask: Any, **changes: Any) -> tuple[Job, bool]:
    return submit_job(owner, version, mask, **{"model": "telea", "params": {}, "queue": "batch", **changes})


@pytest.mark.django_db
def test_a_job_is_queued_with_everything_filled_in(user: User) -> None:
    version, mask = make_version(user)
    job, created = ask(user, version, mask, params={"radius": "7"})
    assert created
    assert (job.status, job.params["radius"], job.attempt) == ("queued", 7, 0)
    assert (job.picture, job.source, job.mask) == (version.picture, version, mask)
    assert 0 <= job.seed <= LARGEST_SEED
    assert job.queued_at is not None
    assert [each.actor for each in job.transitions.all()] == [str(user.pk)]


@pytest.mark.django_db
def test_the_same_request_answers_with_the_job_that_exists(user: User) -> None:
    version, mask = make_version(user)
    job, _ = ask(user, version, mask)
    again = Mask.objects.create(
        picture=mask.picture, file="mask/copy.png", sha256=mask.sha256, hole_pixels=1, hole_share=0.1
    )
    assert ask(user, version, mask) == (job, False)
    assert ask(user, version, again) == (job, False), "the same pixels in another upload"
    states.begin(Job.objects.get(pk=job.pk), worker="w")
    assert ask(user, version, mask) == (job, False), "also while it runs"
    cancel_job(Job.objects.get(pk=job.pk), actor="u")
    after, created = ask(user, version, mask)
    assert created
    assert after != job


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"seed": 1}, {"params": {"radius": 9}}, {"model": "patchmatch"}])
def test_another_request_is_another_job(user: User, change: dict[str, Any]) -> None:
    version, mask = make_version(user)
    job, _ = ask(user, version, mask)
    other, created = ask(user, version, mask, **change)
    assert created
    assert other != job


@pytest.mark.django_db(transaction=True)
def test_the_same_request_at_the_same_moment_makes_one_job(user: User) -> None:
    version, mask = make_version(user)
    answers: list[tuple[Job, bool]] = []
    barrier = threading.Barrier(8)

    def press() -> None:
        barrier.wait()
        answers.append(ask(user, version, mask))
        connection.close()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.pk for job, _ in answers}) == 1
    assert [created for _, created in answers].count(True) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_token_is_sent_when_the_row_is_committed_and_not_before(user: User, redis_server: RedisServer) -> None:
    redis_server.restart_empty()
    version, mask = make_version(user)
    from django.db import transaction

    with transaction.atomic():
        ask(user, version, mask)
        assert dispatch.tokens_waiting("batch") == 0
    assert dispatch.tokens_waiting("batch") == 1
    ask(user, version, mask)
    assert dispatch.tokens_waiting("batch") == 1, "the same request again"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "nonsense"}, "unknown_model"),
        ({"params": {"radius": 1000}}, "bad_params"),
        ({"params": {"size": 1}}, "bad_params"),
        ({"seed": -1}, "bad_seed"),
        ({"seed": LARGEST_SEED + 1}, "bad_seed"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(user: User, change: dict[str, Any], code: str) -> None:
    version, mask = make_version(user)
    with pytest.raises(Refusal) as refused:
        ask(user, version, mask, **change)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_an_untrained_model_is_refused(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    untrained = replace(services.get_entry("telea"), weights=("missing.safetensors",))
    monkeypatch.setattr(services, "get_entry", lambda key: untrained)
    version, mask = make_version(user)
    with pytest.raises(Refusal, match="no trained weights"):
        ask(user, version, mask)


@pytest.mark.django_db
def test_pictures_of_others_and_masks_of_other_pictures_are_refused(user: User, other_user: User) -> None:
    version, mask = make_version(user)
    _, other_mask = make_version(user)
    with pytest.raises(Refusal) as refused:
        ask(other_user, version, mask)
    assert refused.value.status == 404
    with pytest.raises(Refusal, match="another picture"):
        ask(user, version, other_mask)


@pytest.mark.django_db
def test_the_number_of_unfinished_jobs_is_limited(user: User, settings: Settings) -> None:
    settings.JOBS = replace(settings.JOBS, max_active_per_user=2)
    version, mask = make_version(user)
    first, _ = ask(user, version, mask, seed=1)
    ask(user, version, mask, seed=2)
    with pytest.raises(Refusal) as refused:
        ask(user, version, mask, seed=3)
    assert refused.value.status == 429
    assert ask(user, version, mask, seed=1) == (first, False), "what is under way already is no further job"
    cancel_job(first, actor="u")
    assert ask(user, version, mask, seed=3)[1]


@pytest.mark.django_db
def test_cancelling_is_idempotent_and_comes_too_late_for_ended_jobs(user: User) -> None:
    version, mask = make_version(user)
    job, _ = ask(user, version, mask)
    stale = Job.objects.get(pk=job.pk)
    running = states.begin(Job.objects.get(pk=job.pk), worker="w")
    assert cancel_job(stale, actor="u").status == "cancelled", "though it began meanwhile"
    assert cancel_job(Job.objects.get(pk=job.pk), actor="u").status == "cancelled"
    assert job.transitions.filter(to_status="cancelled").count() == 1
    with pytest.raises(states.Lost):
        states.succeed(running, result_id=None, timings={})

    ended, _ = ask(user, version, mask, seed=4)
    states.succeed(states.begin(ended, worker="w"), result_id=None, timings={})
    assert cancel_job(ended, actor="u").status == "succeeded"
