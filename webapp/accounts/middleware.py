"""On the account pages, and in the admin, a guest is a visitor like any other."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import ResolverMatch
from django.utils.deprecation import MiddlewareMixin


class GuestsAreVisitorsMiddleware(MiddlewareMixin):
    """Let guests sign in and up, and keep them from pages that manage an account (password, e-mail addresses).

    `request.guest` keeps the guest for the adapter, which hands its pictures to the account. Logging out stays
    what it is: a guest who does so gives up the pictures.
    """

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        if not _needs_an_account(request.resolver_match):
            return
        if getattr(request.user, "is_guest", False):
            request.guest = request.user  # type: ignore[attr-defined]
            request.user = AnonymousUser()


def _needs_an_account(match: ResolverMatch | None) -> bool:
    if match is None:
        return False
    name = match.url_name or ""
    by_name = name.startswith(("account_", "mfa_", "usersessions_")) and name != "account_logout"
    return by_name or match.namespace in ("admin", "teams", "profile")
