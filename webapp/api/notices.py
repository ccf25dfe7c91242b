"""The REST API's calls about notifications."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema

from webapp.api.seen import REFUSED
from webapp.notifications.models import Notification
from webapp.notifications.payloads import notification_payload
from webapp.notifications.services import mark_read, unread_count

router = Router(tags=["notifications"])

_LATEST = 20


class NoticeOut(Schema):
    id: UUID
    kind: str
    text: str
    url: str = Field(description="Marks it as read and leads on.")
    created_at: datetime
    read: bool


class NoticesOut(Schema):
    unread: int
    items: list[NoticeOut]


class ReadIn(Schema):
    ids: list[UUID] | None = Field(None, max_length=200, description="Which; all of them without it.")


class UnreadOut(Schema):
    unread: int


@router.get("/notifications", response={200: NoticesOut, **REFUSED}, summary="Notifications")
def list_notices(request: HttpRequest) -> NoticesOut:
    """Your latest 20 notifications, newest first, and how many you have not read."""
    rows = list(Notification.objects.visible_to(request.user)[:_LATEST])
    items = [NoticeOut.model_validate(notification_payload(row)) for row in rows]
    return NoticesOut(unread=unread_count(request.user), items=items)


@router.post("/notifications/read", response={200: UnreadOut, **REFUSED}, summary="Mark notifications as read")
def read_notices(request: HttpRequest, what: ReadIn) -> UnreadOut:
    """Mark some, or all, of your notifications as read; ids of others are passed over."""
    return UnreadOut(unread=mark_read(request.user, what.ids))
