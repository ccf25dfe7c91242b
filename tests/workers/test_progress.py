"""What a model's steps become: messages, previews, an estimate, and the end of a stopped attempt."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from PIL import Image

from inpainting.engine import Cancelled, Progress
from inpainting.imaging.context import Box
from inpainting.results import LivePreview
from tests.workers.conftest import RedisServer
from tests.workers.rows import make_jobs
from webapp.accounts.models import User
from webapp.jobs import previews, states
from webapp.jobs.events import job_group
from webapp.jobs.models import Job
from webapp.jobs.postman import postman
from webapp.jobs.redis_client import client
from workers.progress import Reporter
from workers.supervisor import Stop, Supervisor, Watch

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

BOX = Box(10, 20, 74, 52)


def picture(max_side: int) -> LivePreview:
    rgba = np.zeros((32, 64, 4), np.uint8)
    rgba[8:24, 16:48] = (200, 10, 10, 255)
    return LivePreview(BOX, rgba)


def step(fraction: float, *, shown: bool = False) -> Progress:
    return Progress("coarse 2/9 patches", fraction, 2, 9, render=picture if shown else None)


@pytest.fixture
def job(redis_server: RedisServer, user: User) -> Job:
    return states.begin(make_jobs(user, 1)[0], worker="w:1")


class Listener:
    """A channel of its own in the job's group."""

    def __init__(self, job: Job) -> None:
        layer = get_channel_layer()
        assert layer is not None
        self.layer = layer
        self.channel = f"listener.{job.pk}"
        assert postman().flush()  # what was said before is not for us
        async_to_sync(self.layer.group_add)(job_group(job.pk), self.channel)

    def hear(self, number: int) -> list[dict[str, Any]]:
        """The next messages, of which there have to be exactly this many."""
        assert postman().flush()
        assert client().zcard(f"{self.layer.prefix}{self.channel}") == number

        async def receive() -> list[dict[str, Any]]:
            return [await self.layer.receive(self.channel) for _ in range(number)]

        return async_to_sync(receive)()


@pytest.fixture
def listener(job: Job) -> Listener:
    return Listener(job)


def test_messages_are_at_most_four_a_second(job: Job, listener: Listener) -> None:
    report = Reporter(Watch(job))
    began = time.monotonic()
    while time.monotonic() - began < 1.1:
        report(step(min(1.0, (time.monotonic() - began) / 2)))
        time.sleep(0.01)
    messages = listener.hear(5)
    assert [message["seq"] for message in messages] == [1, 2, 3, 4, 5]
    assert {message["stage"] for message in messages} == {"coarse 2/9 patches"}
    left = messages[-1]["seconds_left"]
    assert isinstance(left, float)
    assert 0.5 < left < 2.0


def test_the_terms_that_are_optimised_go_along(job: Job, listener: Listener) -> None:
    Reporter(Watch(job))(Progress("Scale 1/2, iteration 3/60", 0.4, 3, 120, losses={"content": 0.5, "texture": 2.0}))
    (message,) = listener.hear(1)
    assert message["losses"] == {"content": 0.5, "texture": 2.0}
    assert (message["stage"], message["steps_done"]) == ("Scale 1/2, iteration 3/60", 3)


def test_a_resumed_attempt_estimates_by_its_own_pace(
    job: Job, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four seconds for the tenth from 0.8 to 0.9, whatever an earlier attempt had done before."""
    clock = [1000.0]
    monkeypatch.setattr("workers.progress.time", SimpleNamespace(monotonic=lambda: clock[0]))
    report = Reporter(Watch(job))
    report(Progress("fine 8/9 patches", 0.8, resumed=0.8))
    clock[0] += 4.0
    report(Progress("fine 9/9 patches", 0.9, resumed=0.8))
    first, second = listener.hear(2)
    assert first["seconds_left"] is None
    assert second["seconds_left"] == pytest.approx(4.0)


def test_a_preview_is_fetched_by_number_and_never_in_a_message(job: Job, listener: Listener) -> None:
    Reporter(Watch(job))(step(0.5, shown=True))
    (message,) = listener.hear(1)
    number = message["preview"]
    assert isinstance(number, int)
    assert message["box"] == [10, 20, 74, 52]
    assert not any(isinstance(value, bytes) for value in message.values())
    png = previews.read_preview(job.pk, number)
    assert png is not None
    shown = Image.open(io.BytesIO(png))
    assert (shown.mode, shown.size) == ("RGBA", (64, 32))
    assert shown.getpixel((20, 10)) == (200, 10, 10, 255)
    assert shown.getpixel((0, 0))[3] == 0
    assert previews.newest_preview(job.pk) == previews.PreviewNote(number, [10, 20, 74, 52])
    assert 0 < client().ttl(f"reweave:preview:{job.pk}:{number}") <= 120


def test_costly_previews_take_a_tenth_of_the_time(job: Job) -> None:
    rendered = []

    def slow_picture(max_side: int) -> LivePreview:
        rendered.append(time.monotonic())
        time.sleep(0.1)
        return picture(max_side)

    report = Reporter(Watch(job))
    began = time.monotonic()
    while time.monotonic() - began < 1.6:
        report(Progress("fine", 0.5, render=slow_picture))
        time.sleep(0.01)
    assert len(rendered) == 2
    assert rendered[1] - rendered[0] >= 1.0


@pytest.mark.parametrize("stop", list(Stop))
def test_a_stopped_attempt_ends_at_its_next_step(job: Job, stop: Stop) -> None:
    watch = Watch(job)
    report = Reporter(watch)
    report(step(0.1))
    watch.stop = stop
    with pytest.raises(Cancelled):
        report(step(0.2))


def test_the_supervisor_sees_a_cancelled_job_within_half_a_second(job: Job) -> None:
    supervisor = Supervisor("w:1", device="cpu", queues="batch")
    supervisor.start()
    try:
        with supervisor.watching(job) as watch:
            watch.progress = {"stage": "fine", "fraction": 0.25}
            time.sleep(1.6)
            assert watch.stop is None
            written = Job.objects.get(pk=job.pk)
            assert (written.stage, written.fraction) == ("fine", 0.25)
            assert written.heartbeat_at is not None
            assert job.heartbeat_at is not None
            assert written.heartbeat_at > job.heartbeat_at
            states.cancel(written, actor="u")
            began = time.monotonic()
            while watch.stop is None and time.monotonic() - began < 2:
                time.sleep(0.01)
            assert watch.stop is Stop.CANCELLED
            assert time.monotonic() - began < 0.5
    finally:
        supervisor.end()


def test_the_supervisor_sees_a_job_that_was_taken_back(job: Job) -> None:
    supervisor = Supervisor("w:1", device="cpu", queues="batch")
    supervisor.start()
    try:
        with supervisor.watching(job) as watch:
            again = states.take_back(Job.objects.get(pk=job.pk), reason="silent")
            states.begin(again, worker="w:2")
            began = time.monotonic()
            while watch.stop is None and time.monotonic() - began < 2:
                time.sleep(0.01)
            assert watch.stop is Stop.TAKEN_BACK
    finally:
        supervisor.end()
