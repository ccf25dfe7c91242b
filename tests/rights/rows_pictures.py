"""Pictures, what is made from them, their jobs, and the files of all that."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.rights.table import ANYBODY, EDIT, LOOK, Row, form, json
from tests.webapp.material import mask_file, photo_file


def _mask(things: dict[str, Any]) -> SimpleUploadedFile:
    return SimpleUploadedFile("mask.png", mask_file(box=(2, 2, 9, 9)))


def _photo(things: dict[str, Any]) -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", photo_file(width=16, height=12))


ROWS = [
    # Pages
    Row("GET ", ANYBODY),
    Row("GET pictures/", ANYBODY),
    Row("GET pictures/{picture_id}/edit", EDIT, instead="pictures/{picture_id}/"),
    Row("GET healthz", ANYBODY),
    Row("GET readyz", ANYBODY, answers=(200, 503)),
    # Files
    Row("GET files/versions/{version_id}/display", LOOK),
    Row("GET files/versions/{version_id}/thumb", LOOK),
    Row("GET files/versions/{version_id}/download", LOOK),
    Row("GET files/masks/{mask_id}", LOOK),
    Row("GET files/overlays/{overlay_id}", LOOK),
    Row("GET files/sources/{sources_id}", LOOK),
    Row("GET files/jobs/{job_id}/preview/{n}", LOOK),
    # The API
    Row("GET api/", ANYBODY, answers=(404,)),
    Row("GET api/openapi.json", ANYBODY),
    Row("GET api/docs", ANYBODY),
    Row("GET api/models", ANYBODY),
    Row("GET api/abilities", ANYBODY),
    Row("GET api/pictures", ANYBODY),
    Row("POST api/pictures", ANYBODY, form(file=_photo)),
    Row("POST api/pictures/sample", ANYBODY, json(name="kite")),
    Row("GET api/pictures/{picture_id}", LOOK),
    Row("DELETE api/pictures/{picture_id}", EDIT),
    Row("POST api/versions/{version_id}/fill", EDIT, form(mask=_mask, model="telea")),
    Row("POST api/versions/{version_id}/fill-all", EDIT, form(mask=_mask, models='["telea"]')),
    Row("POST api/versions/{version_id}/select", EDIT, form(hint=_mask, kind="object")),
    Row("POST api/versions/{version_id}/mask", LOOK, form(mask=_mask)),
    Row("GET api/versions/{version_id}/draft", LOOK),
    Row(
        "PUT api/versions/{version_id}/draft",
        EDIT,
        lambda things: {"data": mask_file(box=(2, 2, 9, 9)), "content_type": "image/png"},
    ),
    Row("DELETE api/versions/{version_id}/draft", LOOK),
    Row("GET api/jobs/{job_id}", LOOK),
    Row("POST api/jobs/{job_id}/cancel", EDIT),
    Row("GET api/batches/{batch_id}", LOOK),
    Row("POST api/batches/{batch_id}/cancel", EDIT),
]
