"""Teams in the queue: weighted turns, limits, filters and numbers."""

from __future__ import annotations

import csv
import io
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs import claims, states
from webapp.jobs.limits import check_limits
from webapp.jobs.models import Job
from webapp.operations.estimates import Hand, Run, Waiting, play
from webapp.operations.explain import why_waiting
from webapp.operations.numbers import numbers
from webapp.photos.models import Picture
from webapp.teams.models import ComputeUse, Team

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(hours=10)


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tokens go nowhere: who comes next is asked of the database."""
    sent: list[str] = []
    monkeypatch.setattr("webapp.jobs.dispatch.send_token", lambda queue: sent.append(queue) or True)
    return sent


@pytest.fixture
def team(db: None) -> Team:
    return Team.objects.create(name="Menders", weight=3)


def jobs_for(owner: User, number: int, team: Team | None = None, **columns: object) -> list[Job]:
    """Jobs that are younger than those made before."""
    jobs = make_jobs(owner, number, first_at=LONG_AGO + timedelta(minutes=Job.objects.count()), **columns)
    if team is not None:
        Picture.objects.filter(pk=jobs[0].picture_id).update(team=team)
    return jobs


def owners_of_next(number: int, *, finish: bool = True) -> str:
    """The initials of those whose jobs are claimed one after the other."""
    initials = ""
    for _ in range(number):
        job = claims.claim_next("batch", worker="w")
        if job is None:
            break
        initials += job.owner.username[0]
        if finish:
            states.fail(job, actor="w", code="test", message="No.")
    return initials


def test_a_turn_is_as_many_starts_as_the_team_weighs(user: User, other_user: User, team: Team) -> None:
    jobs_for(user, 8, team)
    jobs_for(other_user, 4)
    assert owners_of_next(12) == "aaagaaagaagg"


def test_running_jobs_count_by_weight_too(user: User, other_user: User, team: Team) -> None:
    jobs_for(user, 8, team)
    jobs_for(other_user, 4)
    assert owners_of_next(9, finish=False) == "aaagaaaga"


def test_a_weight_of_one_is_nothing_special(user: User, other_user: User, team: Team) -> None:
    Team.objects.update(weight=1)
    jobs_for(user, 3, team)
    jobs_for(other_user, 3)
    assert owners_of_next(6) == "agagag"


def test_positions_are_the_order_of_the_starts_with_weights_too(user: User, other_user: User, team: Team) -> None:
    third = User.objects.create_user("mary")
    jobs_for(user, 7, team)
    jobs_for(other_user, 5)
    jobs_for(third, 2)
    assert owners_of_next(2) == "aa"  # so that a turn is under way
    waiting = Job.objects.filter(status="queued")
    predicted = claims.positions("batch")
    assert predicted == {job.pk: claims.position(job) for job in waiting}
    started = []
    while (job := claims.claim_next("batch", worker="w")) is not None:
        started.append(predicted[job.pk])
        states.fail(job, actor="w", code="test", message="No.")
    assert started == list(range(1, 13))


def test_the_estimates_play_by_the_same_rules(user: User, other_user: User, team: Team) -> None:
    made = [*jobs_for(user, 7, team), *jobs_for(other_user, 4)]
    rows = [
        Waiting(job.pk, job.owner_id, "batch", 0, job.created_at.timestamp(), 1.0, weight=3 if job in made[:7] else 1)
        for job in Job.objects.filter(pk__in=[job.pk for job in made])
    ]
    played = play(rows, [Hand(frozenset({"batch"}), 0.0)], {})
    claimed = []
    while (job := claims.claim_next("batch", worker="w")) is not None:
        claimed.append(job.pk)
        states.fail(job, actor="w", code="test", message="No.")
    assert sorted(played, key=lambda key: played[key]) == claimed


def test_a_full_team_is_passed_over_and_its_members_own_jobs_are_not(
    user: User, other_user: User, team: Team, settings: Settings, tokens: list[str]
) -> None:
    settings.JOBS = replace(settings.JOBS, max_running_per_team=1)
    first, second = jobs_for(user, 2, team)
    (own,) = jobs_for(user, 1)
    (others,) = jobs_for(other_user, 1, team)
    started = [claims.claim_next("batch", worker="w") for _ in range(4)]
    assert started == [first, own, None, None]
    assert "Menders has as many jobs running" in why_waiting(others)[1]
    del tokens[:]
    ended = Job.objects.get(pk=first.pk)
    states.fail(ended, actor="w", code="test", message="No.")
    assert claims.claim_next("batch", worker="w") in (second, others)


def test_the_estimates_know_the_limit_of_a_team(user: User, other_user: User, team: Team, settings: Settings) -> None:
    """Three workers; the team may have one job running. Played, and claimed and ended in the order of the plan."""
    settings.JOBS = replace(settings.JOBS, max_running_per_team=1)
    made = [*jobs_for(user, 2, team), *jobs_for(user, 1), *jobs_for(other_user, 2, team), *jobs_for(other_user, 1)]
    rows = [
        Waiting(
            job.pk, job.owner_id, "batch", 0, job.created_at.timestamp(), 10.0, 3 if job.picture.team_id else 1,
            job.picture.team_id,
        )
        for job in Job.objects.filter(pk__in=[job.pk for job in made]).select_related("picture")
    ]  # fmt: skip
    hands = [Hand(frozenset({"batch"}), float(number)) for number in range(3)]
    played = play(rows, hands, {}, most_of_team=1)
    for_team = sorted(played[job.pk] for job in (*made[:2], *made[3:5]))
    assert all(before[1] <= after[0] for before, after in pairwise(for_team)), "two of the team at a time"
    assert played[made[2].pk][0] < 10, "a member's own job need not wait for the team's"
    moves = sorted(
        [(start, 1, key) for key, (start, _) in played.items()] + [(end, 0, key) for key, (_, end) in played.items()]
    )
    for _, is_start, key in moves:
        if is_start:
            assert (claimed := claims.claim_next("batch", worker="w")) is not None
            assert claimed.pk == key
        else:
            states.fail(Job.objects.get(pk=key), actor="w", code="test", message="No.")


def test_the_estimate_of_a_full_teams_job_waits_for_its_running_one(
    user: User, other_user: User, team: Team, settings: Settings
) -> None:
    busy = Hand(frozenset({"batch"}), 50.0, (Run(user.pk, team.pk),))
    free = Hand(frozenset({"batch"}), 0.0)
    theirs = Waiting(uuid.uuid4(), other_user.pk, "batch", 0, 1.0, 5.0, team=team.pk)
    assert play([theirs], [busy, free], {}, most_of_team=1) == {theirs.key: (50.0, 55.0)}
    assert play([theirs], [busy, free], {}) == {theirs.key: (0.0, 5.0)}


def test_a_team_can_have_so_many_unfinished_jobs(user: User, other_user: User, team: Team, settings: Settings) -> None:
    settings.JOBS = replace(settings.JOBS, max_active_per_team=3)
    jobs_for(user, 2, team)
    check_limits(other_user, team)
    jobs_for(other_user, 1, team, status="running")
    with pytest.raises(Refusal, match="Menders has 3 unfinished jobs") as refused:
        check_limits(other_user, team)
    assert refused.value.status == 429
    check_limits(other_user, None)


def test_the_compute_of_a_teams_day_is_limited_and_the_refusal_says_when(
    user: User, other_user: User, team: Team, settings: Settings
) -> None:
    settings.JOBS = replace(settings.JOBS, compute_per_team_and_day=100)
    now = timezone.now()
    for seconds, hours in ((900.0, 25), (60.0, 23), (30.0, 2)):
        ended = now - timedelta(hours=hours)
        ComputeUse.objects.create(team=team, job=team.pk, user=user.pk, seconds=seconds, ended_at=ended)
    check_limits(other_user, team)
    jobs_for(user, 1, team, status="running", started_at=now - timedelta(seconds=15))
    with pytest.raises(Refusal, match="in 60 minutes") as refused:
        check_limits(other_user, team)
    assert refused.value.code == "compute_of_team_used_up"


def test_staff_find_a_teams_jobs_and_what_they_cost(user: User, other_user: User, team: Team) -> None:
    (theirs,) = jobs_for(user, 1, team)
    (own,) = jobs_for(other_user, 1)
    staff = Client()
    staff.force_login(User.objects.create_superuser("boss"))

    def shown(query: str) -> set[Job]:
        page = staff.get(f"/operations/?{query}").content.decode()
        return {job for job in (theirs, own) if f'value="{job.pk}"' in page}

    assert shown("") == {theirs, own}
    assert shown("team=mend") == shown(f"team={team.pk}") == {theirs}
    assert shown("team=nobody") == set()
    table = b"".join(staff.get("/operations/jobs/export.csv").streaming_content).decode()  # type: ignore[arg-type]
    assert {row["team"] for row in csv.DictReader(io.StringIO(table))} == {"Menders", ""}

    ComputeUse.objects.create(team=team, job=theirs.pk, user=user.pk, seconds=12.5)
    assert [(share.name, share.value, share.count) for share in numbers("day").teams] == [("Menders", 12.5, 1)]
    states.begin(theirs, worker="w")
    states.fail(Job.objects.get(pk=theirs.pk), actor="w", code="test", message="No.")
    assert "Menders" in staff.get("/operations/numbers/").content.decode()
