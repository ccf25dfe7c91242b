"""The live socket through the real ASGI server, the real Redis and a real worker."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.workers.conftest import RedisServer, painted, wait_for_status
from tests.workers.processes import Process
from webapp.accounts.models import User
from webapp.jobs import events, previews, states
from webapp.jobs.models import Job
from webapp.jobs.postman import postman
from webapp.jobs.services import cancel_job, submit_job

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

Message = dict[str, Any]


def session_cookie(user: User) -> str:
    browser = Client()
    browser.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def fetch(port: int, path: str, cookie: str) -> tuple[int, str | None, bytes]:
    """Status, content type and body of one GET."""
    browser = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        browser.request("GET", path, headers={"Cookie": cookie})
        answer = browser.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        browser.close()


class Page:
    """What a page does with its socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self, seconds: float = 10) -> Message:
        return json.loads(await asyncio.wait_for(self.socket.recv(), seconds))

    async def until(self, wanted: Callable[[Message], bool], seconds: float = 60) -> list[Message]:
        """All messages up to the first that is wanted."""
        seen: list[Message] = []
        async with asyncio.timeout(seconds):
            while not seen or not wanted(seen[-1]):
                seen.append(json.loads(await self.socket.recv()))
        return seen

    async def nothing_for(self, seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.socket.recv(), seconds)


@asynccontextmanager
async def page(port: int, cookie: str | None, origin: str | None = None) -> AsyncIterator[Page]:
    headers = {"Cookie": cookie} if cookie else {}
    address = f"ws://127.0.0.1:{port}/ws/live/"
    async with connect(address, additional_headers=headers, origin=origin or f"http://127.0.0.1:{port}") as socket:
        yield Page(socket)


def queued_job(owner: User, *, queue: str = "batch", model: str = "telea", **shape: int) -> Job:
    """A job that no worker takes, unless for the interactive queue."""
    version, mask = painted(owner, **shape)
    return submit_job(owner, version, mask, model=model, params={}, queue=queue)[0]


def status_is(status: str) -> Callable[[Message], bool]:
    return lambda message: message["type"] == "job.state" and message["job"]["status"] == status


async def test_a_page_follows_a_job_from_queue_to_result(
    web_port: int, interactive_worker: Process, user: User
) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    async with page(web_port, cookie) as live:
        job = await sync_to_async(queued_job)(user, queue="interactive", model="patchmatch", side=640, hole=256)
        await live.send(type="watch", job=str(job.pk))
        seen = await live.until(status_is("succeeded"))

    states_seen = [message["job"]["status"] for message in seen if message["type"] == "job.state"]
    assert sorted(set(states_seen), key=["queued", "running", "succeeded"].index) == list(dict.fromkeys(states_seen))
    assert states_seen[-2:] == ["running", "succeeded"]
    progress = [message for message in seen if message["type"] == "job.progress"]
    assert progress
    assert [message["seq"] for message in progress] == sorted({message["seq"] for message in progress})
    assert all(0 <= message["fraction"] <= 1 and message["attempt"] == 1 for message in progress)
    last = seen[-1]["job"]
    assert last["result"]
    assert last["timings"]["compute"] > 0


