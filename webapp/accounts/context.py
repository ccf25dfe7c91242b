"""What every template may ask about people."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def people(request: HttpRequest) -> dict[str, Any]:
    """`allow_guests`, `allow_signup`, and `has_account`: signed in, and not as a guest."""
    user = getattr(request, "user", None)
    return {
        "allow_guests": settings.ALLOW_GUESTS,
        "allow_signup": settings.ALLOW_SIGNUP,
        "has_account": bool(user and user.is_authenticated and not user.is_guest),
    }
