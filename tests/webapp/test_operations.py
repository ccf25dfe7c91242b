"""Staff's pages: who gets in, what they show, what their buttons do, and that the log of it stays as it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import get_resolver
from PIL import Image
from pytest_django import Settings

from tests.webapp.material import body_of
from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.jobs import states
from webapp.jobs.models import Job, WorkerSeen
from webapp.operations import services
from webapp.operations.models import AppendOnly, AuditEntry, DrainedNode, Retry
from webapp.photos.models import Version

pytestmark = pytest.mark.django_db

PAGES = ["", "?state=all", "workers/", "numbers/", "numbers/?span=month", "audit/", "jobs/export.csv"]


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_user("boss", is_staff=True)


@pytest.fixture
def as_boss(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture(autouse=True)
def without_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Tokens go nowhere: these tests are about rows and pages, and no worker listens."""
    sent: list[str] = []
    monkeypatch.setattr("webapp.jobs.dispatch.send_token", lambda queue: sent.append(queue) or True)
    return sent


def act(client: Client, action: str, *jobs: Job, **fields: str) -> str:
    answer = client.post(
        "/operations/jobs/act", {"action": action, "job": [str(job.pk) for job in jobs], **fields}, follow=True
    )
    assert answer.status_code == 200
    return answer.content.decode()


def statuses(*jobs: Job) -> list[str]:
    return [Job.objects.get(pk=job.pk).status for job in jobs]


def test_every_address_is_there_for_staff_only(as_boss: Client, as_ada: Client, job: Job, boss: User) -> None:
    prefix = next(entry for entry in get_resolver().url_patterns if str(entry.pattern) == "operations/")
    addresses = [
        f"/operations/{str(entry.pattern).replace('<uuid:job_id>', str(job.pk))}" for entry in prefix.url_patterns
    ]
    assert len(addresses) >= 10
    for address in addresses:
        for visitor in (Client(), as_ada):
            assert visitor.get(address).status_code == 404, address
            assert visitor.post(address).status_code == 404, address
    User.objects.filter(pk=boss.pk).update(is_active=False)
    assert as_boss.get("/operations/").status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_shown_empty_and_full(page: str, as_boss: Client, ada: User) -> None:
    assert as_boss.get(f"/operations/{page}").status_code == 200
    make_jobs(ada, 3)
    make_jobs(ada, 1, status="running", attempt=1, worker="fill@box:1")
    assert as_boss.get(f"/operations/{page}").status_code == 200


def test_staff_find_the_pages_and_others_do_not(as_boss: Client, as_ada: Client) -> None:
    assert 'href="/operations/"' in as_boss.get("/").content.decode()
    assert 'href="/operations/"' not in as_ada.get("/").content.decode()


def test_a_job_shows_pictures_and_why_it_waits(as_boss: Client, job: Job) -> None:
    page = as_boss.get(f"/operations/jobs/{job.pk}/").content.decode()
    assert "No worker that serves the interactive queue" in page
    for part, size in (("source", (64, 48)), ("mask", (64, 48))):
        answer = as_boss.get(f"/operations/jobs/{job.pk}/{part}")
        with Image.open(io.BytesIO(body_of(answer))) as picture:
            assert picture.size == size
    assert as_boss.get(f"/operations/jobs/{job.pk}/result").status_code == 404


def test_a_failed_job_shows_its_traceback(as_boss: Client, ada: User, job: Job) -> None:
    running = states.begin(job, worker="fill@box:1")
    states.fail(running, actor="fill@box:1", code="unexpected", message="It broke.", traceback="ZeroDivisionError: <x>")
    page = as_boss.get(f"/operations/jobs/{job.pk}/").content.decode()
    assert "It broke." in page
    assert "ZeroDivisionError: &lt;x&gt;" in page
    assert "fill@box:1" in page
    assert str(job.pk) in as_boss.get("/operations/?state=failed&age=today").content.decode()
    assert str(job.pk) not in as_boss.get("/operations/").content.decode()


