"""Services: what they keep, what they refuse, and that no file outlives or precedes its row."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from inpainting.imaging import decode_mask, encode_mask
from tests.webapp.conftest import MakeResult
from tests.webapp.material import mask_file, photo_file
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.photos import services
from webapp.photos.files import new_files, write_file
from webapp.photos.models import Mask, Picture, Rendition, Version

Media = Callable[[], list[str]]


def test_a_mask_is_kept_by_its_hole(upload: Version) -> None:
    mask = services.add_mask(upload, mask_file(box=(4, 6, 14, 26)))
    assert mask.hole_pixels == 10 * 20
    assert mask.hole_share == pytest.approx(200 / (64 * 48))
    hole = decode_mask(services.read_mask(mask), width=64, height=48)
    assert hole[6:26, 4:14].all()
    assert hole.sum() == 200


def test_the_same_hole_is_the_same_mask_however_it_is_encoded(upload: Version, media: Media) -> None:
    from io import BytesIO

    from PIL import Image

    first = services.add_mask(upload, mask_file())
    stored = media()
    drawing = np.zeros((48, 64, 4), np.uint8)
    drawing[10:30, 10:30] = (255, 255, 255, 200)
    out = BytesIO()
    Image.fromarray(drawing).save(out, "PNG", compress_level=9)
    assert services.add_mask(upload, out.getvalue()) == first
    assert media() == stored
    assert services.add_mask(upload, mask_file(box=(10, 10, 30, 31))) != first


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (mask_file(63, 48), "bad_mask"),
        (mask_file(48, 64), "bad_mask"),
        (b"no picture", "bad_mask"),
        (encode_mask(np.zeros((48, 64), np.bool_)), "empty_mask"),
        (encode_mask(np.ones((48, 64), np.bool_)), "full_mask"),
    ],
)
def test_masks_that_do_not_fit_are_refused(upload: Version, media: Media, data: bytes, code: str) -> None:
    before = media()
    with pytest.raises(Refusal) as refused:
        services.add_mask(upload, data)
    assert (refused.value.code, refused.value.status) == (code, 422)
    assert refused.value.message.endswith(".")
    assert not Mask.objects.exists()
    assert media() == before


def test_a_result_becomes_the_next_version(upload: Version, result: Version) -> None:
    assert result.parent == upload
    assert not result.is_upload
    assert result.upload_format == "JPEG"
    assert (result.model, result.seed, result.params) == ("telea", 7, {"radius": 5})
    assert result.proof == {"known_pixels": 64 * 48 - 400, "changed_pixels": 0}
    assert result.bytes == len(services.read_version(result))


def test_a_result_moves_the_picture_to_the_front(ada: User, make_result: MakeResult) -> None:
    first = services.add_picture(ada, "first.jpg", photo_file())
    services.add_picture(ada, "second.jpg", photo_file())
    assert Picture.objects.visible_to(ada).first() != first
    make_result(Version.objects.get(picture=first))
    assert Picture.objects.visible_to(ada).first() == first


def test_a_result_of_the_wrong_size_is_an_error_of_the_worker(upload: Version, media: Media) -> None:
    mask = services.add_mask(upload, mask_file())
    before = media()
    with pytest.raises(ValueError, match="10 × 10"):
        _add_result(upload, mask, width=10, height=10)
    assert media() == before


@pytest.mark.django_db(transaction=True)
def test_a_result_for_a_deleted_picture_is_refused_and_leaves_nothing(upload: Version, media: Media) -> None:
    mask = services.add_mask(upload, mask_file())
    gone = Version.objects.get(pk=upload.pk)
    services.delete_picture(upload.picture)
    with pytest.raises(Refusal) as refused:
        _add_result(gone, mask, width=64, height=48)
    assert refused.value.status == 404
    assert media() == []


@pytest.mark.django_db(transaction=True)
def test_deleting_a_picture_deletes_its_files(picture: Picture, result: Version, media: Media) -> None:
    services.make_rendition(result, "original")
    assert len(media()) >= 6
    services.delete_picture(picture)
    assert media() == []
    assert not any(model.objects.exists() for model in (Picture, Version, Mask, Rendition))


@pytest.mark.django_db(transaction=True)
def test_deleting_an_account_deletes_its_files(ada: User, result: Version, media: Media) -> None:
    assert media()
    ada.delete()
    assert media() == []


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_is_rolled_back_keeps_the_files(picture: Picture, media: Media) -> None:
    before, pk = media(), picture.pk

    def delete_and_fail() -> None:
        with transaction.atomic():
            services.delete_picture(picture)
            raise RuntimeError("something else failed")

    with pytest.raises(RuntimeError):
        delete_and_fail()
    assert Picture.objects.filter(pk=pk).exists()
    assert media() == before


@pytest.mark.django_db(transaction=True)
def test_an_upload_whose_transaction_fails_leaves_no_file(ada: User, media: Media) -> None:
    """The failure is the database's own: the account is gone, so the row cannot be stored."""
    ghost = User.objects.get(pk=ada.pk)
    ada.delete()
    with pytest.raises(DatabaseError):
        services.add_picture(ghost, "photo.jpg", photo_file())
    assert media() == []


