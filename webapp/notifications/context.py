"""What every page may ask about notifications."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.notifications.services import unread_count


def notices(request: HttpRequest) -> dict[str, Any]:
    """`unread_notices`: how many a person has not read. Counted only where a template shows it."""
    user = getattr(request, "user", None)
    return {"unread_notices": SimpleLazyObject(lambda: unread_count(user) if user is not None else 0)}