def test_filters(as_boss: Client, ada: User, bob: User) -> None:
    (waiting,) = make_jobs(ada, 1, queue="interactive")
    (running,) = make_jobs(bob, 1, status="running")
    Job.objects.filter(pk=running.pk).update(model="patchmatch")

    def shown(query: str) -> set[Job]:
        page = as_boss.get(f"/operations/?{query}").content.decode()
        return {job for job in (waiting, running) if f'value="{job.pk}"' in page}

    assert shown("") == {waiting, running}
    assert shown("state=running") == shown("user=bob") == shown("model=patchmatch") == shown("queue=batch") == {running}
    assert shown(f"user={ada.pk}") == shown("state=queued") == {waiting}
    assert shown("age=over10m") == {waiting, running}
    assert shown("age=over1h") == {waiting, running}
    assert shown("age=hour") == set()
    assert shown("state=nonsense&age=nonsense&page=77") == {waiting, running}


def test_the_live_part_comes_only_when_it_changed(as_boss: Client, ada: User) -> None:
    (job,) = make_jobs(ada, 1)
    first = as_boss.get("/operations/", headers={"HX-Request": "true"}).content.decode()
    mark = first.split('name="mark" value="')[1].split('"')[0]
    again = as_boss.get("/operations/", {"mark": mark}, headers={"HX-Request": "true"})
    assert (again.status_code, again.content) == (204, b"")
    states.hold(job, actor="test")
    changed = as_boss.get("/operations/", {"mark": mark}, headers={"HX-Request": "true"})
    assert changed.status_code == 200
    assert "held" in changed.content.decode()


def test_hold_release_cancel_many_and_the_log_of_it(as_boss: Client, boss: User, ada: User) -> None:
    first, second = make_jobs(ada, 2)
    (running,) = make_jobs(ada, 1, status="running", attempt=1)
    text = act(as_boss, "hold", first, second, running, reason="making room")
    assert "2 jobs were held" in text
    assert "only a queued one can be held" in text
    assert statuses(first, second, running) == ["held", "held", "running"]
    act(as_boss, "release", first)
    act(as_boss, "cancel", second, running)
    assert statuses(first, second, running) == ["queued", "cancelled", "cancelled"]
    log = list(AuditEntry.objects.order_by("id").values_list("actor", "action", "target", "reason"))
    assert log == [
        (boss.pk, "hold", str(first.pk), "making room"),
        (boss.pk, "hold", str(second.pk), "making room"),
        (boss.pk, "release", str(first.pk), ""),
        (boss.pk, "cancel", str(second.pk), ""),
        (boss.pk, "cancel", str(running.pk), ""),
    ]
    assert "making room" in as_boss.get("/operations/audit/?q=making").content.decode()
    assert "making room" not in as_boss.get("/operations/audit/?action=cancel").content.decode()


def test_retry_makes_a_linked_job_of_the_same_request(
    as_boss: Client, boss: User, ada: User, job: Job, settings: Settings
) -> None:
    states.cancel(job, actor="test")
    settings.JOBS = settings.JOBS.__class__(**{**_fields(settings.JOBS), "max_active_per_user": 1, "review": True})
    make_jobs(ada, 3)
    assert "1 job was submitted again" in act(as_boss, "retry", job)
    link = Retry.objects.get(original=job.pk)
    again = Job.objects.get(pk=link.job)
    assert (again.owner, again.source, again.mask, again.model, again.params, again.seed, again.status) == (
        (job.owner, job.source, job.mask, job.model, job.params, job.seed, "queued")
    )
    assert str(link.job) in as_boss.get(f"/operations/jobs/{job.pk}/").content.decode()
    assert str(job.pk) in as_boss.get(f"/operations/jobs/{link.job}/").content.decode()
    assert "does the same and has not ended" in act(as_boss, "retry", job)


def test_priority_lets_a_job_go_first(as_boss: Client, ada: User) -> None:
    from webapp.jobs.claims import claim_next

    older, newer = make_jobs(ada, 2)
    assert "1 job was given its priority" in act(as_boss, "priority", newer, priority="7")
    assert AuditEntry.objects.get().details == "from 0 to 7"
    assert claim_next("batch", worker="w") == newer
    assert "from -100 to 100" in act(as_boss, "priority", older, priority="1000")


