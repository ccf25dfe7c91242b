"""Guests: made by the first upload, bound to the session, part of the account afterwards, forgotten at last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.material import mask_file, photo_file
from webapp.accounts.models import User
from webapp.accounts.services import claim_guest
from webapp.jobs.models import Job
from webapp.photos.models import Picture

pytestmark = pytest.mark.django_db
PASSWORD = "a fine long password"


def add_photo(client: Client, data: bytes | None = None, **extra: str) -> int:
    file = SimpleUploadedFile("photo.jpg", photo_file() if data is None else data)
    return int(client.post("/api/pictures", {"file": file}, **extra).status_code)


def who(client: Client) -> User:
    request = HttpRequest()
    request.session = client.session
    user = get_user(request)
    assert isinstance(user, User)
    return user


@pytest.fixture
def guest() -> Client:
    """A browser that uploaded one photo without signing in."""
    client = Client()
    assert add_photo(client) == 201
    return client


def test_looking_around_makes_no_guest() -> None:
    client = Client()
    for url in ("/", "/pictures/", "/api/models", "/api/pictures", "/accounts/login/"):
        assert client.get(url).status_code == 200
    assert not User.objects.exists()


def test_the_first_upload_makes_a_guest_and_the_next_uses_it(guest: Client) -> None:
    assert add_photo(guest) == 201
    user = User.objects.get()
    assert user.is_guest
    assert not user.has_usable_password()
    assert user.pictures.count() == 2
    assert who(guest) == user
    assert len(guest.get("/api/pictures").json()["items"]) == 2


def test_a_refused_upload_leaves_no_guest() -> None:
    client = Client()
    assert add_photo(client, b"not a picture") == 422
    assert not User.objects.exists()
    assert not client.session.keys()


def test_a_page_may_go_on_with_its_csrf_token() -> None:
    """Several photos are dropped at once: the second request still carries the token of the page."""
    client = Client(enforce_csrf_checks=True)
    client.get("/")
    token = client.cookies["csrftoken"].value
    assert add_photo(client, headers={"X-CSRFToken": token}) == 201  # type: ignore[arg-type]
    assert add_photo(client, headers={"X-CSRFToken": token}) == 201  # type: ignore[arg-type]
    assert User.objects.count() == 1


def test_the_session_gets_a_new_key_with_the_guest() -> None:
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    assert add_photo(client) == 201
    assert client.session.session_key != before


def test_guests_can_be_switched_off(settings: Settings) -> None:
    settings.ALLOW_GUESTS = False
    client = Client()
    answer = client.post("/api/pictures", {"file": SimpleUploadedFile("a.jpg", photo_file())})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
    assert not User.objects.exists()
    assert client.get("/pictures/").headers["Location"] == "/accounts/login/?next=/pictures/"


def test_guests_of_one_address_are_counted(settings: Settings) -> None:
    settings.GUESTS_PER_HOUR = 2
    assert [add_photo(Client(), REMOTE_ADDR="198.51.100.7") for _ in range(3)] == [201, 201, 429]
    assert add_photo(Client(), REMOTE_ADDR="198.51.100.8") == 201
    assert User.objects.count() == 3


def test_signing_up_takes_everything_along(guest: Client) -> None:
    version = guest.get("/api/pictures").json()["items"][0]["id"]
    picture = guest.get(f"/api/pictures/{version}").json()
    fill = {"mask": SimpleUploadedFile("mask.png", mask_file()), "model": "telea"}
    assert guest.post(f"/api/versions/{picture['versions'][0]['id']}/fill", fill).status_code == 201
    was = who(guest)
    form = {"email": "new@example.org", "username": "newcomer", "password1": PASSWORD, "password2": PASSWORD}
    answer = guest.post("/accounts/signup/", form)
    assert answer.status_code == 302, answer.content
    account = User.objects.get()
    assert (account.username, account.is_guest) == ("newcomer", False)
    assert account.pk != was.pk
    assert account.pictures.count() == account.jobs.count() == 1
    assert who(guest) == account
    assert guest.get(picture["edit_url"]).status_code == 200


@pytest.mark.parametrize("login", ["ada", "ada@example.org"])
def test_signing_in_takes_everything_along(guest: Client, ada: User, picture: Picture, login: str) -> None:
    answer = guest.post("/accounts/login/", {"login": login, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    assert answer.headers["Location"] == "/pictures/"
    assert who(guest) == ada
    assert ada.pictures.count() == 2
    assert not User.objects.filter(is_guest=True).exists()


def test_a_failed_sign_in_leaves_the_guest_as_it_was(guest: Client, ada: User) -> None:
    assert guest.post("/accounts/login/", {"login": "ada", "password": "wrong"}).status_code == 200
    assert who(guest).is_guest
    assert len(guest.get("/api/pictures").json()["items"]) == 1


def test_nothing_is_taken_from_a_real_account(ada: User, bob: User, picture: Picture) -> None:
    assert claim_guest(ada, bob) is False
    picture.refresh_from_db()
    assert picture.owner == ada


@pytest.mark.parametrize("page", ["email/", "password/change/", "password/set/"])
def test_guests_have_no_account_to_manage(guest: Client, page: str) -> None:
    answer = guest.get(f"/accounts/{page}")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")
    assert who(guest).is_guest


def test_an_account_is_redirected_from_the_sign_in_page(as_ada: Client) -> None:
    assert as_ada.get("/accounts/login/").status_code == 302


def test_a_guest_may_leave(guest: Client) -> None:
    assert guest.post("/accounts/logout/").status_code == 302
    assert guest.get("/api/pictures").json()["items"] == []


def test_the_admin_asks_a_guest_to_sign_in(guest: Client) -> None:
    answer = guest.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/")


def test_names_that_look_like_addresses_are_refused(ada: User) -> None:
    form = {"email": "x@example.org", "username": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = Client().post("/accounts/signup/", form)
    assert answer.status_code == 200
    assert b"begins and ends with a letter or digit" in answer.content
    assert User.objects.count() == 1


def test_sign_up_can_be_switched_off(settings: Settings) -> None:
    settings.ALLOW_SIGNUP = False
    form = {"email": "x@example.org", "username": "xavier", "password1": PASSWORD, "password2": PASSWORD}
    Client().post("/accounts/signup/", form)
    assert not User.objects.exists()


def test_guessing_passwords_is_slowed_down(ada: User) -> None:
    client = Client()
    for _ in range(5):
        client.post("/accounts/login/", {"login": "ada", "password": "wrong"})
    answer = client.post("/accounts/login/", {"login": "ada", "password": PASSWORD})
    assert answer.status_code in (200, 429)
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db(transaction=True)
def test_forgotten_guests_go_with_their_files(
    guest: Client, ada: User, picture: Picture, media: Callable[[], list[str]]
) -> None:
    lost = Client()
    assert add_photo(lost) == 201
    lost_guest = who(lost)
    lost.session.flush()
    idle = Client()
    assert add_photo(idle) == 201
    idle_guest = who(idle)
    long_ago = timezone.now() - timedelta(days=40)
    User.objects.filter(is_guest=True).update(date_joined=long_ago, last_login=long_ago)
    Picture.objects.filter(owner=idle_guest).update(changed_at=long_ago)
    kept_files = 6  # upload, display and thumbnail of the active guest's picture and of Ada's
    out = StringIO()
    call_command("clear_guests", "--days", "30", stdout=out)
    assert "2 guests" in out.getvalue()
    assert not User.objects.filter(pk__in=[lost_guest.pk, idle_guest.pk]).exists()
    assert set(User.objects.all()) == {who(guest), ada}
    assert len(media()) == kept_files
    assert not Job.objects.exists()


def test_a_guest_just_made_is_left_alone() -> None:
    """Its session is stored only at the end of the request."""
    User.objects.create(username="guest-new", is_guest=True)
    call_command("clear_guests", "--days", "0", stdout=StringIO())
    assert User.objects.count() == 1
    with pytest.raises(CommandError):
        call_command("clear_guests", "--days", "-1")
