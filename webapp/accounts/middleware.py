"""On the account pages a guest is a visitor like any other."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class GuestsAreVisitorsMiddleware(MiddlewareMixin):
    """Let guests sign in and up, and keep them from pages that manage an account (password, e-mail addresses).

    `request.guest` keeps the guest for the adapter, which hands its pictures to the account. Logging out stays
    what it is: a guest who does so gives up the pictures.
    """

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        match = request.resolver_match
        name = match.url_name if match else None
        if not name or not name.startswith("account_") or name == "account_logout":
            return
        if getattr(request.user, "is_guest", False):
            request.guest = request.user  # type: ignore[attr-defined]
            request.user = AnonymousUser()
