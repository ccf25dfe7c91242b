"""Who comes next, and that nobody gets a job that somebody else has."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.workers.processes import Process
from tests.workers.rows import make_jobs, unsaved_jobs
from webapp.accounts.models import User
from webapp.jobs import claims, states
from webapp.jobs.models import Job

HOUR = timedelta(hours=1)
LONG_AGO = timezone.now() - 10 * HOUR

CLAIM_ALL = """
import json, os, sys, time
import django
django.setup()
from webapp.jobs.claims import claim_next
while not os.path.exists(sys.argv[2]):
    time.sleep(0.005)
claimed = []
while True:
    job = claim_next("batch", worker=sys.argv[1])
    if job is None:
        break
    claimed.append(str(job.pk))
print("CLAIMED", json.dumps(claimed))
"""


def owners_of_next(number: int, *, finish: bool = True) -> list[str]:
    """Claim `number` jobs one after the other, as a single worker would; whose they were."""
    owners = []
    for _ in range(number):
        job = claims.claim_next("batch", worker="w")
        assert job is not None
        owners.append(job.owner.username)
        if finish:
            states.fail(job, actor="w", code="test", message="No.")
    return owners


@pytest.mark.django_db
def test_nothing_waits() -> None:
    assert claims.claim_next("batch", worker="w") is None


@pytest.mark.django_db
def test_a_person_with_many_jobs_does_not_keep_others_waiting(user: User, other_user: User) -> None:
    make_jobs(user, 50, first_at=LONG_AGO)
    make_jobs(other_user, 2, first_at=LONG_AGO + HOUR)
    assert owners_of_next(6) == ["ada", "grace", "ada", "grace", "ada", "ada"]


@pytest.mark.django_db
def test_with_several_workers_running_jobs_count(user: User, other_user: User) -> None:
    make_jobs(user, 5, first_at=LONG_AGO)
    make_jobs(other_user, 5, first_at=LONG_AGO + HOUR)
    third = User.objects.create_user("mary")
    make_jobs(third, 5, first_at=LONG_AGO + 2 * HOUR)
    assert owners_of_next(6, finish=False) == ["ada", "grace", "mary", "ada", "grace", "mary"]


@pytest.mark.django_db
def test_priority_goes_before_turns_and_age(user: User, other_user: User) -> None:
    make_jobs(user, 2, first_at=LONG_AGO)
    urgent = make_jobs(user, 2, first_at=LONG_AGO + HOUR, priority=5)
    make_jobs(other_user, 1, first_at=LONG_AGO)
    claimed = [claims.claim_next("batch", worker="w") for _ in range(2)]
    assert claimed == urgent


@pytest.mark.django_db
def test_within_a_person_the_oldest_goes_first(user: User) -> None:
    jobs = make_jobs(user, 5)
    assert [claims.claim_next("batch", worker="w") for _ in range(5)] == jobs


@pytest.mark.django_db
def test_queues_and_held_jobs_are_left_alone(user: User) -> None:
    make_jobs(user, 2, queue="interactive")
    make_jobs(user, 2, status="held")
    assert claims.claim_next("batch", worker="w") is None


@pytest.mark.django_db
def test_a_job_that_was_taken_back_keeps_its_age(user: User) -> None:
    first, _ = make_jobs(user, 2)
    claimed = claims.claim_next("batch", worker="w")
    assert claimed == first
    states.take_back(first := Job.objects.get(pk=first.pk), reason="silent")
    assert claims.claim_next("batch", worker="w") == first


@pytest.mark.django_db
def test_positions_are_the_order_of_the_starts(user: User, other_user: User) -> None:
    third = User.objects.create_user("mary")
    make_jobs(user, 6, first_at=LONG_AGO)
    make_jobs(third, 2, first_at=LONG_AGO + HOUR, status="succeeded", started_at=LONG_AGO + 2 * HOUR)
    make_jobs(other_user, 3, first_at=LONG_AGO + 3 * HOUR)
    make_jobs(third, 2, first_at=LONG_AGO + 2 * HOUR)
    predicted = {job.pk: claims.position(job) for job in Job.objects.filter(status="queued")}
    started = []
    for _ in range(11):
        job = claims.claim_next("batch", worker="w")
        assert job is not None
        started.append(predicted[job.pk])
        states.fail(job, actor="w", code="test", message="No.")
    assert started == list(range(1, 12))


@pytest.mark.django_db
def test_the_table_of_places_says_the_same_as_each_job(user: User, other_user: User) -> None:
    third = User.objects.create_user("mary")
    make_jobs(user, 7, first_at=LONG_AGO)
    make_jobs(user, 1, status="running", started_at=LONG_AGO)
    make_jobs(other_user, 3, first_at=LONG_AGO + HOUR)
    make_jobs(other_user, 2, priority=4)
    make_jobs(third, 4, first_at=LONG_AGO + 2 * HOUR)
    make_jobs(third, 2, queue="interactive")
    waiting = Job.objects.filter(status="queued", queue="batch")
    assert claims.positions("batch") == {job.pk: claims.position(job) for job in waiting}
    assert sorted(claims.positions("batch").values()) == list(range(1, 17))


@pytest.mark.django_db
def test_more_urgent_jobs_stand_ahead(user: User, other_user: User) -> None:
    (mine,) = make_jobs(user, 1, first_at=LONG_AGO)
    urgent = make_jobs(other_user, 3, priority=1)
    assert [claims.position(job) for job in (*urgent, mine)] == [1, 2, 3, 4]


@pytest.mark.django_db
def test_a_jobs_position_counts_down_to_its_start(user: User, other_user: User) -> None:
    make_jobs(user, 4, first_at=LONG_AGO)
    mine = make_jobs(other_user, 3, first_at=LONG_AGO + HOUR)[-1]
    places = [claims.position(mine)]
    while claims.position(Job.objects.get(pk=mine.pk)) is not None:
        job = claims.claim_next("batch", worker="w")
        assert job is not None
        states.fail(job, actor="w", code="test", message="No.")
        places.append(claims.position(Job.objects.get(pk=mine.pk)))
    assert places == [6, 5, 4, 3, 2, 1, None]


@pytest.mark.django_db
def test_ten_thousand_waiting_jobs_do_not_slow_a_claim() -> None:
    owners = [User(username=f"person-{number}") for number in range(200)]
    User.objects.bulk_create(owners)
    jobs = []
    for owner in owners:
        jobs += unsaved_jobs(owner, 50) + unsaved_jobs(owner, 5, status="succeeded", started_at=LONG_AGO)
    Job.objects.bulk_create(jobs)
    assert Job.objects.filter(status="queued").count() == 10_000

    claiming = quickest(lambda: claims.claim_next("batch", worker="w"))
    waiting = Job.objects.filter(status="queued").last()
    assert waiting is not None
    looking = quickest(lambda: claims.position(waiting))
    assert claiming < 0.1
    assert looking < 0.1


def quickest(what: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        what()
        times.append(time.perf_counter() - began)
    return min(times)


@pytest.mark.real
@pytest.mark.django_db(transaction=True)
def test_many_processes_never_claim_the_same_job(user: User, other_user: User, tmp_path: Path) -> None:
    jobs = make_jobs(user, 60) + make_jobs(other_user, 60)
    go = tmp_path / "go"
    racers = [Process(f"racer-{number}", "-c", CLAIM_ALL, f"racer-{number}", str(go)) for number in range(4)]
    time.sleep(2.0)
    go.touch()
    claimed = []
    for racer in racers:
        assert racer.popen.wait(60) == 0, racer.text()
        line = next(line for line in racer.text().splitlines() if line.startswith("CLAIMED "))
        claimed.append(json.loads(line.removeprefix("CLAIMED ")))

    everything = [pk for each in claimed for pk in each]
    assert sorted(everything) == sorted(str(job.pk) for job in jobs)
    assert sum(bool(each) for each in claimed) >= 2, "nobody raced"
    for job in Job.objects.all():
        assert [each.to_status for each in job.transitions.all()] == ["running"]
        assert job.attempt == 1
