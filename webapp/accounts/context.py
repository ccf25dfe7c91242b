"""What every template may ask about people."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from webapp.teams.models import Team


def people(request: HttpRequest) -> dict[str, Any]:
    """`allow_guests`, `allow_signup`, `has_account` (signed in, and not as a guest), and `my_teams` with `my_role`."""
    user = getattr(request, "user", None)
    return {
        "my_teams": SimpleLazyObject(lambda: list(Team.objects.with_role(user)) if user else []),
        "allow_guests": settings.ALLOW_GUESTS,
        "allow_signup": settings.ALLOW_SIGNUP,
        "has_account": bool(user and user.is_authenticated and not user.is_guest),
    }
