"""Who calls: the browser's session, with the CSRF token for everything that changes something."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from ninja.security import APIKeyCookie

from webapp.accounts.models import User


class BrowserSession(APIKeyCookie):
    """The session's account, or nobody: a visitor owns nothing, and may become a guest by an upload.

    Which rows a caller may see is not decided here but by `visible_to`; so a visitor who asks for a picture gets the
    same answer as for one that does not exist. The base class checks the CSRF token of unsafe methods.
    """

    def __init__(self) -> None:
        self.param_name = settings.SESSION_COOKIE_NAME
        super().__init__(csrf=True)

    def authenticate(self, request: HttpRequest, key: str | None) -> User | AnonymousUser:
        return request.user
