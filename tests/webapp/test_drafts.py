"""Masks in progress: kept, found again, replaced, and gone when they served their purpose."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from PIL import Image
from pytest_django import Settings

from inpainting.imaging import decode_mask
from tests.webapp.conftest import MakeResult
from tests.webapp.material import mask_file
from webapp.accounts.models import User
from webapp.accounts.services import claim_guest
from webapp.jobs.batches import submit_batch
from webapp.jobs.services import submit_job
from webapp.photos import services
from webapp.photos.drafts import save_draft
from webapp.photos.models import Draft, Picture, Version

Media = Callable[[], list[str]]


def put(client: Client, version: Version, data: bytes) -> Any:
    return client.put(f"/api/versions/{version.pk}/draft", data, content_type="image/png")


def got(client: Client, version: Version) -> Any:
    return client.get(f"/api/versions/{version.pk}/draft")


def drafts_on_disk(media: Media) -> list[str]:
    return [name for name in media() if name.startswith("draft/")]


@pytest.fixture
def empty_mask() -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 48)).save(out, "PNG")
    return out.getvalue()


def test_a_draft_is_found_again(as_ada: Client, upload: Version) -> None:
    assert got(as_ada, upload).status_code == 204
    answer = put(as_ada, upload, mask_file(box=(3, 4, 20, 30)))
    assert answer.status_code == 200
    body = answer.json()
    assert body["version"] == str(upload.pk)
    assert as_ada.get(f"/api/pictures/{upload.picture_id}").json()["draft"] == body
    png = as_ada.get(body["url"])
    assert (png.status_code, png.headers["Content-Type"], png.headers["Cache-Control"]) == (
        200,
        "image/png",
        "no-store",
    )
    hole = decode_mask(png.content, width=64, height=48)
    assert hole[4:30, 3:20].all()
    assert hole.sum() == 26 * 17


@pytest.mark.django_db(transaction=True)
def test_the_last_writer_wins_and_the_earlier_file_goes(
    as_ada: Client, upload: Version, result: Version, media: Media
) -> None:
    first = put(as_ada, upload, mask_file(box=(1, 1, 5, 5))).json()
    second = put(as_ada, result, mask_file(box=(1, 1, 6, 6))).json()
    assert second["updated_at"] > first["updated_at"]
    assert len(drafts_on_disk(media)) == 1
    assert got(as_ada, upload).status_code == 204
    assert decode_mask(got(as_ada, result).content, width=64, height=48).sum() == 25


def test_the_same_file_again_is_not_written_again(
    as_ada: Client, upload: Version, result: Version, media: Media
) -> None:
    data = mask_file(box=(1, 1, 5, 5))
    first = put(as_ada, upload, data).json()
    stored = media()
    again = put(as_ada, result, data).json()
    assert media() == stored
    assert again["updated_at"] > first["updated_at"]
    assert again["version"] == str(result.pk)


@pytest.mark.django_db(transaction=True)
def test_what_is_wiped_clean_or_dropped_is_gone(
    as_ada: Client, upload: Version, result: Version, media: Media, empty_mask: bytes
) -> None:
    put(as_ada, upload, mask_file())
    assert as_ada.delete(f"/api/versions/{result.pk}/draft").status_code == 204
    assert Draft.objects.count() == 1, "it was painted on the other version"
    assert put(as_ada, upload, empty_mask).status_code == 204
    assert not Draft.objects.exists()
    put(as_ada, upload, mask_file())
    assert as_ada.delete(f"/api/versions/{upload.pk}/draft").status_code == 204
    assert as_ada.delete(f"/api/versions/{upload.pk}/draft").status_code == 204
    assert not Draft.objects.exists()
    assert drafts_on_disk(media) == []


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [(mask_file(63, 48), 422, "bad_mask"), (b"no picture", 422, "bad_mask"), (bytes(1024 * 1024 + 1), 413, "too_big")],
)
def test_what_cannot_be_a_draft_leaves_the_one_there_is(
    as_ada: Client, upload: Version, media: Media, settings: Settings, data: bytes, status: int, code: str
) -> None:
    settings.MAX_UPLOAD_BYTES = 1024 * 1024
    kept = put(as_ada, upload, mask_file()).json()
    before = media()
    answer = put(as_ada, upload, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert media() == before
    assert as_ada.get(f"/api/pictures/{upload.picture_id}").json()["draft"] == kept


def test_a_mask_larger_than_a_form_may_be_is_taken(as_ada: Client, upload: Version) -> None:
    """Django's limit of 2.5 MB for bodies is for forms."""
    noise = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    padded = out.getvalue() + bytes(3 * 1024 * 1024)  # what follows the picture's end is ignored by decoders
    assert put(as_ada, upload, padded).status_code == 200


def test_a_submitted_draft_is_gone_and_another_one_stays(ada: User, as_ada: Client, upload: Version) -> None:
    put(as_ada, upload, mask_file(box=(1, 1, 9, 9)))
    submit_job(ada, upload, services.add_mask(upload, mask_file(box=(1, 1, 9, 10))), model="telea", params={})
    assert Draft.objects.count() == 1
    submit_job(ada, upload, services.add_mask(upload, mask_file(box=(1, 1, 9, 9))), model="telea", params={})
    assert not Draft.objects.exists()
    put(as_ada, upload, mask_file(box=(2, 2, 9, 9)))
    submit_batch(ada, upload, services.add_mask(upload, mask_file(box=(2, 2, 9, 9))), models=None)
    assert not Draft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_draft_goes_with_its_picture(as_ada: Client, picture: Picture, upload: Version, media: Media) -> None:
    put(as_ada, upload, mask_file())
    services.delete_picture(picture)
    assert media() == []
    assert put(as_ada, upload, mask_file()).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_draft_for_a_version_that_goes_meanwhile_leaves_nothing(upload: Version, ada: User, media: Media) -> None:
    from webapp.errors import Refusal

    gone = Version.objects.get(pk=upload.pk)
    services.delete_picture(upload.picture)
    with pytest.raises(Refusal) as refused:
        save_draft(ada, gone, mask_file())
    assert refused.value.status == 404
    assert media() == []


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_moment_leave_one_draft_and_one_file(ada: User, upload: Version, media: Media) -> None:
    barrier = threading.Barrier(6)
    kept: list[Draft | None] = []

    def write(number: int) -> None:
        barrier.wait()
        try:
            kept.append(save_draft(ada, upload, mask_file(box=(1, 1, 5 + number, 9))))
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 6, "nobody was turned away"
    assert Draft.objects.count() == 1
    assert drafts_on_disk(media) == [Draft.objects.get().file.name]


def test_a_guests_draft_and_batches_move_to_the_account(ada: User, make_result: MakeResult) -> None:
    from tests.webapp.material import photo_file

    guest = User.objects.create_user("guest-1", is_guest=True)
    upload = services.add_picture(guest, "a.jpg", photo_file()).versions.get()
    save_draft(guest, upload, mask_file(box=(1, 1, 5, 5)))
    batch, _ = submit_batch(guest, upload, services.add_mask(upload, mask_file()), models=["telea"])
    assert claim_guest(guest, ada)
    batch.refresh_from_db()
    assert (Draft.objects.get().owner, batch.owner) == (ada, ada)
