"""Links: who can make them, what they show, and that they show nothing more once they are taken back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.material import body_of, has_location, photo_file
from tests.webapp.teams import make_team
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.galleries.services import throw_away
from webapp.photos.models import Picture, Version
from webapp.photos.services import add_picture
from webapp.sharing import services
from webapp.sharing.models import Share
from webapp.teams.models import Activity, Membership, Role

pytestmark = pytest.mark.django_db
MakeResult = Callable[[Version], Version]


@pytest.fixture
def shared(ada: User, picture: Picture, result: Version) -> tuple[Share, str]:
    """A link to Ada's picture, with download; and its token."""
    return services.share_pictures(ada, [picture.pk], allow_download=True)


def addresses(share: Share, token: str) -> dict[str, str]:
    item = share.items.get()
    here = f"/s/{token}/{item.pk}"
    return {
        "page": f"/s/{token}/",
        "picture": f"{here}/",
        "embed": f"{here}/embed",
        "download": f"{here}/download",
        "display": f"{here}/display",
        "thumb": f"{here}/thumb",
        "before": f"{here}/before",
    }


def statuses(share: Share, token: str, client: Client | None = None) -> dict[str, int]:
    found = {}
    for name, url in addresses(share, token).items():
        answer = (client or Client()).get(url)
        body_of(answer)
        found[name] = answer.status_code
    return found


def all_of(status: int) -> dict[str, int]:
    return dict.fromkeys(("page", "picture", "embed", "download", "display", "thumb", "before"), status)


def test_a_visitor_sees_what_is_shared_and_nothing_else(
    shared: tuple[Share, str], picture: Picture, result: Version
) -> None:
    share, token = shared
    assert statuses(share, token) == all_of(200)
    visitor = Client()
    visitor.get(f"/s/{token}/")
    for url in (f"/pictures/{picture.pk}/", f"/files/versions/{result.pk}/display", f"/api/pictures/{picture.pk}"):
        assert visitor.get(url).status_code == 404
    other = share.items.get()
    assert visitor.get(f"/s/{token}/{other.pk}/png").status_code == 404
    assert visitor.get(f"/s/{token}/{picture.pk}/").status_code == 404


def test_the_token_is_kept_as_a_hash_only(shared: tuple[Share, str]) -> None:
    share, token = shared
    assert len(token) >= 32
    assert share.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    fields = Share.objects.values().get()
    assert token not in json.dumps(fields, default=str)
    assert Client().get(f"/s/{share.token_sha256}/").status_code == 404
    assert Client().get(f"/s/{share.pk}/").status_code == 404


def test_a_link_taken_back_shows_nothing_at_once(shared: tuple[Share, str], as_ada: Client, as_bob: Client) -> None:
    share, token = shared
    visitor = Client()
    picture = visitor.get(addresses(share, token)["display"])
    body_of(picture)
    assert "no-cache" in picture.headers["Cache-Control"]
    assert as_bob.delete(f"/api/shares/{share.pk}").status_code == 404
    assert statuses(share, token, visitor) == all_of(200)
    assert as_ada.delete(f"/api/shares/{share.pk}").json()["works"] is False
    assert statuses(share, token, visitor) == all_of(404)
    again = visitor.get(addresses(share, token)["display"], headers={"If-None-Match": picture.headers["ETag"]})
    assert again.status_code == 404


def test_a_link_ends_on_its_day(ada: User, picture: Picture, result: Version) -> None:
    share, token = services.share_pictures(ada, [picture.pk], days=7, allow_download=True)
    assert statuses(share, token) == all_of(200)
    Share.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert statuses(share, token) == all_of(404)