def test_a_form_that_makes_no_sense_is_refused(as_boss: Client, job: Job) -> None:
    assert as_boss.post("/operations/jobs/act", {"action": "delete", "job": str(job.pk)}).status_code == 400
    assert as_boss.post("/operations/jobs/act", {"action": "hold", "job": "x"}).status_code == 400
    assert "Nothing was chosen" in act(as_boss, "hold")
    away = as_boss.post("/operations/jobs/act", {"action": "hold", "job": str(job.pk), "next": "https://evil.example/"})
    assert away.headers["Location"] == "/operations/"


def test_services_refuse_who_is_not_staff(ada: User, job: Job) -> None:
    from webapp.errors import Refusal

    for do in (services.hold, services.release, services.cancel, services.retry, services.reject):
        with pytest.raises(Refusal) as refused:
            do(ada, job)
        assert refused.value.status == 404
    assert statuses(job) == ["queued"]
    assert not AuditEntry.objects.exists()


def test_the_audit_log_only_grows(boss: User, job: Job) -> None:
    services.hold(boss, job)
    entry = AuditEntry.objects.get()
    for change in (
        lambda: AuditEntry.objects.all().delete(),
        lambda: AuditEntry.objects.update(reason="x"),
        lambda: AuditEntry.objects.filter(pk=entry.pk).update(reason="x"),
        entry.delete,
        entry.save,
    ):
        with pytest.raises(AppendOnly):
            change()
    for statement in ("UPDATE operations_auditentry SET reason = 'x'", "DELETE FROM operations_auditentry"):
        refused = pytest.raises(DatabaseError, match="neither be changed nor removed")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    boss.delete()
    assert AuditEntry.objects.get().actor_name == "boss"


def test_the_admin_shows_the_log_and_changes_nothing(ada: User, job: Job) -> None:
    root = User.objects.create_superuser("root")
    client = Client()
    client.force_login(root)
    services.hold(root, job)
    entry = AuditEntry.objects.get()
    assert client.get("/admin/operations/auditentry/").status_code == 200
    assert client.get(f"/admin/operations/auditentry/{entry.pk}/change/").status_code == 200
    for address in (f"{entry.pk}/delete/", "add/"):
        assert client.post(f"/admin/operations/auditentry/{address}", {"post": "yes"}).status_code == 403
    client.post("/admin/jobs/job/", {"action": "release", "_selected_action": [str(job.pk)]})
    assert AuditEntry.objects.first().action == "release"


def test_draining_is_noted_once_and_outlives_the_worker(as_boss: Client) -> None:
    from django.utils import timezone

    WorkerSeen.objects.create(
        name="fill@box:7", device="cpu", queues="batch", started_at=timezone.now(), seen_at=timezone.now()
    )
    for _ in range(2):
        as_boss.post("/operations/workers/act", {"action": "drain", "node": "fill@box"})
    assert [entry.action for entry in AuditEntry.objects.all()] == ["drain"]
    assert "Resume fill@box" in as_boss.get("/operations/workers/").content.decode()
    WorkerSeen.objects.all().delete()
    page = as_boss.get("/operations/workers/").content.decode()
    assert "Resume fill@box" in page
    assert "away" in page
    as_boss.post("/operations/workers/act", {"action": "resume", "node": "fill@box"})
    assert not DrainedNode.objects.exists()
    assert [entry.action for entry in AuditEntry.objects.all()] == ["resume", "drain"]


def test_csv_is_streamed_and_safe_for_spreadsheets(as_boss: Client, upload: Version, ada: User) -> None:
    User.objects.filter(pk=ada.pk).update(username="=cmd|calc")
    make_jobs(ada, 1200)
    answer = as_boss.get("/operations/jobs/export.csv")
    assert answer.streaming
    pieces = [piece.decode() for piece in answer.streaming_content]
    rows = list(csv.DictReader(io.StringIO("".join(pieces))))
    assert len(pieces) == 3
    assert len(rows) == 1200
    assert {row["owner"] for row in rows} == {"'=cmd|calc"}
    assert {row["id"] for row in rows} == {str(pk) for pk in Job.objects.values_list("pk", flat=True)}
    assert AuditEntry.objects.get().action == "export"


def _fields(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__slots__}  # type: ignore[attr-defined]
