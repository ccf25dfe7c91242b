"""Accounts: two-factor sign-in, sessions, profile, taking one's data along, and leaving for good."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.conftest import MakeResult
from tests.webapp.material import body_of, mask_file, photo_file
from tests.webapp.teams import make_team, person
from webapp.accounts.leaving import GONE, delete_account
from webapp.accounts.models import User
from webapp.accounts.services import MOVES_WITH_A_GUEST
from webapp.accounts.templatetags.people import browser
from webapp.errors import Refusal
from webapp.jobs.models import Batch, Job
from webapp.jobs.services import submit_job
from webapp.notifications.services import Kind, notify
from webapp.photos import services
from webapp.photos.models import Draft, Picture, Version
from webapp.reviews.models import Comment, Verdict
from webapp.teams.models import Activity, Membership, Role, Team

pytestmark = pytest.mark.django_db

PASSWORD = "a fine long password"


def sign_in(client: Client, name: str, password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": name, "password": password})


def code_for(secret: str) -> str:
    """What an authenticator app would show now."""
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


@pytest.fixture
def signed_in(ada: User) -> Client:
    """A browser in which Ada has just given her password."""
    EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
    client = Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    assert sign_in(client, "ada").status_code == 302
    return client


def confirm(client: Client) -> Client:
    """Give the password once more, as is asked for before anything that matters."""
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/account/data/"})
    assert (answer.status_code, answer["Location"]) == (302, "/account/data/")
    return client


def activate(client: Client) -> str:
    """Switch two-factor sign-in on; the secret."""
    page = confirm(client).get("/accounts/2fa/totp/activate/")
    secret = str(page.context["form"].secret)
    assert client.post("/accounts/2fa/totp/activate/", {"code": code_for(secret)}).status_code == 302
    return secret


class TestSigningIn:
    def test_the_first_account_runs_the_site_the_next_does_not(self) -> None:
        User.objects.create(username="guest-1", is_guest=True)
        for name in ("first", "second"):
            fields = {"email": f"{name}@example.org", "username": name, "password1": PASSWORD, "password2": PASSWORD}
            assert Client().post("/accounts/signup/", fields).status_code == 302
        first, second = User.objects.get(username="first"), User.objects.get(username="second")
        assert (first.is_staff, first.is_superuser) == (True, True)
        assert (second.is_staff, second.is_superuser) == (False, False)

    def test_that_can_be_switched_off(self, settings: Settings) -> None:
        settings.FIRST_ACCOUNT_IS_ADMIN = False
        fields = {"email": "a@example.org", "username": "first", "password1": PASSWORD, "password2": PASSWORD}
        Client().post("/accounts/signup/", fields)
        assert not User.objects.get().is_superuser

    def test_an_address_is_checked_by_mail(self) -> None:
        fields = {"email": "new@example.org", "username": "newcomer", "password1": PASSWORD, "password2": PASSWORD}
        client = Client()
        client.post("/accounts/signup/", fields)
        (message,) = mail.outbox
        link = next(word for word in message.body.split() if "/accounts/confirm-email/" in word)
        assert not EmailAddress.objects.get().verified
        client.post(link.removeprefix("http://testserver"))
        assert EmailAddress.objects.get().verified

    def test_a_forgotten_password_is_replaced_by_mail(self, ada: User) -> None:
        EmailAddress.objects.create(user=ada, email=ada.email, verified=True, primary=True)
        client = Client()
        client.post("/accounts/password/reset/", {"email": ada.email})
        link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
        form = client.get(link.removeprefix("http://testserver"))
        new = "quite another password"
        client.post(form["Location"], {"password1": new, "password2": new})
        assert sign_in(Client(), "ada", new).status_code == 302
        assert sign_in(Client(), "ada").status_code == 200

    def test_guessing_is_stopped(self, ada: User) -> None:
        client = Client()
        for _ in range(5):
            sign_in(client, "ada", "wrong password")
        page = sign_in(client, "ada").content.decode()
        assert "Too many failed login attempts" in page


class TestTwoFactor:
    def test_a_second_step_is_asked_for(self, signed_in: Client) -> None:
        secret = activate(signed_in)
        client = Client()
        answer = sign_in(client, "ada")
        assert answer["Location"].startswith("/accounts/2fa/authenticate/")
        assert client.get("/account/").status_code == 302  # not in yet
        wrong = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
        assert "Incorrect code" in wrong.content.decode()
        from django.core.cache import cache

        cache.clear()  # a code counts once; time would have to pass
        assert client.post("/accounts/2fa/authenticate/", {"code": code_for(secret)}).status_code == 302
        assert client.get("/account/").status_code == 200

    def test_a_recovery_code_serves_once(self, signed_in: Client) -> None:
        activate(signed_in)
        codes = signed_in.get("/accounts/2fa/recovery-codes/").context["unused_codes"]
        assert len(codes) == 10
        for expected in (302, 200):
            client = Client()
            sign_in(client, "ada")
            assert client.post("/accounts/2fa/authenticate/", {"code": codes[0]}).status_code == expected

    def test_a_guest_who_signs_in_with_two_steps_keeps_the_pictures(self, signed_in: Client, ada: User) -> None:
        secret = activate(signed_in)
        guest = Client()
        guest.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
        sign_in(guest, "ada")
        from django.core.cache import cache

        cache.clear()
        guest.post("/accounts/2fa/authenticate/", {"code": code_for(secret)})
        assert Picture.objects.owned_by(ada).count() == 1
        assert not User.objects.filter(is_guest=True).exists()


class TestSessions:
    def test_they_are_listed_and_the_others_can_be_ended(self, signed_in: Client) -> None:
        other = Client(headers={"user-agent": "Lost phone"})
        sign_in(other, "ada")
        page = signed_in.get("/accounts/sessions/").content.decode()
        assert "Lost phone" in page
        assert "Firefox on Linux" in page
        signed_in.post("/accounts/sessions/")
        assert other.get("/account/").status_code == 302
        assert signed_in.get("/account/").status_code == 200


class TestProfile:
    @pytest.mark.parametrize(
        ("agent", "words"),
        [
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0",
                "Edge on Windows",
            ),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
            ("curl/8.5.0", "curl/8.5.0"),
            ("", "Unknown browser"),
        ],
    )
    def test_browsers_are_called_by_their_names(self, agent: str, words: str) -> None:
        assert browser(agent) == words

    def test_names_and_mails(self, as_ada: Client, ada: User) -> None:
        as_ada.post("/account/", {"username": "lovelace", "first_name": "Ada", "last_name": "Lovelace"})
        ada.refresh_from_db()
        assert (ada.username, str(ada), ada.mail_notices) == ("lovelace", "Ada Lovelace", False)

    @pytest.mark.parametrize("name", ["bob", "BOB", "has space", "a@b.c", ""])
    def test_nobody_takes_another_ones_name(self, as_ada: Client, ada: User, bob: User, name: str) -> None:
        answer = as_ada.post("/account/", {"username": name})
        assert answer.status_code == 200
        assert "errorlist" in answer.content.decode()
        assert "Signed in as ada" in answer.content.decode()
        ada.refresh_from_db()
        assert ada.username == "ada"


class TestExport:
    def read(self, client: Client) -> dict[str, bytes]:
        answer = confirm(client).post("/account/data/export")
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(body_of(answer))) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    def test_it_holds_everything_of_the_person(
        self, signed_in: Client, ada: User, picture: Picture, result: Version
    ) -> None:
        make_team(editor=ada)
        notify(ada, Kind.TEAM, "Something happened.")
        files = self.read(signed_in)
        account = json.loads(files["account.json"])
        assert account["username"] == "ada"
        assert account["email_addresses"] == [{"email": "ada@example.org", "verified": True, "primary": True}]
        assert account["teams"][0]["role"] == "editor"
        assert account["notifications"][0]["text"] == "Something happened."
        folder = f"pictures/beach day {str(picture.pk)[:8]}"
        facts = json.loads(files[f"{folder}/picture.json"])
        upload, made = facts["versions"]
        assert files[f"{folder}/{upload['file']}"] == services.read_version(picture.versions.get(parent=None))
        assert files[f"{folder}/{made['file']}"] == services.read_version(result)
        assert files[f"{folder}/{made['mask']}"] == services.read_mask(result.mask)
        assert (made["model"], made["seed"], made["params"]) == ("telea", 7, {"radius": 5})
        assert len(files) == 5

    def test_it_holds_nothing_of_others(self, signed_in: Client, ada: User, bob: User) -> None:
        team = make_team(owner=bob, editor=ada)
        services.add_picture(bob, "bobs secret.jpg", photo_file())
        services.add_picture(bob, "team secret.jpg", photo_file(seed=2), team=team)
        services.add_picture(ada, "brought.jpg", photo_file(seed=3), team=team)
        files = self.read(signed_in)
        assert list(files) == ["account.json"]
        assert b"secret" not in files["account.json"]
        assert json.loads(files["account.json"])["brought_into_teams"][0]["title"] == "brought"

    def test_a_file_that_is_missing_is_named(self, signed_in: Client, picture: Picture) -> None:
        version = picture.versions.get()
        version.file.storage.delete(version.file.name)
        assert f"version-{version.pk}.jpg" in self.read(signed_in)["missing.txt"].decode()

    @pytest.mark.parametrize("url", ["/account/data/export", "/account/data/delete"])
    def test_the_password_has_to_be_given_again(self, signed_in: Client, ada: User, url: str) -> None:
        answer = signed_in.post(url, {"username": "ada"})
        assert answer["Location"].startswith("/accounts/reauthenticate/")
        assert User.objects.filter(pk=ada.pk).exists()
        session = confirm(signed_in).session
        for method in session["account_authentication_methods"]:
            method["at"] = time.time() - 3600
        session.save()
        assert signed_in.post(url, {"username": "ada"})["Location"].startswith("/accounts/reauthenticate/")


class TestLeaving:
    @pytest.fixture
    def team(self, ada: User, bob: User) -> Team:
        """Bob's, with Ada as an editor who brought a picture and has a job on one of Bob's."""
        team = make_team(owner=bob, editor=ada)
        services.add_picture(ada, "brought.jpg", photo_file(seed=2), team=team)
        version = services.add_picture(bob, "bobs.jpg", photo_file(seed=3), team=team).versions.get()
        submit_job(ada, version, services.add_mask(version, mask_file()), model="telea", params={})
        return team

    def test_what_was_brought_is_handed_over(
        self, ada: User, bob: User, team: Team, picture: Picture, result: Version, media: Any
    ) -> None:
        delete_account(ada)
        assert set(Picture.objects.values_list("title", "owner__username")) == {("brought", "bob"), ("bobs", "bob")}
        job = Job.objects.get()
        assert (job.owner, job.status) == (bob, "cancelled")
        assert Activity.objects.filter(actor_name=GONE).exists()
        assert not Activity.objects.filter(actor_name="ada").exists()
        assert not User.objects.filter(username="ada").exists()

    def test_or_deleted_with_everything(self, ada: User, team: Team, picture: Picture) -> None:
        delete_account(ada, team_pictures="delete")
        assert list(Picture.objects.values_list("title", flat=True)) == ["bobs"]

    def test_files_go_too(
        self, ada: User, result: Version, media: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        assert media()
        with django_capture_on_commit_callbacks(execute=True):
            delete_account(ada)
        assert media() == []

    def test_what_was_brought_into_a_team_that_one_left_stays(self, ada: User, bob: User, team: Team) -> None:
        Membership.objects.filter(user=ada).delete()
        delete_account(ada, team_pictures="delete")
        assert Picture.objects.get(title="brought").owner == bob

    def test_a_viewer_deletes_nothing_there(self, ada: User, bob: User, team: Team) -> None:
        Membership.objects.filter(user=ada).update(role=Role.VIEWER)
        delete_account(ada, team_pictures="delete")
        assert Picture.objects.get(title="brought").owner == bob

    def test_what_was_said_about_the_teams_pictures_stays(self, ada: User, bob: User, team: Team) -> None:
        version = Version.objects.get(picture__title="bobs")
        remark = Comment.objects.create(version=version, author=ada, text="Look here.")
        Comment.objects.create(version=version, author=bob, thread=remark, text="I did.")
        facts = {"picture": version.picture, "version": version, "state": "approved", "decided_at": timezone.now()}
        Verdict.objects.create(reviewer=ada, **facts)
        other = person("other")
        Membership.objects.create(team=team, user=other, role=Role.REVIEWER)
        Verdict.objects.create(reviewer=other, **facts)
        delete_account(ada)
        delete_account(other)
        assert [(str(row.author), row.text) for row in Comment.objects.all()] == [
            (GONE, "Look here."),
            ("bob", "I did."),
        ]
        assert str(Verdict.objects.get().reviewer) == GONE
        ghost = User.objects.get(first_name=GONE)
        assert not ghost.is_active
        assert not ghost.has_usable_password()

    def test_a_team_is_not_left_without_owner(self, bob: User, team: Team) -> None:
        with pytest.raises(Refusal, match="Hand them over first: Weavers"):
            delete_account(bob)
        assert User.objects.filter(pk=bob.pk).exists()

    def test_a_team_of_ones_own_goes_along(self, ada: User) -> None:
        alone = make_team("Alone", owner=ada)
        services.add_picture(ada, "mine.jpg", photo_file(), team=alone)
        delete_account(ada)
        assert not Team.objects.exists()
        assert not Picture.objects.exists()

    def test_the_last_administrator_stays(self) -> None:
        admin = User.objects.create_superuser("root", "root@example.org", PASSWORD)
        with pytest.raises(Refusal, match="only administrator"):
            delete_account(admin)
        User.objects.create_superuser("second", "second@example.org", PASSWORD)
        delete_account(admin)

    def test_by_the_page(self, signed_in: Client, ada: User, team: Team, make_result: MakeResult) -> None:
        make_result(Version.objects.get(picture__title="brought"))
        page = confirm(signed_in).get("/account/data/delete").content.decode()
        assert "The 1 picture that you brought into teams" in page
        signed_in.post("/account/data/delete", {"username": "somebody"})
        assert User.objects.filter(pk=ada.pk).exists()
        answer = signed_in.post("/account/data/delete", {"username": "ada", "team_pictures": "delete"}, follow=True)
        assert "Your account is deleted" in answer.content.decode()
        assert not User.objects.filter(pk=ada.pk).exists()
        assert signed_in.get("/account/").status_code == 302

    def test_staff_deleting_somebody_takes_nothing_from_teams(self, ada: User, bob: User, team: Team) -> None:
        User.objects.create_superuser("root", "root@example.org", PASSWORD)
        admin = Client()
        admin.force_login(User.objects.get(username="root"))
        admin.post(f"/admin/accounts/user/{ada.pk}/delete/", {"post": "yes"})
        assert not User.objects.filter(pk=ada.pk).exists()
        assert Picture.objects.get(title="brought").owner == bob

    def test_nothing_else_of_the_person_is_left(self, ada: User, picture: Picture, job: Job) -> None:
        person("unconcerned")
        delete_account(ada)
        for model in (Picture, Version, Job, Batch, Draft):
            assert not model.objects.exists()


# What belongs to an account alone, or to teams, which guests are not in.
NOT_OF_GUESTS = {
    *("admin.LogEntry.user", "account.EmailAddress.user", "mfa.Authenticator.user", "usersessions.UserSession.user"),
    *("teams.Team.members", "teams.Membership.user", "teams.Invitation.invited_by"),
    "reviews.Comment.mentions",  # of others, by name: a guest has none
}


def test_every_tie_to_a_person_is_thought_about() -> None:
    """A new one has to be moved when a guest becomes an account, or be named here with the reason why not.

    Whoever adds one also looks at `webapp.accounts.leaving` and `webapp.accounts.export`.
    """
    ties = {f"{tie.related_model._meta.label}.{tie.field.name}" for tie in User._meta.related_objects}
    moved = {f"{model._meta.label}.{who}" for model, who in MOVES_WITH_A_GUEST}
    assert ties == moved | NOT_OF_GUESTS
    assert not moved & NOT_OF_GUESTS