def test_a_password_keeps_everything_shut(ada: User, picture: Picture, result: Version) -> None:
    share, token = services.share_pictures(ada, [picture.pk], password="let me in", allow_download=True)
    assert "let me in" not in json.dumps(Share.objects.values().get(), default=str)
    visitor = Client()
    shut = statuses(share, token, visitor)
    assert shut == {**all_of(404), "page": 200, "picture": 200, "embed": 403}
    for name in ("page", "picture"):
        page = visitor.get(addresses(share, token)[name]).content.decode()
        assert "beach day" not in page
        assert "og:image" not in page
    assert Share.objects.get().views == 0
    wrong = visitor.post(f"/s/{token}/unlock", {"password": "let me out"})
    assert (wrong.status_code, b"not the password" in wrong.content) == (403, True)
    assert visitor.post(f"/s/{token}/unlock", {"password": "let me in"}).status_code == 302
    assert statuses(share, token, visitor) == {**all_of(200), "embed": 403}
    assert statuses(share, token, Client())["display"] == 404
    Share.objects.update(password=services.make_password("another"))
    assert statuses(share, token, visitor)["display"] == 404


def test_passwords_cannot_be_guessed_for_long(ada: User, picture: Picture, upload: Version) -> None:
    share, token = services.share_pictures(ada, [picture.pk], password="let me in")
    answers = [Client().post(f"/s/{token}/unlock", {"password": f"guess {n}"}).status_code for n in range(12)]
    assert answers == [403] * 10 + [429] * 2
    assert Client().post(f"/s/{token}/unlock", {"password": "let me in"}).status_code == 429
    assert share.items.count() == 1


def test_views_are_counted(shared: tuple[Share, str], as_ada: Client) -> None:
    share, token = shared
    for _ in range(3):
        Client().get(f"/s/{token}/")
    Client().head(f"/s/{token}/")
    statuses_of_files = [Client().get(url) for name, url in addresses(share, token).items() if name == "thumb"]
    assert body_of(statuses_of_files[0])
    (listed,) = as_ada.get("/api/shares").json()
    assert listed["views"] == 3
    assert listed["seen_at"] is not None


def test_downloads_only_where_they_are_allowed(ada: User, picture: Picture, upload: Version) -> None:
    share, token = services.share_pictures(ada, [picture.pk])
    assert statuses(share, token)["download"] == 404
    assert b"/download" not in Client().get(f"/s/{token}/").content
    share, token = services.share_pictures(ada, [picture.pk], allow_download=True)
    answer = Client().get(addresses(share, token)["download"])
    data = body_of(answer)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert has_location(photo_file("JPEG", gps=True))
    assert not has_location(data)


def test_nothing_painted_later_is_shown_by_accident(
    shared: tuple[Share, str], result: Version, make_result: MakeResult
) -> None:
    share, token = shared
    before = body_of(Client().get(addresses(share, token)["display"]))
    make_result(result)
    assert share.items.get().version == result
    assert body_of(Client().get(addresses(share, token)["display"])) == before


def test_one_version_can_be_shared(ada: User, picture: Picture, upload: Version, result: Version, bob: User) -> None:
    share, token = services.share_pictures(ada, [picture.pk], version=upload.pk)
    item = share.items.get()
    assert (item.version, item.before) == (upload, None)
    assert statuses(share, token)["before"] == 404
    assert b'type="range"' not in Client().get(f"/s/{token}/").content
    other = add_picture(bob, "b.jpg", photo_file()).versions.get()
    with pytest.raises(Refusal):
        services.share_pictures(ada, [picture.pk], version=other.pk)


def test_what_lies_in_the_trash_is_not_shown(shared: tuple[Share, str], ada: User, picture: Picture) -> None:
    share, token = shared
    throw_away(ada, [picture.pk])
    assert statuses(share, token) == all_of(404)


@pytest.mark.parametrize("change", ["leaves", "becomes a viewer", "is switched off"])
def test_a_link_works_only_as_long_as_its_maker_could_make_it(ada: User, bob: User, change: str) -> None:
    team = make_team(owner=ada, editor=bob)
    picture = add_picture(ada, "ours.jpg", photo_file(), team=team)
    share, token = services.share_pictures(bob, [picture.pk])
    assert statuses(share, token)["page"] == 200
    assert Activity.objects.filter(team=team, kind=Activity.Kind.SHARED).count() == 1
    membership = Membership.objects.filter(team=team, user=bob)
    if change == "leaves":
        membership.delete()
    elif change == "becomes a viewer":
        membership.update(role=Role.VIEWER)
    else:
        User.objects.filter(pk=bob.pk).update(is_active=False)
    assert set(statuses(share, token).values()) == {404}


