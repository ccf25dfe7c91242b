"""What is said about jobs over sockets, and to whom.

Two kinds of message are defined here. *Socket messages* go to the browser (mirrored by name in
`frontend/static/js/live/messages.js`). *Hints* go through the channel layer to the processes that hold sockets: a
hint says that a job changed, and the socket then reads the truth from the database. Only progress carries its
numbers along, because they are not worth a query and are out of date a moment later.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict
from uuid import UUID

from webapp.jobs.postman import postman


class PreviewInfo(TypedDict):
    """Where a live preview lies, and the photo pixels it covers."""

    url: str
    box: list[int]
    """left, top, right, bottom."""


class JobState(TypedDict):
    """The whole job, as `GET /api/jobs/{id}` answers it."""

    type: Literal["job.state"]
    job: dict[str, Any]


class JobProgress(TypedDict):
    """How far a running attempt is. `seq` grows within an attempt; a smaller one came late and is to be ignored."""

    type: Literal["job.progress"]
    job: str
    attempt: int
    seq: int
    stage: str
    fraction: float
    steps_done: int | None
    steps_total: int | None
    seconds_left: float | None
    losses: dict[str, float] | None
    """The terms that an optimising model brings down, by name; for curves."""
    preview: PreviewInfo | None


class SocketError(TypedDict):
    """A sentence about something that was asked for and cannot be had."""

    type: Literal["error"]
    code: str
    message: str
    job: str | None


class Pong(TypedDict):
    """The answer to a ping."""

    type: Literal["pong"]


class Notified(TypedDict):
    """How many notifications are unread now, and the one that just came, if one did."""

    type: Literal["notification"]
    unread: int
    notification: dict[str, Any] | None


class NotifiedHint(TypedDict):
    """A person got a notification (its id), or read some."""

    type: Literal["user.notified"]
    notification: str | None


class RightsHint(TypedDict):
    """What a person may see became less: sockets look again at what they watch."""

    type: Literal["user.rights"]


class ChangedHint(TypedDict):
    """A job's row changed its status. `via` tells the two copies of the hint apart."""

    type: Literal["job.changed"]
    job: str
    via: Literal["job", "user"]


class ProgressHint(TypedDict):
    """`JobProgress` on its way to the sockets; the preview is named by its number, not by its address."""

    type: Literal["job.progress"]
    job: str
    attempt: int
    seq: int
    stage: str
    fraction: float
    steps_done: int | None
    steps_total: int | None
    seconds_left: float | None
    losses: dict[str, float] | None
    preview: int | None
    box: list[int] | None


def job_group(job_id: UUID | str) -> str:
    """The channel group of those who watch one job."""
    return f"job.{job_id}"


def user_group(user_id: UUID | str) -> str:
    """The channel group of all of a person's sockets."""
    return f"user.{user_id}"


def job_changed(job_id: UUID, owner_id: UUID) -> None:
    """Tell the owner's sockets and the job's watchers that its status changed."""
    for_watchers: ChangedHint = {"type": "job.changed", "job": str(job_id), "via": "job"}
    for_owner: ChangedHint = {"type": "job.changed", "job": str(job_id), "via": "user"}
    postman().post(job_group(job_id), dict(for_watchers))
    postman().post(user_group(owner_id), dict(for_owner))


def job_progress(hint: ProgressHint) -> None:
    """Tell the job's watchers how far it is."""
    postman().post(job_group(hint["job"]), dict(hint))


def user_notified(user_id: UUID, notification_id: UUID | None) -> None:
    """Tell a person's sockets that they got a notification, or read some."""
    hint: NotifiedHint = {
        "type": "user.notified",
        "notification": None if notification_id is None else str(notification_id),
    }
    postman().post(user_group(user_id), dict(hint))


def rights_changed(user_id: UUID) -> None:
    """Tell a person's sockets that they may see less than before."""
    hint: RightsHint = {"type": "user.rights"}
    postman().post(user_group(user_id), dict(hint))
