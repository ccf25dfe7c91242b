"""The page on which one looks after one's links."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from webapp.accounts.models import User
from webapp.api.payloads import as_json
from webapp.api.shares import ShareOut, share_fields, shares_of
from webapp.errors import not_found


@require_safe
@ensure_csrf_cookie
def shares(request: HttpRequest) -> HttpResponse:
    """All links one has made, working ones first in their order."""
    if not isinstance(request.user, User):
        raise not_found()
    found = [as_json(ShareOut(**share_fields(share, share.pictures))) for share in shares_of(request)]
    return render(request, "sharing/mine.html", {"shares": found, "boot": {"api": reverse("api:api-root")}})
