"""The live socket at ``/ws/live/``: one per page, messages as `webapp.jobs.events` defines them.

The order in which things happen makes the view right: the socket joins a job's group *before* it reads the job's
row, and every hint makes it read the row again. So whatever changes after the reading arrives as a hint, and what is
sent as the job's state is never older than what was sent before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import redis
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, InterfaceError

from webapp.jobs import standings
from webapp.jobs.events import (
    ChangedHint,
    JobProgress,
    JobState,
    Notified,
    NotifiedHint,
    Pong,
    ProgressHint,
    RightsHint,
    SocketError,
    job_group,
    user_group,
)
from webapp.jobs.models import Job
from webapp.jobs.payloads import job_payload, preview_info
from webapp.jobs.querysets import ACTIVE
from webapp.notifications.models import Notification
from webapp.notifications.payloads import notification_payload
from webapp.operations.requests import SOCKETS

if TYPE_CHECKING:
    from webapp.accounts.models import User

SIGNED_OUT = 4401
"""Close code for a socket without a signed-in person or guest: coming back makes no sense before signing in."""
NO_SUCH_SOCKET = 4404
TRY_LATER = 1013
"""The registered close code for it: Redis cannot be reached."""
_REDIS_IS_AWAY = (redis.RedisError, OSError)
_LONGEST_MESSAGE = 2000  # characters
_MOST_WATCHED = 200
_LOOK_AT_POSITIONS_EVERY = 2.0  # seconds
_LOOK_AT_ALL_EVERY = 4  # of these looks
_NEAR = 10
_MUCH = 0.8


@dataclass(slots=True)
class _Watched:
    """What this socket last said about a job that it watches."""

    status: str = ""
    attempt: int = 0
    seq: int = -1
    position: int | None = None


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """Tells one page about its person's jobs."""

    async def connect(self) -> None:
        SOCKETS.inc()
        self.watched: dict[str, _Watched] = {}
        self.positions: asyncio.Task[None] | None = None
        self.sending = asyncio.Lock()
        self.user: User | AnonymousUser = self.scope.get("user") or AnonymousUser()  # type: ignore[assignment]
        await self.accept()
        if not self.user.is_authenticated:
            await self._refuse("signed_out", "Your session has ended. Reload the page to go on.")
            await self.close(SIGNED_OUT)
            return
        try:
            await self.channel_layer.group_add(user_group(self.user.pk), self.channel_name)
        except _REDIS_IS_AWAY:
            await self._refuse("try_later", "Live updates are not available at the moment.")
            await self.close(TRY_LATER)

    async def disconnect(self, code: int) -> None:
        SOCKETS.dec()
        if self.positions is not None:
            self.positions.cancel()
        if not self.user.is_authenticated:
            return
        with suppress(*_REDIS_IS_AWAY):
            await self.channel_layer.group_discard(user_group(self.user.pk), self.channel_name)
            for job_id in self.watched:
                await self.channel_layer.group_discard(job_group(job_id), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Answer one message. Whatever is wrong with it is answered with a sentence; the socket stays open."""
        if text_data is None or len(text_data) > _LONGEST_MESSAGE:
            await self._refuse("bad_message", f"Messages are JSON text of at most {_LONGEST_MESSAGE} characters.")
            return
        try:
            message = json.loads(text_data)
        except (ValueError, RecursionError):
            await self._refuse("bad_message", "This message is not JSON.")
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "ping":
            pong: Pong = {"type": "pong"}
            await self.send_json(pong)
        elif kind in {"watch", "unwatch"}:
            await self._watch_or_unwatch(str(kind), message.get("job"))
        else:
            await self._refuse("bad_message", "A message must have the type “watch”, “unwatch” or “ping”.")

    async def job_changed(self, hint: ChangedHint) -> None:
        """A job of this person, or one that is watched, changed its status."""
        job_id = hint["job"]
        if (hint["via"] == "job") == (job_id in self.watched):
            await self._send_state(job_id)

    async def job_progress(self, hint: ProgressHint) -> None:
        """A watched job went on. What belongs to an earlier attempt, or came late, is dropped."""
        watched = self.watched.get(hint["job"])
        if watched is None or watched.status != Job.Status.RUNNING or watched.attempt != hint["attempt"]:
            return
        if hint["seq"] <= watched.seq:
            return
        watched.seq = hint["seq"]
        number, box = hint["preview"], hint["box"]
        preview = None if number is None or box is None else preview_info(hint["job"], number, box)
        progress: JobProgress = {
            "type": "job.progress",
            "job": hint["job"],
            "attempt": hint["attempt"],
            "seq": hint["seq"],
            "stage": hint["stage"],
            "fraction": hint["fraction"],
            "steps_done": hint["steps_done"],
            "steps_total": hint["steps_total"],
            "seconds_left": hint["seconds_left"],
            "losses": hint["losses"],
            "preview": preview,
        }
        await self.send_json(progress)

    async def user_notified(self, hint: NotifiedHint) -> None:
        """This person got a notification, or read some."""
        unread, latest = await self._notices(hint["notification"])
        message: Notified = {"type": "notification", "unread": unread, "notification": latest}
        await self.send_json(message)

    async def user_rights(self, hint: RightsHint) -> None:
        """This person may see less than before: what they may not watch any more is said to be gone."""
        for job_id in list(self.watched):
            await self._send_state(job_id)

    async def _watch_or_unwatch(self, kind: str, given: Any) -> None:
        try:
            job_id = str(UUID(given))
        except (ValueError, TypeError, AttributeError):
            await self._refuse("bad_message", "“job” must be a job's id.")
            return
        if kind == "watch":
            await self._watch(job_id)
        else:
            await self._forget(job_id)

    async def _watch(self, job_id: str) -> None:
        if job_id not in self.watched:
            if len(self.watched) >= _MOST_WATCHED:
                await self._refuse("too_many", f"One page can watch {_MOST_WATCHED} jobs at a time.", job_id)
                return
            if not await self._may_watch(job_id):
                await self._refuse("not_found", "There is no such job.", job_id)
                return
            await self.channel_layer.group_add(job_group(job_id), self.channel_name)
            self.watched[job_id] = _Watched()
        await self._send_state(job_id)

    async def _send_state(self, job_id: str, place: int | None = None) -> None:
        """Read the job and send it whole; a job that was deleted is said to be gone."""
        async with self.sending:  # so that what was read first is sent first
            payload = await self._read(job_id, place)
            watched = self.watched.get(job_id)
            if payload is None:
                await self._forget(job_id)
                await self._refuse("not_found", "There is no such job.", job_id)
                return
            if watched is not None:
                if payload["attempt"] != watched.attempt:
                    watched.seq = -1
                watched.status, watched.attempt = payload["status"], payload["attempt"]
                watched.position = payload["position"]
            state: JobState = {"type": "job.state", "job": payload}
            await self.send_json(state)
        self._follow_positions()

    async def _forget(self, job_id: str) -> None:
        if self.watched.pop(job_id, None) is not None:
            await self.channel_layer.group_discard(job_group(job_id), self.channel_name)

    def _follow_positions(self) -> None:
        """Look after what is watched and has not ended."""
        if self._unfinished() and (self.positions is None or self.positions.done()):
            self.positions = asyncio.create_task(self._look_after())

    def _unfinished(self) -> dict[str, tuple[str, int]]:
        """Status and attempt, as told last, of the watched jobs that have not ended."""
        return {
            key: (watched.status, watched.attempt) for key, watched in self.watched.items() if watched.status in ACTIVE
        }

    async def _look_after(self) -> None:
        """Keep the places in the queue up to date, and make up for hints that were lost.

        Hints may be lost: Redis was away, or so much was said at once that the channel layer dropped some. Without
        another look such a job would run for ever on the page.
        """
        round_ = 0
        while told := self._unfinished():
            await asyncio.sleep(_LOOK_AT_POSITIONS_EVERY)
            round_ += 1
            waiting = [key for key, (status, _) in told.items() if status == Job.Status.QUEUED]
            try:
                news = await self._moved(waiting)
                if round_ % _LOOK_AT_ALL_EVERY == 0:
                    news |= await self._changed(told)
                for job_id, place in news.items():
                    if job_id in self.watched:
                        await self._send_state(job_id, place)
            except (DatabaseError, InterfaceError):
                continue  # it can wait until the database is back
            except OSError:  # the browser is gone; `disconnect` follows
                return

    async def _refuse(self, code: str, message: str, job_id: str | None = None) -> None:
        error: SocketError = {"type": "error", "code": code, "message": message, "job": job_id}
        await self.send_json(error)

    @database_sync_to_async
    def _may_watch(self, job_id: str) -> bool:
        return bool(Job.objects.visible_to(self.user).filter(pk=job_id).exists())

    @database_sync_to_async
    def _read(self, job_id: str, place: int | None) -> dict[str, Any] | None:
        rows = Job.objects.visible_to(self.user).select_related("source", "mask", "selection")
        job = rows.filter(pk=job_id).first()
        if job is None:
            return None
        return job_payload(job, position=place if job.status == Job.Status.QUEUED else None)

    @database_sync_to_async
    def _moved(self, waiting: Sequence[str]) -> dict[str, int | None]:
        """The new places that are worth a message; None for jobs that wait no longer, or came in a moment ago."""
        if not waiting:
            return {}
        table = standings.table()
        places = {job_id: table.get(UUID(job_id)) for job_id in waiting}
        told = {job_id: watched.position for job_id, watched in self.watched.items()}
        return {job_id: place for job_id, place in places.items() if place is None or is_news(told.get(job_id), place)}

    @database_sync_to_async
    def _changed(self, told: Mapping[str, tuple[str, int]]) -> dict[str, int | None]:
        """The jobs whose status or attempt is not what was told last, and those that were deleted."""
        rows = Job.objects.filter(pk__in=list(told)).values_list("pk", "status", "attempt")
        now = {str(job_id): (status, attempt) for job_id, status, attempt in rows}
        return {job_id: None for job_id, each in told.items() if now.get(job_id) != each}

    @database_sync_to_async
    def _notices(self, latest_id: str | None) -> tuple[int, dict[str, Any] | None]:
        rows = Notification.objects.visible_to(self.user)
        latest = None if latest_id is None else rows.filter(pk=latest_id).first()
        return rows.unread().count(), None if latest is None else dict(notification_payload(latest))


def is_news(told: int | None, place: int) -> bool:
    """Whether a new place in the queue is worth a message: near the front always, further back when much changed.

    With hundreds of pages open and thousands of jobs waiting, every start moves all of them.
    """
    return place != told and (told is None or place <= _NEAR or place > told or place <= _MUCH * told)


class NoSuchSocket(AsyncJsonWebsocketConsumer):
    """Answers websockets at any other address."""

    async def connect(self) -> None:
        await self.accept()
        await self.close(NO_SUCH_SOCKET)
