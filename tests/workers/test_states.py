"""The state machine: what may follow what, who wins a race, and what is noted."""

from __future__ import annotations

import itertools

import pytest
from django.db import transaction

from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.jobs import states
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db

S = Job.Status
MOVES = {
    S.RUNNING: lambda job: states.begin(job, worker="w"),
    S.SUCCEEDED: lambda job: states.succeed(job, result_id=None, timings={}),
    S.FAILED: lambda job: states.fail(job, actor="w", code="c", message="No."),
    S.CANCELLED: lambda job: states.cancel(job, actor="u"),
    S.HELD: lambda job: states.hold(job, actor="u"),
}
LEGAL = {
    (S.HELD, S.CANCELLED),
    (S.QUEUED, S.RUNNING),
    (S.QUEUED, S.CANCELLED),
    (S.QUEUED, S.HELD),
    (S.RUNNING, S.SUCCEEDED),
    (S.RUNNING, S.FAILED),
    (S.RUNNING, S.CANCELLED),
}


def job_in(user: User, status: str) -> Job:
    return make_jobs(user, 1, status=status, attempt=1 if status == S.RUNNING else 0)[0]


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S.values, MOVES)))
def test_only_legal_moves_happen(user: User, before: str, after: str) -> None:
    job = job_in(user, before)
    if (before, after) in LEGAL:
        assert MOVES[S(after)](job).status == after
        assert [(each.from_status, each.to_status) for each in job.transitions.all()] == [(before, after)]
    else:
        with pytest.raises(states.Lost):
            MOVES[S(after)](job)
        assert Job.objects.get(pk=job.pk).status == before
        assert not job.transitions.exists()


@pytest.mark.parametrize("before", S.values)
def test_back_to_queued(user: User, before: str) -> None:
    for move, allowed in (
        (lambda job: states.take_back(job, reason="silent"), before == S.RUNNING),
        (lambda job: states.hand_back(job, reason="stopping"), before == S.RUNNING),
        (lambda job: states.release(job, actor="u"), before == S.HELD),
    ):
        job = job_in(user, before)
        if allowed:
            assert move(job).status == S.QUEUED
        else:
            with pytest.raises(states.Lost):
                move(job)


def test_the_second_of_two_who_know_the_same_row_loses(user: User) -> None:
    (job,) = make_jobs(user, 1)
    mine, theirs = Job.objects.get(pk=job.pk), Job.objects.get(pk=job.pk)
    states.begin(mine, worker="first")
    with pytest.raises(states.Lost):
        states.begin(theirs, worker="second")
    assert Job.objects.get(pk=job.pk).worker == "first"
    assert job.transitions.count() == 1


def test_an_earlier_attempt_cannot_finish_a_later_one(user: User) -> None:
    (job,) = make_jobs(user, 1)
    earlier = states.begin(Job.objects.get(pk=job.pk), worker="first")
    states.take_back(Job.objects.get(pk=job.pk), reason="silent")
    states.begin(Job.objects.get(pk=job.pk), worker="second")
    with pytest.raises(states.Lost):
        states.succeed(earlier, result_id=None, timings={})
    now = Job.objects.get(pk=job.pk)
    assert (now.status, now.attempt, now.worker) == (S.RUNNING, 2, "second")


def test_a_move_and_its_history_are_undone_together(user: User) -> None:
    (job,) = make_jobs(user, 1)
    with transaction.atomic():
        states.begin(job, worker="w")
        transaction.set_rollback(True)
    assert Job.objects.get(pk=job.pk).status == S.QUEUED
    assert not job.transitions.exists()


def test_beginning_again_forgets_the_progress_of_the_last_attempt(user: User) -> None:
    (job,) = make_jobs(user, 1, status=S.RUNNING, attempt=1, fraction=0.7, stage="fine", steps_done=3, steps_total=4)
    back = states.take_back(job, reason="silent")
    assert (back.fraction, back.stage, back.steps_done, back.steps_total) == (0.0, "", None, None)
