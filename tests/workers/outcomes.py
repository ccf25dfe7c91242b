"""What must hold after every fault: no job lost, none completed twice, none stuck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tests.workers.conftest import wait_for_status
from webapp.jobs.models import Job
from webapp.operations.models import Attempt
from webapp.photos.models import Version


def all_succeed_once(jobs: Sequence[Job], *, seconds: float = 60, attempts: int | None = 1) -> list[Job]:
    """Wait until every job has succeeded; check that each did once and has a result of its own that can be read.

    `attempts` is how often each was begun; None for any number.
    """
    ended = [wait_for_status(job, "succeeded", "failed", "cancelled", seconds=seconds) for job in jobs]
    assert [(job.status, job.error) for job in ended] == [("succeeded", "")] * len(jobs)
    if attempts is not None:
        assert {job.attempt for job in ended} == {attempts}
    check_books(ended)
    return ended


def check_books(ended: Sequence[Job]) -> None:
    """The histories, the book of attempts, the versions and the files of ended jobs agree with each other."""
    for job in ended:
        moves = [(move.from_status, move.to_status) for move in job.transitions.all()]
        assert all(before[1] == after[0] for before, after in pairwise(moves)), moves
        assert moves[-1][1] == job.status
        assert sum(move[1] in ("succeeded", "failed", "cancelled") for move in moves) == 1
        written = Attempt.objects.filter(job=job.pk)
        assert sorted(written.values_list("number", flat=True)) == list(range(1, job.attempt + 1))
    done = [job for job in ended if job.status == "succeeded"]
    results = [job.result for job in done]
    assert all(result is not None for result in results)
    assert max(Counter(job.result_id for job in done).values(), default=1) == 1
    pictures = {job.picture_id for job in ended}
    assert Version.objects.filter(picture__in=pictures, parent__isnull=False).count() == len(done)
    for result in results:
        assert result is not None
        assert result.file.size == result.bytes
