"""Pages, their headers, and the two addresses that machines ask."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.material import photo_file
from tests.webapp.teams import make_team
from webapp.accounts.limits import use_allowance
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs.models import Job, WorkerSeen
from webapp.notifications.services import Kind, notify
from webapp.photos import services
from webapp.photos.models import Picture, Version
from webapp.photos.samples import all_samples
from webapp.teams.models import Membership

pytestmark = pytest.mark.django_db


def test_home_shows_the_samples_and_the_limits(settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 7 * 1024 * 1024
    answer = Client().get("/")
    assert answer.status_code == 200
    assert answer.context["limits"] == {
        "max_bytes": 7 * 1024 * 1024,
        "max_pixels": settings.MAX_UPLOAD_PIXELS,
        "formats": ["JPEG", "PNG", "WebP", "TIFF", "HEIC"],
    }
    samples = answer.context["samples"]
    assert len(samples) == len(all_samples()) >= 4
    for sample in samples:
        assert set(sample) == {"name", "title", "credit", "url", "thumb_url"}
        for url in (sample["url"], sample["thumb_url"]):
            assert (Path(settings.BASE_DIR) / "frontend" / url.lstrip("/")).is_file()


def test_every_sample_can_be_taken(ada: User) -> None:
    for sample in all_samples():
        picture = services.add_sample(ada, sample.name)
        assert Version.objects.get(picture=picture).width >= 640


def test_the_editor_starts_with_what_the_api_would_say(as_ada: Client, picture: Picture, job: Job) -> None:
    answer = as_ada.get(f"/pictures/{picture.pk}/edit")
    boot = answer.context["boot"]
    assert boot["picture"] == as_ada.get(f"/api/pictures/{picture.pk}").json()
    assert boot["models"] == as_ada.get("/api/models").json()
    assert boot["abilities"] == as_ada.get("/api/abilities").json()
    assert boot["urls"] == {
        "api": "/api/",
        "socket": "/ws/live/",
        "home": "/",
        "pictures": "/pictures/",
        "picture": f"/pictures/{picture.pk}/",
    }
    found = re.search(rb'<script id="boot" type="application/json">(.*?)</script>', answer.content, re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == boot


def test_a_title_cannot_break_out_of_the_page(as_ada: Client, ada: User) -> None:
    title = "</script><script>alert(1)</script>"
    picture = services.add_picture(ada, "x.jpg", photo_file())
    Picture.objects.filter(pk=picture.pk).update(title=title)
    page = as_ada.get(f"/pictures/{picture.pk}/edit")
    assert page.context["boot"]["picture"]["title"] == title
    assert b"<script>alert" not in page.content


def test_who_may_only_look_is_sent_to_the_picture_s_page(ada: User, bob: User, as_bob: Client) -> None:
    team = make_team(owner=ada, viewer=bob)
    picture = services.add_picture(ada, "ours.jpg", photo_file(), team=team)
    answer = as_bob.get(f"/pictures/{picture.pk}/edit", follow=True)
    assert answer.redirect_chain == [(f"/pictures/{picture.pk}/", 302)]
    assert "You may look at this picture, not change it." in answer.content.decode()
    Membership.objects.filter(user=bob).delete()
    assert as_bob.get(f"/pictures/{picture.pk}/edit").status_code == 404


def test_the_editor_has_the_bell(as_ada: Client, ada: User, picture: Picture) -> None:
    notify(ada, Kind.TEAM, "Something happened.")
    page = as_ada.get(f"/pictures/{picture.pk}/edit").content.decode()
    assert 'aria-label="Notifications, 1 unread"' in page
    # The editor's own socket tells it what is new.
    assert "data-socket" not in page
    assert 'data-socket="/ws/live/"' in as_ada.get("/pictures/").content.decode()


def test_my_pictures(as_ada: Client, picture: Picture) -> None:
    answer = as_ada.get("/pictures/")
    assert answer.status_code == 200
    assert [card["id"] for card in answer.context["page"]["items"]] == [str(picture.pk)]


@pytest.mark.parametrize("url", ["/", "/pictures/", "/accounts/login/", "/accounts/signup/", "/api/docs", "/missing"])
def test_headers_of_pages(url: str) -> None:
    headers = Client().get(url).headers
    rules = {rule.strip() for rule in headers["Content-Security-Policy"].split(";")}
    assert {"default-src 'self'", "script-src 'self'", "frame-ancestors 'none'"} <= rules
    assert not any("unsafe" in rule for rule in rules)
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    "url", ["/", "/pictures/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]
)
def test_pages_have_no_inline_script_or_style(url: str) -> None:
    """The policy would block them."""
    page = Client().get(url).content.decode()
    scripts = re.findall(r"<script\b([^>]*)>", page)
    assert scripts
    assert all("src=" in each or "application/json" in each for each in scripts)
    assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=", page)


def test_pages_of_errors() -> None:
    missing = Client().get("/pictures/00000000-0000-4000-8000-000000000000/edit")
    assert missing.status_code == 404
    assert missing.headers["Content-Type"].startswith("text/html")
    assert b"<html" in missing.content


def test_sign_in_pages_work_for_everybody() -> None:
    for page in ("login", "signup", "password/reset"):
        assert Client().get(f"/accounts/{page}/").status_code == 200


def test_the_admin_lists_people_and_pictures(as_ada: Client, ada: User, picture: Picture) -> None:
    assert as_ada.get("/admin/accounts/user/").status_code in (302, 403)
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    for page in ("accounts/user/", f"accounts/user/{ada.pk}/change/", "photos/picture/"):
        assert as_ada.get(f"/admin/{page}").status_code == 200
    change = as_ada.get(f"/admin/photos/picture/{picture.pk}/change/")
    assert change.status_code == 200
    assert b"beach day" in change.content


def test_healthz_asks_nothing(settings: Settings, django_assert_num_queries: object) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with django_assert_num_queries(0):  # type: ignore[operator]
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer.headers["Cache-Control"]


def test_readyz_when_all_is_there(with_redis: str, media: object) -> None:
    now = timezone.now()
    WorkerSeen.objects.create(name="w1", started_at=now, seen_at=now)
    answer = Client().get("/readyz")
    assert answer.status_code == 200, answer.json()
    assert {name: part["ok"] for name, part in answer.json()["parts"].items()} == {
        "database": True,
        "redis": True,
        "storage": True,
        "worker": True,
    }
    assert media() == []  # type: ignore[operator]  # the probe cleaned up


def test_readyz_names_what_is_missing(settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/no.sock"
    (tmp_path / "file").touch()
    settings.MEDIA_ROOT = tmp_path / "file"
    long_ago = timezone.now() - timedelta(minutes=10)
    WorkerSeen.objects.create(name="w1", started_at=long_ago, seen_at=long_ago)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert {name for name, part in parts.items() if not part["ok"]} == {"redis", "storage", "worker"}
    assert all(part["message"].endswith(".") for part in parts.values() if not part["ok"])
    assert str(tmp_path) not in answer.content.decode()


def test_not_being_ready_is_no_error_in_the_log(settings: Settings, tmp_path: Path) -> None:
    """Probes come every few seconds; other failures of ours are logged as ever."""
    settings.REDIS_URL = f"unix://{tmp_path}/no.sock"
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear = Ear()
    logger = logging.getLogger("django.request")
    logger.addHandler(ear)
    client = Client(raise_request_exception=False)
    assert client.get("/readyz").status_code == 503
    assert heard == []
    (tmp_path / "samples.json").write_text("{broken", encoding="utf-8")
    settings.SAMPLES_DIR = tmp_path
    assert client.get("/").status_code == 500
    logger.removeHandler(ear)
    assert heard == ["Internal Server Error: /"]


def test_allowances_live_in_a_real_redis_on_a_socket(with_redis: str, settings: Settings) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": with_redis},
    }
    caches["default"].set("key", {"value": 1}, 10)
    assert caches["default"].get("key") == {"value": 1}
    for _ in range(3):
        use_allowance("test", "somebody", limit=3, seconds=3600, message="Too many.")
    with pytest.raises(Refusal) as refused:
        use_allowance("test", "somebody", limit=3, seconds=3600, message="Too many.")
    assert refused.value.status == 429
    use_allowance("test", "somebody else", limit=3, seconds=3600, message="Too many.")
    caches["default"].close()


def test_a_lost_cache_turns_nobody_away(settings: Settings, tmp_path: Path) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"unix://{tmp_path}/no.sock",
        },
    }
    for _ in range(3):
        use_allowance("test", "somebody", limit=1, seconds=3600, message="Too many.")
