"""Lists hold only what is one's own, and what is named in passing is looked at as closely as what is asked for.

Who gets in at which address is in the table of rights (`tests/rights`).
"""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.webapp.material import mask_file, photo_file
from webapp.accounts.models import User
from webapp.galleries.services import change_tags
from webapp.jobs.models import Job
from webapp.photos import services
from webapp.photos.models import Mask, Picture, Version

pytestmark = pytest.mark.django_db


def test_lists_hold_only_ones_own(picture: Picture, as_ada: Client, as_bob: Client, ada: User, bob: User) -> None:
    his = services.add_picture(bob, "his.jpg", photo_file())
    change_tags(ada, [picture.pk], add=["secret"])
    assert [row["id"] for row in as_ada.get("/api/pictures").json()["items"]] == [str(picture.pk)]
    assert [row["id"] for row in as_bob.get("/api/pictures").json()["items"]] == [str(his.pk)]
    assert [row["id"] for row in as_bob.get("/api/pictures?q=beach").json()["items"]] == []
    assert as_bob.get("/api/tags").json() == []
    assert Client().get("/api/pictures").json() == {"items": [], "next": None}


def test_a_mask_of_another_picture_cannot_be_smuggled_in(upload: Version, as_bob: Client, bob: User) -> None:
    """`visible_to` is asked for the version that is filled, not only for the one that is named."""
    assert Version.objects.visible_to(bob).count() == 0
    assert Mask.objects.visible_to(bob).count() == 0
    body = {"mask": SimpleUploadedFile("mask.png", mask_file(box=(2, 2, 9, 9))), "model": "telea"}
    assert as_bob.post(f"/api/versions/{upload.pk}/fill", body).status_code == 404
    assert not Job.objects.exists()
    assert not Mask.objects.exists()
