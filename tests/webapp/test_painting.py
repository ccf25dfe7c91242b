"""Masks from elsewhere, and asking for selections."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from tests.webapp.conftest import MakeResult
from tests.webapp.material import MAP, WEBP, body_of, mask_file
from tests.webapp.test_api import JOB
from webapp.accounts.models import User
from webapp.jobs.claims import claim_next
from webapp.jobs.models import Job, WorkerSeen
from webapp.jobs.services import submit_job
from webapp.photos import services
from webapp.photos.models import Mask, Overlay, SourceMap, Version

pytestmark = pytest.mark.django_db


def posted(client: Client, version: Version, call: str, data: bytes | None, field: str, **fields: Any) -> Any:
    files = {} if data is None else {field: SimpleUploadedFile("mask", data)}
    return client.post(f"/api/versions/{version.pk}/{call}", {**files, **fields})


def drawing(format: str, mode: str, **options: Any) -> bytes:
    """A ramp from 0 to 252 from left to right, 4 levels a pixel."""
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    out = io.BytesIO()
    Image.fromarray(ramp).convert(mode).save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [("PNG", "L", {}), ("PNG", "RGB", {}), ("TIFF", "L", {}), ("WEBP", "RGB", {"lossless": True}), ("PNG", "RGBA", {})],
)
def test_masks_of_any_format_are_read_by_one_rule(
    as_ada: Client, upload: Version, media: Any, format: str, mode: str, options: dict[str, Any]
) -> None:
    before = media()
    answer = posted(as_ada, upload, "mask", drawing(format, mode, **options), "mask")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(answer.content))
    assert (image.mode, image.size) == ("L", (64, 48))
    assert np.array_equal(np.asarray(image), np.tile(np.where(np.arange(64) * 4 >= 128, 255, 0), (48, 1)))
    assert media() == before
    assert not Mask.objects.exists()


@pytest.mark.parametrize(("data", "words"), [(mask_file(63, 48), "63 × 48"), (b"text", "mask")])
def test_what_is_no_mask_for_the_photo_is_refused(as_ada: Client, upload: Version, data: bytes, words: str) -> None:
    answer = posted(as_ada, upload, "mask", data, "mask")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_mask")
    assert words in answer.json()["message"]


def test_a_selection_is_a_job_that_goes_before_fills(ada: User, as_ada: Client, upload: Version) -> None:
    fill, _ = submit_job(ada, upload, services.add_mask(upload, mask_file()), model="telea", params={})
    answer = posted(as_ada, upload, "select", mask_file(box=(5, 5, 9, 9)), "hint", kind="object")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert set(body) == JOB
    assert (body["kind"], body["model"], body["model_title"]) == ("select-object", "", "Object selection")
    assert (body["selection"], body["result"], body["position"]) == (None, None, 1)
    again = posted(as_ada, upload, "select", mask_file(box=(5, 5, 9, 9)), "hint", kind="object")
    assert (again.status_code, again.json()["id"]) == (200, body["id"])
    other = posted(as_ada, upload, "select", mask_file(box=(5, 5, 9, 10)), "hint", kind="object")
    assert other.status_code == 201
    first = claim_next("interactive", worker="w")
    assert first is not None
    assert str(first.pk) == body["id"]
    assert fill != first


def test_text_is_offered_as_long_as_a_worker_can_find_it(as_ada: Client, upload: Version) -> None:
    def offer() -> list[str]:
        found: list[str] = as_ada.get("/api/abilities").json()["select"]
        return found

    def ask() -> Any:
        return posted(as_ada, upload, "select", None, "hint", kind="text")

    assert offer() == ["object"]
    assert (ask().status_code, ask().json()["code"]) == (422, "not_able")
    assert not Job.objects.exists()
    assert not Mask.objects.exists()
    now = timezone.now()
    WorkerSeen.objects.create(name="w", started_at=now, seen_at=now, abilities=["object", "text"])
    assert offer() == ["object", "text"]
    answer = ask()
    assert (answer.status_code, answer.json()["kind"]) == (201, "select-text")
    assert Job.objects.get().mask.hole_share == 1.0, "the whole photo is looked at"
    WorkerSeen.objects.update(seen_at=now - timedelta(minutes=5))
    assert offer() == ["object"]


@pytest.mark.parametrize(
    ("data", "fields", "code"),
    [
        (mask_file(), {"kind": "sky"}, "bad_kind"),
        (mask_file(), {}, "invalid"),
        (None, {"kind": "object"}, "no_hint"),
        (mask_file(10, 10, box=(1, 1, 3, 3)), {"kind": "object"}, "bad_mask"),
        (mask_file(box=(5, 5, 5, 5)), {"kind": "object"}, "empty_mask"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_selections_that_cannot_be_leave_nothing(
    as_ada: Client, upload: Version, media: Any, data: bytes | None, fields: dict[str, Any], code: str
) -> None:
    before = media()
    answer = posted(as_ada, upload, "select", data, "hint", **fields)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["message"].endswith(".")
    assert not Job.objects.exists()
    assert not Mask.objects.exists()
    assert media() == before


def test_what_a_model_reported_is_part_of_its_version(as_ada: Client, result: Version) -> None:
    body = as_ada.get(f"/api/pictures/{result.picture_id}").json()["versions"][-1]
    (overlay,), (sources,) = body["overlays"], body["sources"]
    assert (overlay["name"], overlay["title"], overlay["box"]) == ("known", "Known pixels", [0, 0, 40, 40])
    assert (sources["width"], sources["height"], sources["patch"], sources["box"]) == (20, 20, 7, [0, 0, 40, 40])
    picture = as_ada.get(overlay["url"])
    assert (picture.headers["Content-Type"], body_of(picture)) == ("image/webp", WEBP)
    table = as_ada.get(sources["url"])
    assert (table.headers["Content-Type"], body_of(table)) == ("application/octet-stream", MAP.data)
    assert "immutable" in table.headers["Cache-Control"]
    again = as_ada.get(sources["url"], headers={"If-None-Match": table.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.django_db(transaction=True)
def test_what_a_model_reported_goes_with_its_version(
    upload: Version, result: Version, make_result: MakeResult, media: Any
) -> None:
    stored = media()
    assert [name.split("/")[0] for name in stored].count("sourcemap") == 1
    second = make_result(result)
    second.delete()
    assert [name for name in media() if name.startswith(("overlay", "sourcemap"))] == [
        name for name in stored if name.startswith(("overlay", "sourcemap"))
    ]
    services.delete_picture(upload.picture)
    assert media() == []
    assert not Overlay.objects.exists()
    assert not SourceMap.objects.exists()
