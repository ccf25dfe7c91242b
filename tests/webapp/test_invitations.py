"""Coming into a team: by mail, by link, once or several times, and not any more when it is over."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.teams import make_team, person
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.photos.models import Picture
from webapp.teams.invitations import accept, invitation_by, invitations_for, invite, revoke
from webapp.teams.models import Activity, Invitation, Membership, Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(ada: User, bob: User) -> Team:
    """Ada's, with Bob as an editor."""
    return make_team(owner=ada, editor=bob)


def role_of(user: User, team: Team) -> str | None:
    return Membership.objects.filter(user=user, team=team).values_list("role", flat=True).first()


def test_by_mail(team: Team, ada: User) -> None:
    eve = person("eve")
    invitation, token = invite(team, by=ada, role="reviewer", email=" Eve@Example.org ")
    assert invitation.email == "eve@example.org"
    (message,) = mail.outbox
    assert message.to == ["eve@example.org"]
    assert message.subject == "[Reweave] ada asks you to join Weavers"
    assert f"http://localhost:8000/teams/join/{token}/" in message.body
    assert token not in str(Invitation.objects.values().get())
    found = invitation_by(token)
    assert found == invitation
    accept(invitation, eve)
    assert role_of(eve, team) == "reviewer"
    assert invitation_by(token) is None
    with pytest.raises(Refusal, match="not valid any more"):
        accept(invitation, person("mallory"))


def test_by_link_for_several(team: Team, ada: User) -> None:
    invitation, token = invite(team, by=ada, role="viewer")
    for name in ("eve", "zoe"):
        accept(invitation, person(name))
    assert invitation_by(token) is not None
    assert mail.outbox == []
    revoke(invitation, by=ada)
    assert invitation_by(token) is None
    with pytest.raises(Refusal, match="not valid any more"):
        accept(invitation, person("late"))
    assert Membership.objects.filter(role="viewer").count() == 2


def test_it_expires(team: Team, ada: User) -> None:
    invitation, token = invite(team, by=ada, role="viewer", days=1)
    assert timedelta(hours=23) < invitation.expires_at - timezone.now() <= timedelta(days=1)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert invitation_by(token) is None


@pytest.mark.parametrize(
    ("role", "email", "days"),
    [("owner", "", 7), ("king", "", 7), ("viewer", "no address", 7), ("viewer", "", 0), ("viewer", "", 91)],
)
def test_what_makes_no_sense_is_refused(team: Team, ada: User, role: str, email: str, days: int) -> None:
    with pytest.raises(Refusal) as refused:
        invite(team, by=ada, role=role, email=email, days=days)
    assert refused.value.status == 422
    assert not Invitation.objects.exists()


def test_only_the_owner_asks_in(team: Team, bob: User) -> None:
    with pytest.raises(Refusal) as refused:
        invite(team, by=bob, role="viewer")
    assert refused.value.status == 403
    with pytest.raises(Refusal) as refused:
        invite(team, by=person("mallory"), role="viewer")
    assert refused.value.status == 404


def test_who_is_in_keeps_their_role(team: Team, ada: User, bob: User) -> None:
    invitation, _ = invite(team, by=ada, role="viewer")
    accept(invitation, bob)
    assert role_of(bob, team) == "editor"
    invitation.refresh_from_db()
    assert invitation.uses == 0
    EmailAddress.objects.create(user=bob, email="bob@example.org", verified=True)
    with pytest.raises(Refusal, match="in the team already"):
        invite(team, by=ada, role="viewer", email="BOB@example.org")


def test_a_second_mail_replaces_the_first(team: Team, ada: User) -> None:
    _, first = invite(team, by=ada, role="viewer", email="eve@example.org")
    _, second = invite(team, by=ada, role="editor", email="eve@example.org")
    assert invitation_by(first) is None
    assert invitation_by(second) is not None


def test_a_mail_that_cannot_be_sent_leaves_nothing(team: Team, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> int:
        raise smtplib.SMTPServerDisconnected("no answer")

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    with pytest.raises(Refusal, match="could not be mailed"):
        invite(team, by=ada, role="viewer", email="eve@example.org")
    assert not Invitation.objects.exists()
    assert not Activity.objects.exists()


def test_nobody_sends_them_by_the_thousand(team: Team, ada: User, settings: Settings) -> None:
    settings.TEAMS = replace(settings.TEAMS, invitations_per_hour=2)
    for _ in range(2):
        invite(team, by=ada, role="viewer")
    with pytest.raises(Refusal, match="many invitations") as refused:
        invite(team, by=ada, role="viewer")
    assert refused.value.status == 429


def test_an_account_finds_invitations_to_its_verified_address_only(team: Team, ada: User) -> None:
    eve = person("eve")
    invite(team, by=ada, role="viewer", email="eve@example.org")
    address = EmailAddress.objects.create(user=eve, email="Eve@example.org", verified=False)
    assert not invitations_for(eve).exists()
    address.verified = True
    address.save()
    assert invitations_for(eve).count() == 1
    client = Client()
    client.force_login(eve)
    assert "asks you in" in client.get("/teams/").content.decode()
    invitation = Invitation.objects.get()
    client.post(f"/teams/invitations/{invitation.pk}/answer", {"answer": "accept"})
    assert role_of(eve, team) == "viewer"


def test_a_visitor_signs_up_by_one_where_nobody_else_may(team: Team, ada: User, settings: Settings) -> None:
    settings.ALLOW_SIGNUP = False
    visitor = Client()
    fields = {
        "email": "eve@example.org",
        "username": "eve",
        "password1": "a fine long password",
        "password2": "a fine long password",
    }
    visitor.post("/accounts/signup/", fields)
    assert not User.objects.filter(username="eve").exists()
    _, token = invite(team, by=ada, role="editor", email="eve@example.org")
    join = f"/teams/join/{token}/"
    page = visitor.get(join).content.decode()
    assert "Join Weavers" in page
    assert f"/accounts/signup/?next={join}" in page
    answer = visitor.post("/accounts/signup/", {**fields, "next": join})
    assert (answer.status_code, answer["Location"]) == (302, join)
    eve = User.objects.get(username="eve")
    assert EmailAddress.objects.get(user=eve).verified  # the token came to that address
    assert role_of(eve, team) is None  # looking at the page is not joining
    visitor.post(join)
    assert role_of(eve, team) == "editor"


def test_a_guest_is_asked_to_make_an_account_and_keeps_the_pictures(team: Team, ada: User) -> None:
    guest = Client()
    guest.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
    _, token = invite(team, by=ada, role="editor")
    join = f"/teams/join/{token}/"
    assert "Make an account" in guest.get(join).content.decode()
    fields = {"email": "g@example.org", "username": "gus", "password1": "a fine long password"}
    guest.post("/accounts/signup/", {**fields, "password2": fields["password1"], "next": join})
    guest.post(join)
    gus = User.objects.get(username="gus")
    assert role_of(gus, team) == "editor"
    assert Picture.objects.owned_by(gus).count() == 1


def test_a_made_up_token_lets_nobody_in(as_bob: Client) -> None:
    for method in (as_bob.get, as_bob.post, Client().get):
        answer = method("/teams/join/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/")
        assert answer.status_code == 410
        assert "not valid any more" in answer.content.decode()
