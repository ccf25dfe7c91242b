"""What people are told: once, of the right things, live on commit, and by mail when it took long."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from tests.webapp.material import mask_file, photo_file
from tests.webapp.teams import make_team
from webapp.accounts.models import User
from webapp.jobs import states
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job
from webapp.notifications.mails import MOST_TRIES, send_due
from webapp.notifications.models import Notification
from webapp.notifications.services import Kind, clear_old, mark_read, notify, unread_count
from webapp.photos import services
from webapp.photos.models import Version
from webapp.teams.models import Membership

pytestmark = pytest.mark.django_db


def ended(job: Job, *, minutes: float, success: bool = True, code: str = "") -> Job:
    """The job as a worker ends it, asked for so many minutes ago."""
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=minutes))
    job.refresh_from_db()
    running = states.begin(job, worker="fill@here.1")
    if success:
        return states.succeed(running, timings={})
    return states.fail(running, actor="fill@here.1", code="out_of_memory", message="The hole is too large.")


def test_a_notification_is_told_to_one_person_once(ada: User, bob: User) -> None:
    row = notify(ada, Kind.COMMENT, "Bob said something.", url="/pictures/", about="comment-1", actor=bob)
    assert row is not None
    assert notify(ada, Kind.COMMENT, "Bob said something.", url="/pictures/", about="comment-1", actor=bob) is None
    assert notify(ada, Kind.COMMENT, "Without a subject.") is not None
    assert notify(ada, Kind.COMMENT, "Without a subject.") is not None
    assert notify(bob, Kind.COMMENT, "Told to whoever did it.", actor=bob) is None
    assert (unread_count(ada), unread_count(bob)) == (3, 0)


@pytest.mark.parametrize("url", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_a_notification_leads_nowhere_else(ada: User, url: str) -> None:
    with pytest.raises(ValueError, match="path on this site"):
        notify(ada, Kind.TEAM, "Click here.", url=url)


def test_what_is_rolled_back_is_not_told(
    ada: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as told:
        notify(ada, Kind.TEAM, "This happened.")
    assert len(told) == 1

    @transaction.atomic
    def undone() -> None:
        notify(ada, Kind.TEAM, "This did not.")
        raise ZeroDivisionError

    with django_capture_on_commit_callbacks() as told, pytest.raises(ZeroDivisionError):
        undone()
    assert told == []
    assert Notification.objects.count() == 1


def test_a_short_job_is_not_told_a_long_one_is(job: Job, ada: User) -> None:
    ended(job, minutes=0.5)
    assert not Notification.objects.exists()
    version, mask = job.source, job.mask
    long = submit_job(ada, version, mask, model="telea", params={"radius": 4})[0]
    ended(long, minutes=2)
    row = Notification.objects.get()
    assert (row.user, row.kind, row.about) == (ada, Kind.JOB, str(long.pk))
    assert row.text == "Telea has filled “beach day”."
    assert row.url == f"/pictures/{version.picture_id}/edit"
    assert row.mail_due is False


def test_a_failure_says_why(job: Job) -> None:
    ended(job, minutes=2, success=False)
    assert Notification.objects.get().text == "Telea could not fill “beach day”: The hole is too large."


def test_calling_off_is_not_told_but_a_reviewers_no_is(job: Job, ada: User) -> None:
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(hours=2))
    job.refresh_from_db()
    states.cancel(job, actor="ada")
    assert not Notification.objects.exists()
    other = submit_job(ada, job.source, job.mask, model="telea", params={"radius": 4})[0]
    states.reject(states.hold(other, actor="staff"), actor="staff", message="Not this one.")
    assert Notification.objects.get().text.endswith("was not approved: Not this one.")


def test_who_left_the_team_is_not_told_about_its_pictures(ada: User, bob: User) -> None:
    team = make_team(owner=bob, editor=ada)
    version = services.add_picture(ada, "secret plans.jpg", photo_file(), team=team).versions.get()
    job = submit_job(ada, version, services.add_mask(version, mask_file()), model="telea", params={})[0]
    Membership.objects.filter(user=ada).delete()
    ended(job, minutes=30)
    assert not Notification.objects.exists()


class TestMail:
    @pytest.fixture
    def long_job(self, job: Job) -> Job:
        return ended(job, minutes=11)

    def test_a_very_long_job_is_mailed_once(self, long_job: Job, ada: User, settings: Settings) -> None:
        settings.SITE_URL = "https://reweave.example.org"
        assert send_due() == 1
        (message,) = mail.outbox
        assert message.to == [ada.email]
        assert message.subject == "[Reweave] Telea has filled “beach day”."
        assert f"https://reweave.example.org/pictures/{long_job.picture_id}/edit" in message.body
        assert send_due() == 0

    def test_the_time_is_a_setting_and_can_be_off(self, job: Job, settings: Settings) -> None:
        settings.NOTICES = replace(settings.NOTICES, job_mail_minutes=0)
        ended(job, minutes=600)
        assert send_due() == 0
        assert mail.outbox == []

    def test_who_does_not_want_mail_gets_none(self, job: Job, ada: User) -> None:
        User.objects.update(mail_notices=False)
        ended(job, minutes=11)
        assert send_due() == 0
        assert unread_count(ada) == 1

    def test_who_read_it_meanwhile_gets_none(self, long_job: Job, ada: User) -> None:
        mark_read(ada)
        assert send_due() == 0
        assert not Notification.objects.filter(mail_due=True).exists()

    def test_a_mail_server_that_is_away_loses_nothing(self, long_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*args: Any) -> int:
            raise smtplib.SMTPServerDisconnected("no answer")

        with monkeypatch.context() as broken:
            broken.setattr(EmailBackend, "send_messages", away)
            assert send_due() == 0
        assert send_due() == 1
        assert len(mail.outbox) == 1

    def test_it_is_not_tried_for_ever(self, long_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*args: Any) -> int:
            raise smtplib.SMTPServerDisconnected("no answer")

        monkeypatch.setattr(EmailBackend, "send_messages", away)
        for _ in range(MOST_TRIES + 2):
            send_due()
        assert Notification.objects.get().mail_tries == MOST_TRIES
        assert not Notification.objects.filter(mail_due=True).exists()


def test_the_api_lists_ones_own_and_marks_them_as_read(as_ada: Client, as_bob: Client, ada: User) -> None:
    first = notify(ada, Kind.REVIEW, "Approved.", url="/pictures/")
    notify(ada, Kind.COMMENT, "Well done.")
    assert first
    answer = as_ada.get("/api/notifications").json()
    assert answer["unread"] == 2
    assert [item["text"] for item in answer["items"]] == ["Well done.", "Approved."]
    assert set(answer["items"][0]) == {"id", "kind", "text", "url", "created_at", "read"}
    assert as_bob.get("/api/notifications").json() == {"unread": 0, "items": []}
    assert Client().get("/api/notifications").json() == {"unread": 0, "items": []}

    ids = {"ids": [str(first.pk)]}
    assert as_bob.post("/api/notifications/read", ids, content_type="application/json").json() == {"unread": 0}
    assert unread_count(ada) == 2
    assert as_ada.post("/api/notifications/read", ids, content_type="application/json").json() == {"unread": 1}
    assert as_ada.post("/api/notifications/read", {}, content_type="application/json").json() == {"unread": 0}


def test_opening_one_marks_it_and_leads_on(as_ada: Client, as_bob: Client, ada: User) -> None:
    row = notify(ada, Kind.REVIEW, "Approved.", url="/pictures/")
    assert row
    assert as_bob.get(f"/notifications/{row.pk}/open").status_code == 404
    assert unread_count(ada) == 1
    answer = as_ada.get(f"/notifications/{row.pk}/open")
    assert (answer.status_code, answer["Location"]) == (302, "/pictures/")
    assert unread_count(ada) == 0


def test_the_page_shows_them_and_the_bell_counts(as_ada: Client, ada: User, upload: Version) -> None:
    notify(ada, Kind.MENTION, "Bob mentioned <you>.")
    page = as_ada.get("/notifications/").content.decode()
    assert "Bob mentioned &lt;you&gt;." in page
    assert 'id="bell-count" >1<' in page
    assert as_ada.post("/notifications/read").status_code == 302
    assert 'id="bell-count" hidden>0<' in as_ada.get("/pictures/").content.decode()
    assert Client().get("/notifications/").status_code == 302


def test_old_ones_that_were_read_go(ada: User) -> None:
    for text in ("old and read", "old", "read"):
        notify(ada, Kind.TEAM, text)
    long_ago = timezone.now() - timedelta(days=91)
    Notification.objects.filter(text="old and read").update(read_at=long_ago)
    Notification.objects.filter(text="old").update(created_at=long_ago)
    Notification.objects.filter(text="read").update(read_at=timezone.now())
    assert clear_old(90) == 1
    assert set(Notification.objects.values_list("text", flat=True)) == {"old", "read"}
