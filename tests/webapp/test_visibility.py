"""Nobody but its owner gets at a picture or anything that belongs to it, by whatever address there is.

The addresses are read from the site itself, so that a new one is tested from the day it exists; one whose arguments
these tests do not know fails until they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests.webapp.material import body_of, mask_file, photo_file
from webapp.accounts.models import User
from webapp.jobs.batches import submit_batch
from webapp.jobs.models import Batch, Job
from webapp.jobs.previews import publish_preview
from webapp.photos import services
from webapp.photos.drafts import save_draft
from webapp.photos.models import Draft, Mask, Picture, Version

METHODS = ("get", "head", "post", "put", "patch", "delete")
# Accounts and the admin have rights of their own; static files and the API's description belong to nobody.
# The pages of staff, teams and notifications have rules of their own: the table in tests/rights knows them.
OTHER_ROOMS = ("admin/", "accounts/", "static/", "operations/", "teams/", "notifications/")
PREVIEW = 7


@dataclass(frozen=True)
class Route:
    """An address of the site with arguments: `pictures/<uuid:picture_id>/edit`."""

    path: str
    arguments: tuple[str, ...]

    def url(self, values: dict[str, object]) -> str:
        parts = [
            f"{values[part.split('>')[0].split(':')[-1]]}{part.split('>', 1)[1]}" for part in self.path.split("<")[1:]
        ]
        return "/" + self.path.split("<")[0] + "".join(parts)


def routes(patterns: list[URLPattern | URLResolver] | None = None, prefix: str = "") -> Iterator[Route]:
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(entry.pattern)
        if path.startswith(OTHER_ROOMS):
            continue
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, path)
        elif entry.pattern.converters:
            yield Route(path, tuple(entry.pattern.converters))


ROUTES = sorted(set(routes()), key=lambda route: route.path)


@pytest.fixture
def belongings(picture: Picture, result: Version, job: Job, with_redis: str) -> dict[str, object]:
    """What Ada has, by the names that addresses use."""
    assert save_draft(result.picture.owner, result, mask_file(box=(1, 1, 5, 5)))
    batch, _ = submit_batch(picture.owner, result, result.mask, models=["telea"])
    assert publish_preview(job.pk, PREVIEW, b"\x89PNG preview", [0, 0, 8, 8])
    return {
        "picture_id": picture.pk,
        "version_id": result.pk,
        "mask_id": result.mask_id,
        "job_id": job.pk,
        "batch_id": batch.pk,
        "overlay_id": result.overlays.get().pk,
        "sources_id": result.sources.get().pk,
        "n": PREVIEW,
    }


def call(client: Client, method: str, url: str) -> int:
    """With a body that is right for the calls that take one, so that nothing but the right can refuse it."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    body: dict[str, Any] = {}
    if method == "post":
        files = {name: SimpleUploadedFile("mask.png", mask_file(box=(2, 2, 9, 9))) for name in ("mask", "hint")}
        body = {"data": {**files, "model": "telea", "kind": "object"}}
    elif method == "put":
        body = {"data": mask_file(box=(2, 2, 9, 9)), "content_type": "image/png"}
    answer = getattr(client, method)(url, **body)
    body_of(answer)
    return int(answer.status_code)


def test_all_kinds_of_addresses_are_found() -> None:
    found = {argument for route in ROUTES for argument in route.arguments}
    assert found == {
        *("picture_id", "version_id", "mask_id", "job_id", "n"),
        *("batch_id", "overlay_id", "sources_id"),
    }
    assert len(ROUTES) >= 17


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_the_owner_gets_in(route: Route, belongings: dict[str, object], as_ada: Client) -> None:
    url = route.url(belongings)
    answers = {method: call(as_ada, method, url) for method in METHODS if method != "delete"}
    assert any(200 <= status < 300 for status in answers.values()), answers


@pytest.mark.parametrize("who", ["another account", "a guest", "a visitor", "staff"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_nobody_else_does(route: Route, who: str, belongings: dict[str, object], as_bob: Client, bob: User) -> None:
    client = as_bob
    if who == "a visitor":
        client = Client()
    elif who == "a guest":
        client = Client()
        client.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
        assert User.objects.filter(is_guest=True).exists()
    elif who == "staff":
        User.objects.filter(pk=bob.pk).update(is_staff=True, is_superuser=True)
    before = _everything()
    answers = {method: call(client, method, route.url(belongings)) for method in METHODS}
    assert set(answers.values()) <= {404, 405}, answers
    assert 404 in answers.values()
    assert _everything() == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_what_does_not_exist_answers_the_same(route: Route, belongings: dict[str, object], as_bob: Client) -> None:
    """Whoever guesses an id must not learn from the answer whether it is somebody's."""
    made_up = dict.fromkeys(belongings, "00000000-0000-4000-8000-000000000000") | {"n": PREVIEW}
    for method in METHODS:
        theirs = getattr(as_bob, method)(route.url(belongings))
        nobodys = getattr(as_bob, method)(route.url(made_up))
        assert theirs.status_code == nobodys.status_code
        if route.path.startswith("api/"):
            assert theirs.content == nobodys.content


def test_lists_hold_only_ones_own(picture: Picture, as_ada: Client, as_bob: Client, bob: User) -> None:
    his = services.add_picture(bob, "his.jpg", photo_file())
    assert [row["id"] for row in as_ada.get("/api/pictures").json()["items"]] == [str(picture.pk)]
    assert [row["id"] for row in as_bob.get("/api/pictures").json()["items"]] == [str(his.pk)]
    assert Client().get("/api/pictures").json() == {"items": [], "next": None}


def test_a_mask_of_another_picture_cannot_be_smuggled_in(upload: Version, as_bob: Client, bob: User) -> None:
    """`visible_to` is asked for the version that is filled, not only for the one that is named."""
    assert Version.objects.visible_to(bob).count() == 0
    assert Mask.objects.visible_to(bob).count() == 0
    assert call(as_bob, "post", f"/api/versions/{upload.pk}/fill") == 404
    assert not Job.objects.exists()


def _everything() -> list[object]:
    return [
        sorted(model.objects.values_list("pk", flat=True))  # type: ignore[attr-defined]
        for model in (Picture, Version, Mask, Job, Batch, Draft)
    ] + [sorted(Job.objects.values_list("status", flat=True)), sorted(Draft.objects.values_list("sha256", flat=True))]
