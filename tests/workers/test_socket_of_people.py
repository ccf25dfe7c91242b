"""The live socket about people: notifications as they come, and nothing more from pictures one may not see any more."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from tests.workers.conftest import RedisServer, painted
from tests.workers.test_socket import page, queued_job, session_cookie
from webapp.accounts.models import User
from webapp.jobs import events
from webapp.jobs.models import Job
from webapp.jobs.postman import postman
from webapp.jobs.services import submit_job
from webapp.notifications.services import Kind, mark_read, notify
from webapp.teams.models import Membership, Role, Team

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True)]


def tell(user: User, text: str) -> None:
    notify(user, Kind.TEAM, text, url="/pictures/")
    assert postman().flush()


async def test_a_notification_comes_at_once_and_only_to_whom_it_is_for(
    redis_server: RedisServer, web_port: int, user: User, other_user: User
) -> None:
    mine, theirs = await sync_to_async(session_cookie)(user), await sync_to_async(session_cookie)(other_user)
    async with page(web_port, mine) as live, page(web_port, theirs) as other:
        for socket in (live, other):  # both have joined their groups when they answer
            await socket.send(type="ping")
            assert (await socket.next())["type"] == "pong"
        await sync_to_async(tell)(user, "You are in.")
        message = await live.next()
        assert (message["type"], message["unread"]) == ("notification", 1)
        assert message["notification"]["text"] == "You are in."
        await sync_to_async(mark_read)(user)
        assert await live.next() == {"type": "notification", "unread": 0, "notification": None}
        await other.nothing_for(0.5)


def team_job(owner: User, member: User) -> Job:
    team = Team.objects.create(name="Weavers")
    Membership.objects.create(team=team, user=owner, role=Role.OWNER)
    Membership.objects.create(team=team, user=member, role=Role.VIEWER)
    version, mask = painted(owner)
    version.picture.team = team
    version.picture.save()
    return submit_job(owner, version, mask, model="telea", params={}, queue="batch")[0]


def leave(user: User) -> None:
    Membership.objects.filter(user=user).delete()
    events.rights_changed(user.pk)
    assert postman().flush()


def progress(job: Job) -> None:
    hint: events.ProgressHint = {
        "type": "job.progress",
        "job": str(job.pk),
        "attempt": job.attempt,
        "seq": 1,
        "stage": "Copying",
        "fraction": 0.5,
        "steps_done": 1,
        "steps_total": 2,
        "seconds_left": 1.0,
        "preview": None,
        "box": None,
    }
    events.job_progress(hint)
    assert postman().flush()


async def test_a_member_watches_the_teams_job_until_they_leave(
    redis_server: RedisServer, web_port: int, user: User, other_user: User
) -> None:
    job = await sync_to_async(team_job)(user, other_user)
    cookie = await sync_to_async(session_cookie)(other_user)
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        assert (await live.next())["job"]["id"] == str(job.pk)
        await sync_to_async(leave)(other_user)
        gone = await live.next()
        assert (gone["type"], gone["code"], gone["job"]) == ("error", "not_found", str(job.pk))
        await sync_to_async(progress)(job)
        await live.nothing_for(0.5)
        await live.send(type="watch", job=str(job.pk))
        assert (await live.next())["code"] == "not_found"


async def test_nobody_watches_the_job_of_a_team_they_are_not_in(
    redis_server: RedisServer, web_port: int, user: User, other_user: User
) -> None:
    job = await sync_to_async(queued_job)(user)
    cookie = await sync_to_async(session_cookie)(other_user)
    async with page(web_port, cookie) as live:
        await live.send(type="watch", job=str(job.pk))
        assert (await live.next())["code"] == "not_found"
