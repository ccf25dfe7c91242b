"""Limits, review, estimates, the book of attempts, the numbers made of it, and what Prometheus is told."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from tests.webapp.material import mask_file
from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs import claims, states
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.payloads import job_payload
from webapp.jobs.services import submit_job
from webapp.operations import estimates, numbers, services
from webapp.operations.attempts import size_class, usual_seconds
from webapp.operations.charts import columns, nice_top
from webapp.operations.estimates import Hand, Waiting, play
from webapp.operations.models import Attempt, AuditEntry
from webapp.photos import services as photos
from webapp.photos.models import Version

pytestmark = pytest.mark.django_db

MADE_HERE = uuid.UUID(int=0)


@pytest.fixture(autouse=True)
def without_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Tokens go nowhere, and no plan of another test is believed."""
    sent: list[str] = []
    monkeypatch.setattr("webapp.jobs.dispatch.send_token", lambda queue: sent.append(queue) or True)
    estimates.forget()
    yield sent
    estimates.forget()


def attempt(owner: User | None = None, **columns: Any) -> Attempt:
    values = {
        "job": uuid.uuid4(),
        "owner": MADE_HERE if owner is None else owner.pk,
        "number": 1,
        "model": "telea",
        "queue": "interactive",
        "device": "cpu",
        "photo_pixels": 64 * 48,
        "hole_pixels": 100,
        "size_class": size_class(64 * 48, 100),
        "outcome": "succeeded",
        "wait_seconds": 1.0,
        "run_seconds": 2.0,
        "ended_at": timezone.now(),
    }
    return Attempt.objects.create(**{**values, **columns})


def ask(owner: User, version: Version, **options: Any) -> Job:
    mask = photos.add_mask(version, mask_file(version.width, version.height))
    return submit_job(owner, version, mask, model="telea", params={}, **options)[0]


def worker(name: str = "fill@box:1", queues: str = "batch,interactive", **columns: Any) -> WorkerSeen:
    now = timezone.now()
    return WorkerSeen.objects.create(
        **{"name": name, "queues": queues, "device": "cpu", "started_at": now, "seen_at": now, **columns}
    )


# The book of attempts


def test_every_attempt_is_written_down_however_it_ends(ada: User, job: Job) -> None:
    worker()
    states.take_back(states.begin(job, worker="fill@box:1"), reason="gone")
    job.refresh_from_db()
    states.hand_back(states.begin(job, worker="fill@box:1"), reason="stop")
    job.refresh_from_db()
    states.fail(states.begin(job, worker="fill@box:1"), actor="w", code="cannot_fill", message="No.")
    found = list(Attempt.objects.values_list("job", "owner", "number", "outcome", "error_code", "worker", "device"))
    common = (job.pk, ada.pk)
    assert found == [
        (*common, 1, "queued", "", "fill@box:1", "cpu"),
        (*common, 2, "queued", "", "fill@box:1", "cpu"),
        (*common, 3, "failed", "cannot_fill", "fill@box:1", "cpu"),
    ]
    ran = Attempt.objects.last()
    assert ran is not None
    assert ran.hole_pixels == job.mask.hole_pixels
    assert ran.photo_pixels == 64 * 48
    assert 0 <= ran.run_seconds < 10
    job.delete()
    assert Attempt.objects.count() == 3


def test_a_job_that_never_ran_is_not_in_the_book(job: Job) -> None:
    states.cancel(job, actor="test")
    assert not Attempt.objects.exists()


@pytest.mark.parametrize(("pixels", "least"), [(1, 0), (3, 0), (4, 1), (15, 1), (16, 2), (4**13 - 1, 12), (4**13, 13)])
def test_size_classes_begin_at_powers_of_four(pixels: int, least: int) -> None:
    assert size_class(1, pixels) == least
    assert size_class(pixels, 1) == 100 * least


# Limits