def test_who_may_not_share(ada: User, bob: User, picture: Picture, as_bob: Client) -> None:
    def refused(user: User, **more: Any) -> tuple[str, int]:
        with pytest.raises(Refusal) as error:
            services.share_pictures(user, [picture.pk], **more)
        return error.value.code, error.value.status

    assert refused(bob)[1] == 404
    team = make_team(owner=ada, reviewer=bob)
    Picture.objects.update(team=team)
    assert refused(bob) == ("forbidden", 403)
    own = add_picture(User.objects.create(username="guest-1", is_guest=True), "own.jpg", photo_file())
    with pytest.raises(Refusal) as error:
        services.share_pictures(own.owner, [own.pk])
    assert (error.value.code, error.value.status) == ("account_needed", 403)
    assert refused(ada, days=0) == refused(ada, days=366) == ("bad_days", 422)
    assert refused(ada, password="short") == ("bad_password", 422)
    assert refused(ada, title="x" * 121) == ("bad_title", 422)
    body = {"pictures": [str(picture.pk)]}
    assert as_bob.post("/api/shares", body, content_type="application/json").status_code == 403
    assert not Share.objects.exists()


def test_a_gallery_is_shared_in_the_chosen_order(ada: User, picture: Picture) -> None:
    other = add_picture(ada, "another.jpg", photo_file(seed=4))
    share, token = services.share_pictures(ada, [other.pk, picture.pk, other.pk], title="Both")
    page = Client().get(f"/s/{token}/")
    assert [item["title"] for item in page.context["items"]] == ["another", "beach day"]
    for item in page.context["items"]:
        assert Client().get(item["url"]).status_code == 200
    throw_away(ada, [other.pk])
    page = Client().get(f"/s/{token}/")
    assert b"another" not in page.content
    assert share.title == "Both"


def test_open_graph_pictures_are_whole_addresses(shared: tuple[Share, str]) -> None:
    _, token = shared
    page = Client().get(f"/s/{token}/").content.decode()
    found = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]+)"', page))
    assert found["title"] == "beach day"
    assert found["url"] == f"http://testserver/s/{token}/"
    image = found["image"].removeprefix("http://testserver")
    answer = Client().get(image)
    body_of(answer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")


def test_only_the_slider_may_be_framed(shared: tuple[Share, str]) -> None:
    share, token = shared
    for name, url in addresses(share, token).items():
        answer = Client().get(url)
        body_of(answer)
        assert "noindex" in answer.headers["X-Robots-Tag"]
        policy = answer.headers["Content-Security-Policy"]
        if name == "embed":
            assert "X-Frame-Options" not in answer.headers
            assert "frame-ancestors *" in policy
            assert "script-src 'self'" in policy
            assert not re.search(rb"<script\b(?![^>]*\bsrc=)|<style\b|\sstyle=", answer.content)
        else:
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in policy


def test_the_address_comes_once(as_ada: Client, picture: Picture, result: Version, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["studio.example.org"]
    host = {"host": "studio.example.org"}
    body = {"pictures": [str(picture.pk)], "days": None, "title": "For Eve"}
    made = as_ada.post("/api/shares", body, content_type="application/json", headers=host).json()
    assert made["url"].startswith("http://studio.example.org/s/")
    assert Client().get(made["url"].removeprefix("http://studio.example.org"), headers=host).status_code == 200
    assert Client().get(made["embed_url"].removeprefix("http://studio.example.org"), headers=host).status_code == 200
    (listed,) = as_ada.get("/api/shares", headers=host).json()
    assert "url" not in listed
    assert (listed["title"], listed["expires_at"]) == ("For Eve", None)
    page = as_ada.get("/shares/", headers=host)
    assert made["url"].split("/s/")[1].strip("/").encode() not in page.content
    assert as_ada.get(f"/api/shares?picture={picture.pk}", headers=host).json() == [listed]
