"""The table of rights for the socket: what each message is worth to everybody, through the real server."""

from __future__ import annotations

import inspect

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from tests.rights.table import LOOK, PEOPLE
from tests.rights.world import World, build
from tests.workers.conftest import RedisServer
from tests.workers.test_socket import page
from webapp.jobs.consumers import LiveConsumer

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]

FROM_BROWSERS = {"watch", "unwatch", "ping"}
HINTS = {"job_changed", "job_progress", "user_notified", "user_rights"}
"""What comes through groups: a socket joins its person's group, and those of jobs that it may watch."""


def test_every_kind_of_hint_is_known_here() -> None:
    """A new one has to be thought about: who is in the group that it goes to?"""
    own = {name for name, _ in inspect.getmembers(LiveConsumer, inspect.isfunction) if name in vars(LiveConsumer)}
    assert {name for name in own if not name.startswith("_")} - {"connect", "disconnect", "receive"} == HINTS


async def test_who_may_watch_which_job(redis_server: RedisServer, web_port: int) -> None:
    world: World = await sync_to_async(build)()
    for who in PEOPLE:
        if who == "visitor":
            continue
        cookie = f"{settings.SESSION_COOKIE_NAME}={world.sessions[who]}"
        async with page(web_port, cookie) as live:
            for subject, allowed in LOOK.items():
                job = str(world.things[subject]["job_id"])
                await live.send(type="watch", job=job)
                answer = await live.next()
                if who in allowed:
                    assert (answer["type"], answer["job"]["id"]) == ("job.state", job), f"{who} {subject}"
                else:
                    nothing = {"type": "error", "code": "not_found", "message": "There is no such job.", "job": job}
                    assert answer == nothing, f"{who} {subject}"
            await live.send(type="anything else")
            refusal = (await live.next())["message"]
            assert {word for word in FROM_BROWSERS if f"“{word}”" in refusal} == FROM_BROWSERS


async def test_a_visitor_hears_nothing(redis_server: RedisServer, web_port: int) -> None:
    async with page(web_port, None) as live:
        assert (await live.next())["code"] == "signed_out"
        with pytest.raises(Exception, match="4401"):
            await live.next()
