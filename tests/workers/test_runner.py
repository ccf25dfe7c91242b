"""One worker's work in this very process: what models report is kept, and selections become masks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from inpainting import catalog, selection
from inpainting.catalog import ModelEntry
from inpainting.engine import Engine
from inpainting.imaging import Photo, decode_mask, encode, encode_mask
from inpainting.imaging.context import Box
from inpainting.imaging.source_maps import PackedSources, unpack_sources
from inpainting.results import PlacedOverlay, SourceMap
from tests.workers.conftest import RedisServer, painted, photo_png
from webapp.accounts.models import User
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job, submit_selection
from webapp.photos import services as photos
from webapp.photos.files import read_file
from webapp.photos.models import Mask, Version
from workers.findings import MOST_OVERLAYS, OVERLAY_SIDE, packed_overlays, packed_sources
from workers.runner import Runner
from workers.supervisor import Supervisor

pytestmark = [pytest.mark.real, pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def runner(redis_server: RedisServer) -> Runner:
    return Runner(Engine("cpu"), Supervisor("here:1", device="cpu", queues="batch"))


@pytest.fixture
def reporting_model(monkeypatch: pytest.MonkeyPatch) -> str:
    """A model that takes everything from the first known pixel of its crop, and says so."""
    entry = ModelEntry(
        key="probe",
        title="Probe",
        summary="",
        cost="instant",
        factory="tests.inpainting.probe_models:Recording",
        needs_torch=False,
    )
    monkeypatch.setitem(catalog._BY_KEY, entry.key, entry)
    return entry.key


def test_what_a_model_reports_is_kept_with_its_result(user: User, runner: Runner, reporting_model: str) -> None:
    version, mask = painted(user, side=400, hole=120)
    submit_job(user, version, mask, model=reporting_model, params={}, queue="batch")
    job = runner.run_next("batch")
    assert job is not None
    assert (job.status, job.error) == ("succeeded", "")
    result = job.result
    assert result is not None
    overlay, sources = result.overlays.get(), result.sources.get()
    assert (overlay.name, overlay.title) == ("known", "Known pixels")
    left, top, right, bottom = overlay.box
    assert overlay.box == sources.box
    assert left <= 140 < 260 <= right
    shown = cv2.imdecode(np.frombuffer(read_file(overlay.file), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown is not None
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2] < 40
    assert shown[0, 0] > 215
    cells = unpack_sources(PackedSources(read_file(sources.file), sources.width, sources.height))
    filled = cells[..., 0] >= 0
    hole = decode_mask(photos.read_mask(mask), width=400, height=400)[top:bottom, left:right]
    reduced = cv2.resize(hole.astype(np.float32), filled.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    assert np.array_equal(filled, reduced)
    assert (cells[filled] == 0).all()
    assert job.timings["pack"] < 0.5


def test_patchmatch_says_where_it_copied_from_when_asked(user: User, runner: Runner) -> None:
    version, mask = painted(user, side=128, hole=20)
    submit_job(user, version, mask, model="patchmatch", params={"sources": True}, queue="batch")
    job = runner.run_next("batch")
    assert job is not None
    assert job.result is not None
    sources = job.result.sources.get()
    cells = unpack_sources(PackedSources(read_file(sources.file), sources.width, sources.height))
    assert (cells[..., 0] >= 0).sum() > 300
    assert sources.patch == 7


def scene(owner: User) -> tuple[Version, np.ndarray, bytes]:
    """A picture of a dark disc before light noise, what the disc covers, and a stroke over it."""
    rng = np.random.default_rng(5)
    truth = np.hypot(*(np.indices((240, 320)) - np.array([110, 170])[:, None, None])) < 60
    pixels = rng.normal(190, 8, (240, 320, 3))
    pixels[truth] = rng.normal((90, 40, 60), 8, (int(truth.sum()), 3))
    data = encode(Photo(np.clip(pixels, 0, 255).astype(np.uint8)), "PNG")
    stroke = np.zeros(truth.shape, np.bool_)
    stroke[100:120, 140:200] = True
    version = photos.add_picture(owner, "disc.png", data).versions.get()
    return version, truth, encode_mask(stroke)


def test_a_selection_becomes_a_mask(user: User, runner: Runner) -> None:
    version, truth, stroke = scene(user)
    hint = photos.add_mask(version, stroke)
    submit_selection(user, version, hint, kind="object")
    job = runner.run_next("interactive")
    assert job is not None
    assert (job.status, job.error, job.result) == ("succeeded", "", None)
    assert job.selection is not None
    found = decode_mask(photos.read_mask(job.selection), width=320, height=240)
    assert (found & truth).sum() / (found | truth).sum() > 0.95
    assert version.picture.versions.count() == 1
    assert [each.to_status for each in job.transitions.all()] == ["queued", "running", "succeeded"]
    again = photos.add_mask(version, photos.read_mask(job.selection))
    assert again == job.selection, "to be submitted as it is"


def test_a_selection_that_finds_nothing_fails_with_a_sentence(user: User, runner: Runner) -> None:
    version = photos.add_picture(user, "wall.png", photo_png(96)).versions.get()
    hint = photos.keep_mask(version, np.ones((96, 96), np.bool_))
    submit_selection(user, version, hint, kind="object")
    job = runner.run_next("interactive")
    assert job is not None
    assert (job.status, job.error_code) == ("failed", "cannot_select")
    assert "covers everything" in job.error
    assert Mask.objects.count() == 1


def test_a_picture_deleted_during_a_selection_leaves_nothing(
    user: User, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, _, stroke = scene(user)
    job, _ = submit_selection(user, version, photos.add_mask(version, stroke), kind="object")
    find = selection.select

    def delete_first(*args: Any, **options: Any) -> Any:
        version.picture.delete()
        return find(*args, **options)

    monkeypatch.setattr("workers.runner.select", delete_first)
    assert runner.run_next("interactive") is not None
    assert not Job.objects.filter(pk=job.pk).exists()
    assert not Mask.objects.exists()


def test_overlays_are_few_and_small() -> None:
    large, small = Box(0, 0, 3000, 2000), Box(0, 0, 90, 60)
    picture = np.zeros((2000, 3000, 3), np.uint8)
    picture[..., 0] = 200
    given = [PlacedOverlay(f"small-{n}", "", picture[:60, :90], small) for n in range(MOST_OVERLAYS)]
    kept = packed_overlays([*given, PlacedOverlay("large", "", picture, large)])
    assert len(kept) == MOST_OVERLAYS
    assert [each.name for each in kept] == [*(f"small-{n}" for n in range(MOST_OVERLAYS - 1)), "large"]
    shown = cv2.imdecode(np.frombuffer(kept[-1].data, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (OVERLAY_SIDE * 2 // 3, OVERLAY_SIDE, 3)
    assert abs(int(shown[9, 9, 2]) - 200) < 6, "red stays red"
    assert kept[-1].box == (0, 0, 3000, 2000)


def test_source_maps_that_say_nothing_are_left_out() -> None:
    nothing = np.full((5, 6, 2), -1, np.int32)
    something = nothing.copy()
    something[2, 3] = (1, 1)
    kept = packed_sources([SourceMap(Box(0, 0, 6, 5), nothing), SourceMap(Box(0, 0, 6, 5), something, 9)])
    assert [(each.width, each.height, each.patch) for each in kept] == [(6, 5, 9)]
