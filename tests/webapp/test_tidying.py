"""What goes by itself, and what stays; and the demo, which makes what one looks around in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from inpainting.imaging import decode, decode_mask
from tests.webapp.teams import make_team
from webapp.accounts.housekeeping import tidy
from webapp.accounts.models import User
from webapp.notifications.models import Notification
from webapp.notifications.services import Kind, notify
from webapp.photos import services
from webapp.photos.models import Picture, Version
from webapp.reviews import votes
from webapp.reviews.models import Ballot
from webapp.settings.queue import queue_settings
from webapp.teams import policies
from webapp.teams.invitations import invite
from webapp.teams.models import Activity, Invitation, Membership, Role, Team

pytestmark = pytest.mark.django_db


def guest_idle_for(days: int) -> User:
    """A guest with a picture and a session, who did nothing for so long."""
    browser = Client()
    browser.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
    guest = User.objects.filter(is_guest=True).latest("date_joined")
    then = timezone.now() - timedelta(days=days)
    User.objects.filter(pk=guest.pk).update(date_joined=then, last_login=then)
    Picture.objects.filter(owner=guest).update(changed_at=then)
    return guest


def test_guests_expire_with_their_pictures(settings: Settings) -> None:
    old, young = guest_idle_for(31), guest_idle_for(29)
    settings.GUEST_DAYS = 0
    assert tidy().guests == 0
    settings.GUEST_DAYS = 30
    assert tidy().guests == 1
    assert set(User.objects.all()) == {young}
    assert not Picture.objects.filter(owner_id=old.pk).exists()


def test_files_without_a_row_go_once_they_are_old(
    picture: Picture, media: Callable[[], list[str]], settings: Settings
) -> None:
    before = media()
    for name, hours in (("old", 25), ("young", 1)):
        stray = Path(settings.MEDIA_ROOT) / "version" / f"{name}.png"
        stray.write_bytes(b"nobody's")
        then = time.time() - hours * 3600
        os.utime(stray, (then, then))
    assert tidy().files == 1
    assert media() == sorted([*before, "version/young.png"])


def test_old_news_and_invitations_go(ada: User, settings: Settings) -> None:
    notify(ada, Kind.TEAM, "Long read.")
    Notification.objects.update(read_at=timezone.now() - timedelta(days=91))
    team = make_team(owner=ada)
    for days in (91, 89):
        invitation, _ = invite(team, by=ada, role="viewer")
        Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - timedelta(days=days))
    tidied = tidy()
    assert (tidied.notifications, tidied.invitations) == (1, 1)
    assert tidy().invitations == 0


def test_sessions_that_are_over_go(as_ada: Client) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    tidy()
    assert not Session.objects.exists()


def test_it_runs_by_itself(tmp_path: Path) -> None:
    from webapp.celery import app

    app.loader.import_default_modules()
    schedule = queue_settings(tmp_path).celery["beat_schedule"]
    assert {entry["task"] for entry in schedule.values()} <= set(app.tasks)
    assert {"accounts.tidy", "notifications.mail", "jobs.sweep"} <= {entry["task"] for entry in schedule.values()}


def test_the_demo() -> None:
    out = StringIO()
    call_command("demo", "--pictures", "36", "--password", "a demo password", stdout=out)
    assert "a demo password" in out.getvalue()
    assert Team.objects.count() == 3
    assert set(Membership.objects.values_list("role", flat=True)) == set(Role.values)
    assert Picture.objects.count() == 36
    assert Picture.objects.filter(team=None).count() == 12
    assert Activity.objects.filter(kind=Activity.Kind.PICTURE_ADDED).count() == 24
    results = list(Version.objects.exclude(parent=None).select_related("parent", "mask"))
    assert results
    for version in results:
        hole = decode_mask(services.read_mask(version.mask), width=version.width, height=version.height)
        before, after = (decode(services.read_version(each)).pixels for each in (version.parent, version))
        assert (before[~hole] == after[~hole]).all()
        assert (before[hole] != after[hole]).any()
        assert version.proof == {"known_pixels": int((~hole).sum()), "changed_pixels": 0}
        assert version.created_at > version.parent.created_at
    assert {"Tag", "Favourite", "Verdict", "Comment", "Share", "Ballot"} <= _kinds_made()
    for team in Team.objects.all():
        voter = Membership.objects.filter(team=team, role__in=policies.REVIEW)[0].user
        ballot = votes.draw_ballot(voter, team=team)  # something is left to vote on
        assert ballot is not None
        assert {ballot.first.model, ballot.second.model} == {"telea", "patchmatch"}
    (tally,) = votes.tallies()
    assert (tally.model, tally.other) == ("patchmatch", "telea")
    assert tally.votes == Ballot.objects.cast().count() > 5
    link = next(line for line in out.getvalue().splitlines() if "a public gallery" in line).split()[-1]
    assert Client().get(link).status_code == 200
    browser = Client()
    browser.post("/accounts/login/", {"login": "victor", "password": "a demo password"})
    assert "Museum archive" in browser.get("/teams/").content.decode()
    with pytest.raises(CommandError, match="Nothing was made"):
        call_command("demo", "--pictures", "1")
    assert Picture.objects.count() == 36


def _kinds_made() -> set[str]:
    """Names of the models of which there are rows."""
    ours = (config for config in apps.get_app_configs() if config.name.startswith("webapp."))
    return {model.__name__ for config in ours for model in config.get_models() if model._default_manager.exists()}
