"""*Try all models*: one mask for several models at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from inpainting.catalog import offered
from tests.webapp.material import mask_file
from tests.webapp.test_api import JOB
from webapp.accounts.models import User
from webapp.jobs import states
from webapp.jobs.models import Batch, Job
from webapp.photos.models import Mask, Version

pytestmark = pytest.mark.django_db


def fill_all(client: Client, version: Version, mask: bytes | None = None, **fields: Any) -> Any:
    data = {"mask": SimpleUploadedFile("mask.png", mask or mask_file()), **fields}
    return client.post(f"/api/versions/{version.pk}/fill-all", data)


def test_every_model_gets_the_mask_and_the_quick_ones_go_first(as_ada: Client, upload: Version) -> None:
    answer = fill_all(as_ada, upload)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert set(body) == {"batch", "source", "mask_url", "created_at", "jobs"}
    assert {job["model"] for job in body["jobs"]} == {entry.key for entry in offered()}
    assert all(set(job) == JOB for job in body["jobs"])
    costs = {entry.key: ("instant", "fast", "slow").index(entry.cost) for entry in offered()}
    ranks = [costs[job["model"]] for job in body["jobs"]]
    assert ranks == sorted(ranks)
    assert [job["position"] for job in body["jobs"]] == list(range(1, len(ranks) + 1))
    assert {(job["source"], job["queue"], job["kind"]) for job in body["jobs"]} == {
        (str(upload.pk), "interactive", "fill")
    }
    assert as_ada.get(f"/api/batches/{body['batch']}").json() == body
    (card,) = as_ada.get(f"/api/pictures/{upload.picture_id}").json()["batches"]
    assert (card["id"], card["jobs"], card["results"]) == (body["batch"], [job["id"] for job in body["jobs"]], [])
    assert card["mask_url"] == body["mask_url"]


def test_the_same_request_again_is_the_batch_that_is_under_way(as_ada: Client, upload: Version) -> None:
    first = fill_all(as_ada, upload)
    again = fill_all(as_ada, upload)
    assert (again.status_code, again.json()) == (200, first.json())
    assert (Batch.objects.count(), Mask.objects.count()) == (1, 1)


def test_jobs_under_way_become_part_of_a_batch(as_ada: Client, upload: Version) -> None:
    single = as_ada.post(
        f"/api/versions/{upload.pk}/fill", {"mask": SimpleUploadedFile("m.png", mask_file()), "model": "telea"}
    ).json()
    pair = fill_all(as_ada, upload, models='["telea", "patchmatch", "telea"]')
    assert pair.status_code == 201
    ids = [job["id"] for job in pair.json()["jobs"]]
    assert (len(ids), single["id"] in ids) == (2, True)
    alone = fill_all(as_ada, upload, models='["telea"]')
    assert [job["id"] for job in alone.json()["jobs"]] == [single["id"]]
    assert alone.json()["batch"] != pair.json()["batch"]
    assert as_ada.get(f"/api/batches/{pair.json()['batch']}").json()["jobs"] == pair.json()["jobs"]


def test_after_its_jobs_ended_the_same_request_is_a_new_batch(as_ada: Client, upload: Version) -> None:
    first = fill_all(as_ada, upload, models='["telea"]').json()
    states.fail(states.begin(Job.objects.get(), worker="w"), actor="w", code="no", message="No.")
    second = fill_all(as_ada, upload, models='["telea"]')
    assert second.status_code == 201
    assert second.json()["batch"] != first["batch"]
    assert as_ada.get(f"/api/batches/{first['batch']}").json()["jobs"][0]["status"] == "failed"


def test_cancelling_a_batch_leaves_what_has_ended(as_ada: Client, upload: Version) -> None:
    body = fill_all(as_ada, upload, models='["telea", "patchmatch"]').json()
    done, waiting = body["jobs"]
    states.succeed(states.begin(Job.objects.get(pk=done["id"]), worker="w"), timings={})
    answer = as_ada.post(f"/api/batches/{body['batch']}/cancel")
    assert answer.status_code == 200
    assert [job["status"] for job in answer.json()["jobs"]] == ["succeeded", "cancelled"]
    assert answer.json()["jobs"][1]["id"] == waiting["id"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"models": "telea"}, "bad_models"),
        ({"models": "[1]"}, "bad_models"),
        ({"models": "[]"}, "no_models"),
        ({"models": '["telea", "nonsense"]'}, "unknown_model"),
        ({"mask": mask_file(10, 10, box=(1, 1, 5, 5))}, "bad_mask"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_batch_that_cannot_be_leaves_nothing(
    as_ada: Client, upload: Version, media: Any, fields: dict[str, Any], code: str
) -> None:
    before = media()
    answer = fill_all(as_ada, upload, **fields)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code
    assert answer.json()["message"].endswith(".")
    assert not any(model.objects.exists() for model in (Batch, Job, Mask))
    assert media() == before


@pytest.mark.django_db(transaction=True)
def test_too_many_jobs_refuse_the_whole_batch(ada: User, as_ada: Client, upload: Version, settings: Settings) -> None:
    settings.JOBS = replace(settings.JOBS, max_active_per_user=1)
    answer = fill_all(as_ada, upload, models=json.dumps(["telea", "patchmatch"]))
    assert answer.status_code == 429
    assert not any(model.objects.exists() for model in (Batch, Job, Mask))
