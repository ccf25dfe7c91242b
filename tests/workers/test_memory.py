"""When memory is short: smaller crops, then the processor, then a clear failure."""

from __future__ import annotations

import errno

import cv2
import numpy as np
import pytest
import torch

from inpainting import catalog
from inpainting.catalog import ModelEntry
from inpainting.engine import Engine
from inpainting.imaging import Photo, PhotoError
from inpainting.models.base import FillError
from inpainting.results import Result
from tests.workers.conftest import RedisServer, painted
from webapp.accounts.models import User
from webapp.jobs.services import submit_job
from workers import memory
from workers.memory import Fallbacks
from workers.runner import Runner
from workers.supervisor import Supervisor
from workers.trouble import explain, is_out_of_memory


@pytest.fixture
def runner(redis_server: RedisServer) -> Runner:
    return Runner(Engine("cpu"), Supervisor("here:1", device="cpu", queues="batch"))


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("Hungry", "Insatiable"):
        entry = ModelEntry(
            key=key.lower(),
            title=key,
            summary="",
            cost="instant",
            factory=f"tests.inpainting.probe_models:{key}",
            needs_torch=True,
        )
        monkeypatch.setitem(catalog._BY_KEY, entry.key, entry)


@pytest.mark.real
@pytest.mark.django_db
def test_a_smaller_crop_is_tried_and_noted(user: User, runner: Runner) -> None:
    submit_job(user, *painted(user, side=1200, hole=1000), model="hungry", params={}, queue="batch")
    job = runner.run_next("batch")
    assert job is not None
    assert (job.status, job.error) == ("succeeded", "")
    assert job.result is not None
    assert job.result.notes["memory"] == {"device": "cpu", "crop": 256}
    assert (job.result.width, job.result.height) == (1200, 1200)

    submit_job(user, *painted(user, side=96, hole=20), model="hungry", params={}, queue="batch")
    small = runner.run_next("batch")
    assert small is not None
    assert small.result is not None
    assert "memory" not in small.result.notes, "the smaller crops outlived the job that needed them"


@pytest.mark.real
@pytest.mark.django_db
def test_when_nothing_helps_the_job_fails_with_a_sentence(user: User, runner: Runner) -> None:
    submit_job(user, *painted(user, side=600, hole=400), model="insatiable", params={}, queue="batch")
    submit_job(user, *painted(user), model="telea", params={}, queue="batch")
    failed, next_one = runner.run_next("batch"), runner.run_next("batch")
    assert failed is not None
    assert (failed.status, failed.error_code) == ("failed", "out_of_memory")
    assert "too little memory" in failed.error
    assert "OutOfMemory" in failed.traceback
    assert next_one is not None
    assert next_one.status == "succeeded"


def test_the_processor_comes_after_smaller_crops_on_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resolve_device", lambda wanted: wanted)  # as if there were a card
    card, cpu = Engine("cuda"), Engine("cpu")
    tried: list[tuple[str, int | None]] = []

    def fill(engine: Engine) -> Result:
        tried.append((engine.device, engine.largest_crop))
        if engine is card or engine.largest_crop is None:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return Result(Photo(np.zeros((4, 4, 3), np.uint8)), {}, {})

    result = Fallbacks(card, lambda: cpu).fill(fill, model="telea", photo_side=4000)
    # Telea works on 1024 pixels: smaller means 512.
    assert tried == [("cuda", None), ("cuda", 512), ("cuda", 256), ("cpu", None), ("cpu", 512)]
    assert result.notes["memory"] == {"device": "cpu", "crop": 512}
    assert (card.largest_crop, cpu.largest_crop) == (None, None)


def test_another_error_is_not_tried_again() -> None:
    tried = []

    def fill(engine: Engine) -> Result:
        tried.append(engine)
        raise FillError("No.")

    with pytest.raises(FillError):
        Fallbacks(Engine("cpu"), lambda: Engine("cpu")).fill(fill, model="telea", photo_side=4000)
    assert len(tried) == 1


def test_running_out_of_memory_has_many_names() -> None:
    with pytest.raises(cv2.error) as from_opencv:
        cv2.resize(np.zeros((10, 10), np.uint8), (2**31 - 1, 2**28))
    with pytest.raises(RuntimeError) as from_torch:
        torch.empty(2**46)
    with pytest.raises(MemoryError) as from_numpy:
        np.empty(2**50)
    for error in (from_opencv.value, from_torch.value, from_numpy.value, OSError(errno.ENOMEM, "fork")):
        assert is_out_of_memory(error), error
        assert explain(error).code == "out_of_memory"
    for other in (RuntimeError("no"), ValueError("memory"), OSError(errno.ENOENT, "no file")):
        assert not is_out_of_memory(other)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named(number: int) -> None:
    assert explain(OSError(number, "no space")).code == "disk_full"


def test_what_people_can_mend_is_told_to_them_and_not_logged() -> None:
    failure = explain(PhotoError("This is no picture."))
    assert (failure.code, failure.message, failure.for_staff) == ("cannot_fill", "This is no picture.", False)
    assert explain(KeyError("x")).code == "unexpected"