def test_compute_of_a_day_is_limited_and_the_refusal_says_when_to_come_back(
    ada: User, upload: Version, settings: Settings
) -> None:
    settings.JOBS = replace(settings.JOBS, compute_per_day=100)
    now = timezone.now()
    attempt(ada, run_seconds=60.0, ended_at=now - timedelta(hours=23))
    attempt(ada, run_seconds=39.0, ended_at=now - timedelta(hours=2))
    attempt(ada, run_seconds=900.0, ended_at=now - timedelta(hours=25))
    first = ask(ada, upload)
    attempt(ada, run_seconds=1.0, ended_at=now - timedelta(hours=1))
    with pytest.raises(Refusal) as refused:
        ask(ada, upload, seed=1)
    assert (refused.value.code, refused.value.status) == ("compute_used_up", 429)
    assert "in 60 minutes" in refused.value.message
    assert f"{timezone.localtime(now + timedelta(hours=1)):%H:%M}" in refused.value.message
    # The same request as the one that waits is answered with it all the same.
    mask = first.mask
    assert submit_job(ada, upload, mask, model="telea", params={}) == (first, False)


def test_what_runs_now_counts_too(ada: User, upload: Version, settings: Settings) -> None:
    settings.JOBS = replace(settings.JOBS, compute_per_day=100)
    make_jobs(ada, 1, status="running", started_at=timezone.now() - timedelta(seconds=101))
    with pytest.raises(Refusal, match="Come back"):
        ask(ada, upload)
    settings.JOBS = replace(settings.JOBS, compute_per_day=0)
    assert ask(ada, upload).status == "queued"


def test_the_api_answers_429(as_ada: Client, ada: User, upload: Version, settings: Settings) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    settings.JOBS = replace(settings.JOBS, max_active_per_user=1)
    ask(ada, upload)
    mask = SimpleUploadedFile("mask.png", mask_file(64, 48))
    answer = as_ada.post(f"/api/versions/{upload.pk}/fill", {"mask": mask, "model": "telea", "seed": "3"})
    assert answer.status_code == 429
    assert "Come back" in answer.json()["message"]


def test_a_person_at_the_running_limit_has_no_turn(ada: User, bob: User, settings: Settings) -> None:
    settings.JOBS = replace(settings.JOBS, max_running_per_user=1)
    first, second = make_jobs(ada, 2, priority=5)
    (others,) = make_jobs(bob, 1)
    running = claims.claim_next("batch", worker="w1")
    assert running == first
    assert claims.claim_next("batch", worker="w2") == others
    assert claims.claim_next("batch", worker="w3") is None
    assert running is not None
    states.fail(running, actor="w1", code="x", message="x")
    assert claims.claim_next("batch", worker="w1") == second


# Review


def test_jobs_wait_for_review_and_the_owner_reads_why_not(
    as_ada: Client, ada: User, upload: Version, settings: Settings
) -> None:
    settings.JOBS = replace(settings.JOBS, review=True)
    boss = User.objects.create_user("boss", is_staff=True)
    good, bad = ask(ada, upload, seed=1), ask(ada, upload, seed=2)
    assert {good.status, bad.status} == {"held"}
    assert claims.claim_next("interactive", worker="w") is None
    with pytest.raises(Refusal, match="Say why"):
        services.reject(boss, bad)
    services.reject(boss, bad, reason="People without their consent.")
    services.release(boss, good)
    assert Job.objects.get(pk=good.pk).status == "queued"
    shown = as_ada.get(f"/api/jobs/{bad.pk}").json()
    assert (shown["status"], shown["error_code"]) == ("cancelled", "rejected")
    assert shown["error"] == "This was not approved: People without their consent."
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"reject", "approve"}
    # Held again by staff it does not need a second approval.
    held = services.hold(boss, Job.objects.get(pk=good.pk))
    assert not services.awaits_review(held)


# Estimates


def waiting(owner: int, seconds: float, *, created: float, queue: str = "batch", priority: int = 0) -> Waiting:
    return Waiting(uuid.uuid4(), uuid.UUID(int=owner), queue, priority, created, seconds)


