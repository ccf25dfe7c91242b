"""What staff do with jobs in the admin."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.jobs.models import Job

pytestmark = pytest.mark.django_db

JOBS = "/admin/jobs/job/"


@pytest.fixture
def staff() -> Client:
    browser = Client()
    browser.force_login(User.objects.create_superuser("boss"))
    return browser


def do(browser: Client, action: str, *jobs: Job) -> str:
    answer = browser.post(JOBS, {"action": action, "_selected_action": [str(job.pk) for job in jobs]}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_holding_releasing_and_cancelling(staff: Client, user: User) -> None:
    waiting, other = make_jobs(user, 2)
    (running,) = make_jobs(user, 1, status="running", attempt=1)
    assert "1 of 2 jobs changed" in do(staff, "hold", waiting, running)
    assert [Job.objects.get(pk=job.pk).status for job in (waiting, running, other)] == ["held", "running", "queued"]
    assert "1 of 1 jobs changed" in do(staff, "release", waiting)
    assert Job.objects.get(pk=waiting.pk).status == "queued"
    assert "2 of 2 jobs changed" in do(staff, "cancel", waiting, running)
    assert "0 of 1 jobs changed" in do(staff, "cancel", waiting)
    assert waiting.transitions.count() == 3


def test_a_job_is_read_only_but_for_its_priority(staff: Client, user: User) -> None:
    (job,) = make_jobs(user, 1)
    address = f"{JOBS}{job.pk}/change/"
    page = staff.get(address).content.decode()
    assert 'name="priority"' in page
    assert 'name="status"' not in page
    formset = {"transitions-TOTAL_FORMS": "0", "transitions-INITIAL_FORMS": "0"}
    staff.post(address, {"priority": "3", "status": "succeeded", **formset})
    changed = Job.objects.get(pk=job.pk)
    assert (changed.priority, changed.status) == (3, "queued")
    assert staff.get("/admin/jobs/workerseen/").status_code == 200