async def test_a_socket_that_was_idle_for_ten_seconds_still_hears(web_port: int, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    job = await sync_to_async(queued_job)(user)
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        assert status_is("queued")(await live.next())
        await live.nothing_for(10.5)
        await sync_to_async(cancel_job)(job, actor="test")
        assert status_is("cancelled")(await live.next())


async def test_watching_tells_the_state_as_the_database_has_it(web_port: int, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    job = await sync_to_async(queued_job)(user)
    await sync_to_async(cancel_job)(job, actor="test")
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        message = await live.next()
    assert message["type"] == "job.state"
    assert message["job"]["id"] == str(job.pk)
    assert message["job"]["status"] == "cancelled"
    assert message["job"]["position"] is None


async def test_the_owner_hears_of_jobs_that_are_not_watched(web_port: int, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    async with page(web_port, cookie) as live:
        await live.send(type="ping")
        assert await live.next() == {"type": "pong"}
        job = await sync_to_async(queued_job)(user)
        message = await live.next()
        assert (message["type"], message["job"]["id"]) == ("job.state", str(job.pk))
        await live.nothing_for(0.5)


async def test_a_watched_job_is_told_once(web_port: int, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    job = await sync_to_async(queued_job)(user)
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        await live.next()
        await sync_to_async(cancel_job)(job, actor="test")
        assert status_is("cancelled")(await live.next())
        await live.nothing_for(0.5)
        await live.send(type="unwatch", job=str(job.pk))
        await live.send(type="ping")
        assert await live.next() == {"type": "pong"}


async def test_another_persons_job_is_refused(web_port: int, user: User, other_user: User) -> None:
    cookie = await sync_to_async(session_cookie)(other_user)
    job = await sync_to_async(queued_job)(user)
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        refused = await live.next()
        assert (refused["type"], refused["code"], refused["job"]) == ("error", "not_found", str(job.pk))
        await live.send(type="watch", job=str(uuid.uuid4()))
        unknown = await live.next()
        assert {**unknown, "job": None} == {**refused, "job": None}, "it must not show which jobs exist"
        await sync_to_async(cancel_job)(job, actor="test")
        await live.nothing_for(0.5)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", "1e999", "[" * 1500, "x" * 5000, '{"type": 3}', '{"type": "dance"}'),
        *('{"type": "watch"}', '{"type": "watch", "job": 7}', '{"type": "watch", "job": "x"}'),
    ],
)
async def test_bad_messages_are_answered_and_the_socket_stays(web_port: int, user: User, text: str) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    async with page(web_port, cookie) as live:
        await live.socket.send(text)
        answer = await live.next()
        assert (answer["type"], answer["code"]) == ("error", "bad_message")
        assert answer["message"].endswith(".")
        await live.socket.send(b"\x00\x01")
        assert (await live.next())["code"] == "bad_message"
        await live.send(type="ping")
        assert await live.next() == {"type": "pong"}


async def test_without_a_session_there_is_a_sentence_and_an_end(web_port: int, db: None) -> None:
    async with page(web_port, None) as live:
        answer = await live.next()
        assert (answer["type"], answer["code"]) == ("error", "signed_out")
        with pytest.raises(ConnectionClosed):
            await live.next()
        assert live.socket.close_code == 4401


async def test_pages_of_other_sites_get_no_socket(web_port: int, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    with pytest.raises(InvalidStatus):
        async with page(web_port, cookie, origin="http://evil.example"):
            pass


async def test_progress_of_an_earlier_attempt_or_out_of_order_is_dropped(web_port: int, user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    job = await sync_to_async(queued_job)(user)
    job = await sync_to_async(states.begin)(job, worker="test")

    def tell(attempt: int, seq: int) -> None:
        hint: events.ProgressHint = {
            "type": "job.progress",
            "job": str(job.pk),
            "attempt": attempt,
            "seq": seq,
            "stage": "coarse",
            "fraction": 0.5,
            "steps_done": 1,
            "steps_total": 2,
            "seconds_left": 3.0,
            "losses": {"texture": 0.25},
            "preview": previews.preview_number(attempt, seq),
            "box": [1, 2, 3, 4],
        }
        events.job_progress(hint)

    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        assert status_is("running")(await live.next())
        for attempt, seq in ((1, 2), (1, 1), (0, 9), (2, 1), (1, 3)):
            tell(attempt, seq)
        assert await asyncio.to_thread(postman().flush)
        first, second = await live.next(), await live.next()
        assert [(each["attempt"], each["seq"]) for each in (first, second)] == [(1, 2), (1, 3)]
        assert first["losses"] == {"texture": 0.25}
        number = previews.preview_number(1, 2)
        assert first["preview"] == {"url": f"/files/jobs/{job.pk}/preview/{number}", "box": [1, 2, 3, 4]}
        await sync_to_async(cancel_job)(job, actor="test")
        assert status_is("cancelled")(await live.next())
        tell(1, 4)
        await live.nothing_for(0.5)


async def test_places_in_the_queue_move_up(web_port: int, user: User, other_user: User) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    ahead = await sync_to_async(queued_job)(other_user)
    job = await sync_to_async(queued_job)(user)
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        assert (await live.next())["job"]["position"] == 2
        await sync_to_async(cancel_job)(ahead, actor="test")
        assert (await live.next())["job"]["position"] == 1


async def test_previews_are_for_their_owner_and_end_with_their_lifetime(
    web_port: int, user: User, other_user: User, settings: Settings
) -> None:
    job = await sync_to_async(queued_job)(user)
    settings.JOBS = replace(settings.JOBS, preview_lifetime=2)
    number = previews.preview_number(1, 1)
    path = f"/files/jobs/{job.pk}/preview/{number}"
    mine, theirs = [await sync_to_async(session_cookie)(each) for each in (user, other_user)]
    assert previews.publish_preview(job.pk, number, b"\x89PNG picture", [0, 0, 8, 8])
    status, kind, body = await asyncio.to_thread(fetch, web_port, path, mine)
    assert (status, kind, body) == (200, "image/png", b"\x89PNG picture")
    assert (await asyncio.to_thread(fetch, web_port, path, theirs))[0] == 404
    assert (await asyncio.to_thread(fetch, web_port, path, ""))[0] == 404
    assert previews.newest_preview(job.pk) == previews.PreviewNote(number, [0, 0, 8, 8])
    await asyncio.sleep(2.2)
    assert (await asyncio.to_thread(fetch, web_port, path, mine))[0] == 404
    assert previews.newest_preview(job.pk) is None


async def test_the_socket_of_a_server_whose_redis_restarts_can_be_opened_anew(
    web_port: int, redis_server: RedisServer, interactive_worker: Process, sweeper: None, user: User
) -> None:
    cookie = await sync_to_async(session_cookie)(user)
    async with page(web_port, cookie) as live:
        await live.send(type="ping")
        await live.next()
        await asyncio.to_thread(redis_server.restart_empty)
        with pytest.raises(ConnectionClosed):
            await live.next(20)
    async with page(web_port, cookie) as live:
        job = await sync_to_async(queued_job)(user, queue="interactive")
        await live.send(type="watch", job=str(job.pk))
        await live.until(status_is("succeeded"))
    await sync_to_async(wait_for_status)(job, "succeeded")


async def test_a_hint_that_is_lost_is_made_up_for(web_port: int, user: User) -> None:
    """The rows change and nobody says so, as when the channel layer drops a message."""
    cookie = await sync_to_async(session_cookie)(user)
    waiting, running = await sync_to_async(queued_job)(user), await sync_to_async(queued_job)(user, seed=1)
    running = await sync_to_async(states.begin)(running, worker="w")
    async with page(web_port, cookie) as live:
        for job in (waiting, running):
            await live.send(type="watch", job=str(job.pk))
        heard = await live.until(lambda message: message.get("job", {}).get("id") == str(running.pk))
        assert heard[-1]["job"]["status"] == "running"
        quietly = Job.objects.filter(pk__in=[waiting.pk, running.pk])
        await sync_to_async(quietly.update)(status="cancelled")
        told = {}
        async with asyncio.timeout(30):
            while len(told) < 2:
                message = await live.next(30)
                if message["type"] == "job.state" and message["job"]["status"] == "cancelled":
                    told[message["job"]["id"]] = message
        assert set(told) == {str(waiting.pk), str(running.pk)}