@pytest.mark.django_db(transaction=True)
def test_files_of_an_inner_block_go_when_the_outer_one_fails(upload: Version, media: Media) -> None:
    before = media()

    def add_and_fail() -> None:
        with new_files(), transaction.atomic():
            services.add_mask(upload, mask_file())
            assert len(media()) == len(before) + 1
            raise RuntimeError("the job was refused")

    with pytest.raises(RuntimeError):
        add_and_fail()
    assert media() == before
    assert not Mask.objects.exists()


def test_files_are_written_in_a_block_only(upload: Version) -> None:
    with pytest.raises(LookupError):
        write_file(Mask(picture=upload.picture).file, ".png", b"data")


def test_a_rendition_is_the_first_one_stored(upload: Version, media: Media) -> None:
    """Two processes made the same: the loser drops its file and takes the winner's."""
    from webapp.photos.renditions import Made, store_rendition

    made = Made(b"winner", ".png", 64, 48)
    winner = store_rendition(upload, "png", made)
    before = media()
    loser = store_rendition(upload, "png", Made(b"loser", ".png", 64, 48))
    assert loser == winner
    assert media() == before


@pytest.mark.django_db(transaction=True)
def test_many_requests_for_a_rendition_at_once_make_one(upload: Version, media: Media) -> None:
    before = len(media())
    ready = threading.Barrier(4)
    found: list[Any] = []

    def ask() -> None:
        try:
            ready.wait(10)
            found.append(services.make_rendition(upload, "png").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert len(media()) == before + 1


@pytest.mark.django_db(transaction=True)
def test_a_rendition_of_a_deleted_version_is_not_found(upload: Version, media: Media) -> None:
    gone = Version.objects.get(pk=upload.pk)
    services.delete_picture(upload.picture)
    with pytest.raises(Refusal) as refused:
        services.make_rendition(gone, "png")
    assert refused.value.status == 404
    assert media() == []


def test_samples_become_pictures(ada: User) -> None:
    picture = services.add_sample(ada, "kite")
    assert picture.title == "Kite"
    assert Version.objects.get(picture=picture).width > 500
    with pytest.raises(Refusal) as refused:
        services.add_sample(ada, "../../manage.py")
    assert refused.value.status == 404
    assert "kite" in refused.value.message


def test_stray_files_are_cleared_and_others_are_not(result: Version, media: Media, settings: Settings) -> None:
    kept = media()
    young = default_storage.save("version/00/young.png", ContentFile(b"on its way"))
    old = default_storage.save("mask/00/old.png", ContentFile(b"left behind"))
    two_days_ago = time.time() - 2 * 86400
    for name in [*kept, old]:
        os.utime(Path(settings.MEDIA_ROOT) / name, (two_days_ago, two_days_ago))
    out = StringIO()
    call_command("clear_files", "--dry-run", stdout=out)
    assert old in out.getvalue()
    assert old in media()
    call_command("clear_files", stdout=out)
    assert media() == sorted([*kept, young])


def _add_result(source: Version, mask: Mask, *, width: int, height: int) -> Version:
    return services.add_result(
        source=source,
        mask=mask,
        png=photo_file("PNG", width=width, height=height),
        width=width,
        height=height,
        model="telea",
        params={},
        seed=0,
        timings={},
        proof={},
        notes={},
    )
