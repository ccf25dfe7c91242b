"""A notification as the API and the socket show it."""

from __future__ import annotations

from typing import TypedDict

from django.urls import reverse

from webapp.notifications.models import Notification


class NotificationShape(TypedDict):
    """`url` marks it as read and leads on."""

    id: str
    kind: str
    text: str
    url: str
    created_at: str
    read: bool


def notification_payload(row: Notification) -> NotificationShape:
    """Ids as text, times in ISO 8601."""
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "text": row.text,
        "url": reverse("notifications:open", args=[row.pk]),
        "created_at": row.created_at.isoformat(),
        "read": row.read_at is not None,
    }