def test_the_queue_is_played_through_in_turns() -> None:
    a1, a2, a3 = (waiting(1, 10, created=at) for at in (1, 2, 3))
    b1 = waiting(2, 5, created=4)
    times = play([a1, a2, a3, b1], [Hand(frozenset({"batch"}), 3.0)], {})
    assert times == {a1.key: (3, 13), b1.key: (13, 18), a2.key: (18, 28), a3.key: (28, 38)}


def test_two_workers_priorities_and_queues() -> None:
    late = waiting(1, 10, created=1)
    urgent = waiting(1, 10, created=2, priority=1)
    quick = waiting(2, 1, created=3, queue="interactive")
    both, batch = frozenset({"batch", "interactive"}), frozenset({"batch"})
    times = play([late, urgent, quick], [Hand(both, 0.0), Hand(batch, 0.0)], {})
    assert times == {quick.key: (0, 1), urgent.key: (0, 10), late.key: (1, 11)}


def test_what_is_behind_the_unknown_is_unknown() -> None:
    unknown, behind = waiting(1, math.inf, created=1), waiting(1, 4, created=2)
    hand = Hand(frozenset({"batch"}), 2.0)
    assert play([unknown, behind], [hand], {}) == {unknown.key: (2, math.inf), behind.key: (math.inf, math.inf)}
    assert play([behind], [], {}) == {}


def test_the_running_limit_is_played_too() -> None:
    first, second = waiting(1, 10, created=1), waiting(1, 10, created=2)
    hands = [Hand(frozenset({"batch"}), 0.0), Hand(frozenset({"batch"}), 0.0)]
    assert play([first, second], hands, {}, most_running=1)[second.key] == (10, 20)
    assert play([first, second], hands, {})[second.key] == (0, 10)


def test_the_plan_hands_out_jobs_in_the_order_of_the_claims(ada: User, bob: User) -> None:
    """The same queue, played and claimed for real."""
    made = [*make_jobs(ada, 4), *make_jobs(bob, 3), *make_jobs(ada, 1, priority=2)]
    rows = [
        Waiting(job.pk, job.owner_id, job.queue, job.priority, job.created_at.timestamp(), 1.0)
        for job in Job.objects.filter(pk__in=[job.pk for job in made])
    ]
    played = play(rows, [Hand(frozenset({"batch"}), 0.0)], {})
    claimed = []
    while (job := claims.claim_next("batch", worker="w")) is not None:
        claimed.append(job.pk)
        states.fail(job, actor="w", code="x", message="x")
    assert sorted(played, key=lambda key: played[key]) == claimed


def test_a_waiting_job_says_when(ada: User, job: Job) -> None:
    assert (job_payload(job)["expected_start"], job_payload(job)["expected_finish"]) == (None, None)
    worker()
    size = size_class(64 * 48, job.mask.hole_pixels)
    for seconds in (3.0, 5.0, 100.0):
        attempt(size_class=size, run_seconds=seconds)
    attempt(size_class=size, run_seconds=900.0, outcome="failed")
    assert usual_seconds("telea", size, ["cpu"]) == 5.0
    estimates.forget()
    shown = job_payload(job)
    start, finish = (datetime.fromisoformat(shown[f"expected_{name}"]) for name in ("start", "finish"))
    assert abs((start - timezone.now()).total_seconds()) < 5
    assert (finish - start).total_seconds() == pytest.approx(5.0)
    running = states.begin(job, worker="fill@box:1")
    shown = job_payload(running)
    assert shown["expected_start"] is None
    assert 0 < (datetime.fromisoformat(shown["expected_finish"]) - timezone.now()).total_seconds() <= 5.0


def test_the_same_device_counts_more_than_another() -> None:
    attempt(device="cpu", run_seconds=50.0)
    size = size_class(64 * 48, 100)
    assert usual_seconds("telea", size, ["cuda:0"]) == 50.0
    attempt(device="cuda:0", run_seconds=1.0)
    assert usual_seconds("telea", size, ["cuda:0"]) == 1.0
    assert usual_seconds("telea", size_class(64 * 48, 3000), ["cpu"]) is None


