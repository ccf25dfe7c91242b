"""The REST API: its shapes, its refusals, its pages, and how many queries it takes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from inpainting.catalog import get_entry, offered
from tests.webapp.conftest import MakeResult
from tests.webapp.material import mask_file, photo_file
from webapp.accounts.models import User
from webapp.galleries.search import PAGE_SIZE
from webapp.jobs.batches import cancel_batch, submit_batch
from webapp.jobs.models import Job
from webapp.photos import services
from webapp.photos.models import Mask, Picture, Version

pytestmark = pytest.mark.django_db

PICTURE = {"id", "title", "width", "height", "created_at", "edit_url", "versions", "jobs", "draft", "batches"}
PICTURE |= {"team", "may"}
CARD = {
    *("id", "title", "width", "height", "versions", "thumb_url", "page_url", "edit_url", "changed_at"),
    *("trashed_at", "tags", "favourite", "review"),
}
VERSION = {
    *("id", "parent", "model", "model_title", "params", "seed", "width", "height", "bytes", "created_at", "mask_url"),
    *("display_url", "thumb_url", "download_url", "original_format", "timings", "proof", "notes"),
    *("overlays", "sources"),
}
JOB = {
    *("id", "picture", "source", "result", "model", "model_title", "status", "queue", "position", "attempt", "stage"),
    *("expected_start", "expected_finish"),
    *("fraction", "steps_done", "steps_total", "seconds_left", "preview", "error", "error_code", "created_at"),
    *("started_at", "finished_at", "timings", "kind", "selection"),
}
MODEL = {"key", "title", "summary", "cost", "measured", "paper", "params"}
PARAM = {"name", "kind", "default", "label", "help", "minimum", "maximum", "choices"}


def fill(client: Client, version: Version, mask: bytes | None = None, **fields: Any) -> Any:
    data = {"mask": SimpleUploadedFile("mask.png", mask or mask_file()), "model": "telea", **fields}
    return client.post(f"/api/versions/{version.pk}/fill", data)


def test_models_are_public_and_in_order() -> None:
    models = Client().get("/api/models").json()
    assert [model["key"] for model in models] == [entry.key for entry in offered()]
    assert {"telea", "patchmatch"} <= {model["key"] for model in models}
    assert all(set(model) == MODEL for model in models)
    telea = next(model for model in models if model["key"] == "telea")
    assert set(telea["params"][0]) == PARAM
    (radius,) = (param for param in get_entry("telea").params if param.name == "radius")
    assert (telea["params"][0]["name"], telea["params"][0]["maximum"]) == ("radius", radius.maximum)
    assert telea["paper"]["year"] == 2004


def test_an_upload_answers_with_the_picture(as_ada: Client) -> None:
    answer = as_ada.post("/api/pictures", {"file": SimpleUploadedFile("Beach day.JPG", photo_file())})
    assert answer.status_code == 201
    picture = answer.json()
    assert set(picture) == PICTURE
    assert (picture["title"], picture["width"], picture["height"]) == ("Beach day", 64, 48)
    assert picture["edit_url"] == f"/pictures/{picture['id']}/edit"
    (version,) = picture["versions"]
    assert set(version) == VERSION
    assert (version["parent"], version["mask_url"], version["model"], version["proof"]) == (None, None, "", {})
    assert version["original_format"] == "JPEG"
    for url in ("display_url", "thumb_url", "download_url"):
        got = as_ada.get(version[url])
        assert got.status_code == 200
        assert b"".join(got.streaming_content)  # type: ignore[attr-defined]


def test_a_sample_answers_with_a_picture(as_ada: Client) -> None:
    answer = as_ada.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
    assert (answer.status_code, answer.json()["title"]) == (201, "Kite")
    answer = as_ada.post("/api/pictures/sample", {"name": "none"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_sample")


def test_a_picture_has_its_versions_in_order_and_its_active_jobs(
    as_ada: Client, picture: Picture, result: Version, job: Job, make_result: MakeResult
) -> None:
    second = make_result(result)
    body = as_ada.get(f"/api/pictures/{picture.pk}").json()
    assert [version["parent"] for version in body["versions"]] == [
        None,
        body["versions"][0]["id"],
        body["versions"][1]["id"],
    ]
    last = body["versions"][-1]
    assert (last["id"], last["model"], last["model_title"]) == (str(second.pk), "telea", "Telea")
    assert last["proof"] == {"known_pixels": 64 * 48 - 400, "changed_pixels": 0}
    assert last["mask_url"] == f"/files/masks/{second.mask_id}"
    assert [set(each) for each in body["jobs"]] == [JOB]
    assert body["jobs"][0]["position"] == 1
    as_ada.post(f"/api/jobs/{job.pk}/cancel")
    assert as_ada.get(f"/api/pictures/{picture.pk}").json()["jobs"] == []


def test_a_fill_becomes_a_job_and_the_same_again_is_that_job(as_ada: Client, upload: Version) -> None:
    first = fill(as_ada, upload, params=json.dumps({"radius": 9}), seed="7")
    assert first.status_code == 201, first.content
    body = first.json()
    assert set(body) == JOB
    assert (body["status"], body["model"], body["source"]) == ("queued", "telea", str(upload.pk))
    again = fill(as_ada, upload, params=json.dumps({"radius": 9}), seed="7")
    assert (again.status_code, again.json()["id"]) == (200, body["id"])
    other = fill(as_ada, upload, params=json.dumps({"radius": 10}), seed="7")
    assert other.status_code == 201
    job = Job.objects.get(pk=body["id"])
    assert (job.params["radius"], job.seed) == (9, 7)
    assert Mask.objects.count() == 1
    assert as_ada.get(f"/api/jobs/{body['id']}").json() == body


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"model": "nonsense"}, "unknown_model"),
        ({"params": '{"radius": 9000}'}, "bad_params"),
        ({"params": '{"colour": "red"}'}, "bad_params"),
        ({"params": "[1, 2]"}, "bad_params"),
        ({"params": "{radius"}, "bad_params"),
        ({"seed": "-1"}, "bad_seed"),
        ({"seed": "many"}, "invalid"),
        ({"mask": mask_file(10, 10, box=(1, 1, 5, 5))}, "bad_mask"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_fill_that_cannot_be_leaves_nothing(
    as_ada: Client, upload: Version, media: Any, fields: dict[str, Any], code: str
) -> None:
    before = media()
    answer = fill(as_ada, upload, **fields)
    assert 400 <= answer.status_code < 500
    body = answer.json()
    assert set(body) == {"code", "message"}
    assert body["code"] == code
    assert body["message"].endswith((".", "…"))
    assert not Job.objects.exists()
    assert not Mask.objects.exists()
    assert media() == before


def test_what_is_missing_from_a_fill_is_named(as_ada: Client, upload: Version) -> None:
    url = f"/api/versions/{upload.pk}/fill"
    assert as_ada.post(url, {"model": "telea"}).json()["message"] == "“mask” is missing."
    answer = as_ada.post(url, {"mask": SimpleUploadedFile("mask.png", mask_file())})
    assert answer.json()["message"] == "“model” is missing."


def test_cancelling(as_ada: Client, job: Job) -> None:
    for _ in range(2):  # twice is as good as once
        answer = as_ada.post(f"/api/jobs/{job.pk}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


@pytest.mark.django_db(transaction=True)
def test_deleting(as_ada: Client, picture: Picture, job: Job, media: Any) -> None:
    assert as_ada.delete(f"/api/pictures/{picture.pk}").status_code == 204
    assert as_ada.get(f"/api/pictures/{picture.pk}").status_code == 404
    assert Job.objects.get().status == "cancelled"
    gone = {"pictures": [str(picture.pk)]}
    assert as_ada.post("/api/pictures/erase", gone, content_type="application/json").json() == {"handled": 1}
    assert media() == []
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("get", "/api/nothing-here", 404, "not_found"),
        ("get", "/api/pictures/not-an-id", 404, "not_found"),
        ("put", "/api/pictures", 405, "method_not_allowed"),
        ("get", "/api/pictures?cursor=rubbish", 400, "bad_cursor"),
        ("get", "/api/pictures?cursor=MjAyNi0wMS0wMQ", 400, "bad_cursor"),
        ("get", "/api/pictures?cursor=%FF%FE", 400, "bad_cursor"),
    ],
)
def test_every_error_has_a_code_and_a_sentence(as_ada: Client, method: str, url: str, status: int, code: str) -> None:
    answer = getattr(as_ada, method)(url)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/json")
    body = answer.json()
    assert set(body) == {"code", "message"}
    assert body["code"] == code
    assert body["message"].endswith(".")


def test_a_body_that_is_no_json_is_refused(as_ada: Client) -> None:
    answer = as_ada.post("/api/pictures/sample", "{name", content_type="application/json")
    assert (answer.status_code, set(answer.json())) == (400, {"code", "message"})


def test_a_host_that_is_not_ours_is_refused_in_json(as_ada: Client) -> None:
    answer = as_ada.get("/api/models", headers={"Host": "evil.example.com"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_failure_of_ours_is_told_without_details(as_ada: Client, settings: Settings, tmp_path: Path) -> None:
    as_ada.raise_request_exception = False
    (tmp_path / "samples.json").write_text("{this is broken", encoding="utf-8")
    settings.SAMPLES_DIR = tmp_path
    answer = as_ada.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
    assert "JSON" not in answer.content.decode()


@pytest.mark.parametrize("token", [None, "x" * 32, "wrong"])
def test_without_the_pages_token_nothing_changes(
    ada: User, picture: Picture, upload: Version, token: str | None
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    client.get("/")
    headers = {"X-CSRFToken": token} if token else {}
    calls = [
        client.post("/api/pictures", {"file": SimpleUploadedFile("a.jpg", photo_file())}, headers=headers),
        client.post("/api/pictures/sample", '{"name": "kite"}', content_type="application/json", headers=headers),
        client.delete(f"/api/pictures/{picture.pk}", headers=headers),
        client.post(
            f"/api/versions/{upload.pk}/fill",
            {"mask": SimpleUploadedFile("mask.png", mask_file()), "model": "telea"},
            headers=headers,
        ),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in calls] == [(403, "csrf_failed")] * 4
    assert Picture.objects.count() == 1
    assert not Job.objects.exists()


def test_with_the_pages_token_it_works(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    page = client.get("/")
    token = page.context["csrf_token"]
    headers = {"X-CSRFToken": str(token)}
    answer = client.post("/api/pictures/sample", '{"name": "kite"}', content_type="application/json", headers=headers)
    assert answer.status_code == 201


def _many(owner: User, count: int) -> None:
    """Pictures as rows only: lists read no files."""
    pictures = Picture.objects.bulk_create(Picture(owner=owner, title=f"{number}") for number in range(count))
    Version.objects.bulk_create(
        Version(picture=each, file="version/none.png", bytes=1, width=8, height=9, upload_format="PNG")
        for each in pictures
    )


def test_pages_show_every_picture_once_even_with_equal_times(as_ada: Client, ada: User) -> None:
    _many(ada, 2 * PAGE_SIZE + 3)
    Picture.objects.update(changed_at=timezone.now())
    sizes, seen, cursor = [], [], ""
    while cursor is not None:
        page = as_ada.get("/api/pictures", {"cursor": cursor}).json()
        assert all(set(card) == CARD for card in page["items"])
        sizes.append(len(page["items"]))
        seen += [card["id"] for card in page["items"]]
        cursor = page["next"]
    assert sizes == [PAGE_SIZE, PAGE_SIZE, 3]
    assert len(set(seen)) == len(seen) == 2 * PAGE_SIZE + 3


def test_a_full_last_page_has_no_next(as_ada: Client, ada: User) -> None:
    _many(ada, PAGE_SIZE)
    assert as_ada.get("/api/pictures").json()["next"] is None


def test_new_pictures_do_not_shift_the_next_page(as_ada: Client, ada: User) -> None:
    _many(ada, PAGE_SIZE + 2)
    first = as_ada.get("/api/pictures").json()
    Picture.objects.filter(pk=first["items"][3]["id"]).update(changed_at=timezone.now() + timedelta(minutes=1))
    services.add_picture(ada, "new.jpg", photo_file())
    second = as_ada.get("/api/pictures", {"cursor": first["next"]}).json()
    assert len(second["items"]) == 2
    assert not {card["id"] for card in first["items"]} & {card["id"] for card in second["items"]}


def test_a_card_shows_the_latest_version(as_ada: Client, picture: Picture, result: Version) -> None:
    (card,) = as_ada.get("/api/pictures").json()["items"]
    assert card["versions"] == 2
    assert card["thumb_url"] == f"/files/versions/{result.pk}/thumb"
    assert (card["title"], card["width"], card["height"]) == ("beach day", 64, 48)


@pytest.mark.parametrize("count", [1, PAGE_SIZE])
def test_a_list_takes_five_queries(
    as_ada: Client, ada: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _many(ada, count)
    with django_assert_num_queries(5):  # session, account, the page's keys, its cards, their tags
        assert len(as_ada.get("/api/pictures").json()["items"]) == count


@pytest.mark.parametrize("results", [0, 4])
def test_a_picture_takes_ten_queries(
    as_ada: Client,
    ada: User,
    upload: Version,
    make_result: MakeResult,
    results: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(1 + results):
        mask = services.add_mask(upload, mask_file(box=(1, 1, 9, 9 + number)))
        cancel_batch(submit_batch(ada, upload, mask, models=["telea", "patchmatch"])[0], actor="ada")
    for _ in range(results):
        make_result(upload)
    # session, account, picture; versions, overlays, sources; jobs, draft, batches and their jobs
    with django_assert_num_queries(10):
        body = as_ada.get(f"/api/pictures/{upload.picture_id}").json()
    assert len(body["versions"]) == results + 1


def test_the_description_is_complete_and_its_page_loads_nothing_from_elsewhere() -> None:
    client = Client()
    paths = client.get("/api/openapi.json").json()["paths"]
    assert len(paths) >= 33
    fill_call = paths["/api/versions/{version_id}/fill"]["post"]
    assert {"200", "201", "404", "422"} <= set(fill_call["responses"])
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert b"http://" not in page.content
    assert b"https://" not in page.content
    assert b"/static/ninja/swagger-ui" in page.content
