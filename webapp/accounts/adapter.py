"""How allauth signs people up and in here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from webapp.accounts.models import User
from webapp.accounts.services import claim_guest, is_first_account
from webapp.teams.invitations import invitation_by

INVITATION_KEY = "invitation"
"""Where a session keeps the token of the invitation that its visitor came by."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Signing in or up as a guest takes the guest's pictures and jobs along."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Also where nobody may sign up by themselves: for whoever came by an open invitation to a team."""
        if settings.ALLOW_SIGNUP:
            return True
        token = request.session.get(INVITATION_KEY, "")
        return bool(token) and invitation_by(token) is not None

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """The first account of a new site runs it, where the settings say so."""
        saved = super().save_user(request, user, form, commit=commit)
        if commit and settings.FIRST_ACCOUNT_IS_ADMIN and is_first_account(saved):
            saved.is_staff = saved.is_superuser = True
            saved.save(update_fields=["is_staff", "is_superuser"])
        return saved

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        guest = _guest_of_session(request)
        if guest is not None:
            # A change of user flushes the session, and with it what the sign-in has noted there so far; a
            # session without user only gets a new key.
            for key in (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY):
                request.session.pop(key, None)
        super().login(request, user)
        if guest is not None and isinstance(user, User):
            claim_guest(guest, user)


def _guest_of_session(request: HttpRequest) -> User | None:
    """The guest this browser has been working as, if any."""
    guest = getattr(request, "guest", None) or request.user
    return guest if isinstance(guest, User) and guest.is_guest else None