# Numbers


def test_numbers_add_up(ada: User) -> None:
    for seconds in range(1, 21):
        attempt(ada, run_seconds=float(seconds), wait_seconds=seconds / 10)
    attempt(outcome="failed", error_code="out_of_memory", run_seconds=40.0)
    attempt(ended_at=timezone.now() - timedelta(days=3), run_seconds=1000.0)
    day = numbers.numbers("day")
    assert (day.ended, day.succeeded, day.failed, day.run_seconds) == (21, 20, 1, 250.0)
    (telea,) = day.runs
    assert (telea.count, telea.p50, telea.p90, telea.p95, telea.longest) == (20, 10.0, 18.0, 19.0, 20.0)
    assert [(share.key, share.count) for share in day.failures] == [("out_of_memory", 1)]
    assert [(share.name, share.value) for share in day.people] == [("ada", 210.0), ("Deleted account", 40.0)]
    assert sum(1 for bar in day.jobs.bars) == 2
    assert numbers.numbers("week").ended == 22


def test_charts_stay_inside_and_speak() -> None:
    chart = columns("Jobs", ["09:00", "10:00"], {"good": [3, 0], "bad": [1, 0]})
    assert [(bar.series, bar.tip) for bar in chart.bars] == [(0, "09:00: good 3"), (1, "09:00: bad 1")]
    assert all(bar.y >= 0 and bar.y + bar.height <= chart.base + 0.01 for bar in chart.bars)
    assert "Most at 09:00: 4" in chart.summary
    assert columns("Jobs", ["09:00"], {"good": [0]}).empty
    assert [tick.label for tick in chart.up] == ["0", "2", "4"]
    assert [tick.label for tick in columns("Jobs", ["09:00"], {"good": [1]}).up] == ["0", "1"]
    assert [tick.label for tick in columns("Wait", ["09:00"], {"median": [0.7]}, unit=" s").up] == [
        "0 s",
        "0.40 s",
        "0.80 s",
    ]
    assert [nice_top(value) for value in (0, 0.3, 1, 4.1, 6, 7, 51)] == pytest.approx([1, 0.3, 1, 5, 6, 8, 60])


# Prometheus


def scraped(client: Client, **headers: str) -> dict[tuple[str, ...], float]:
    text = client.get("/metrics", headers=headers).content.decode()
    return {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_need_the_token_or_staff(as_ada: Client, settings: Settings) -> None:
    assert as_ada.get("/metrics").status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = "open sesame"
    assert Client().get("/metrics", headers={"Authorization": "Bearer open"}).status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer open sesame"}).status_code == 200
    staff = Client()
    staff.force_login(User.objects.create_user("boss", is_staff=True))
    assert staff.get("/metrics").status_code == 200


def test_metrics_count(ada: User, settings: Settings) -> None:
    settings.METRICS_TOKEN = "t"
    make_jobs(ada, 3)  # as if an hour ago
    worker()
    attempt(wait_seconds=0.2, run_seconds=4.0)
    attempt(wait_seconds=3.0, run_seconds=4.0, outcome="failed", error_code="cannot_fill")
    found = scraped(Client(), Authorization="Bearer t")
    assert found["reweave_jobs", "queue=batch", "status=queued"] == 3
    assert found["reweave_jobs", "queue=interactive", "status=running"] == 0
    assert 3500 < found["reweave_oldest_waiting_seconds", "queue=batch"] < 3700
    assert found["reweave_workers", "state=free"] == 1
    assert found["reweave_attempts_total", "model=telea", "outcome=failed", "queue=interactive"] == 1
    assert found["reweave_failures_total", "code=cannot_fill"] == 1
    assert found["reweave_wait_seconds_bucket", "le=0.5", "queue=interactive"] == 1
    assert found["reweave_wait_seconds_bucket", "le=5.0", "queue=interactive"] == 2
    assert found["reweave_run_seconds_sum", "queue=interactive"] == 8.0
