"""The API at ``/api/``, its description at ``/api/openapi.json``, its page at ``/api/docs``."""

from __future__ import annotations

from django.urls import URLPattern, path
from ninja import NinjaAPI

from webapp.api import errors
from webapp.api.auth import BrowserSession
from webapp.api.gallery import router as gallery
from webapp.api.notices import router as notices
from webapp.api.painting import router as painting
from webapp.api.reviewing import router as reviewing
from webapp.api.routes import router
from webapp.api.shares import router as shares

api = NinjaAPI(
    title="Reweave",
    version="1",
    description=(
        "What the studio itself uses. Sign in by the site's pages; calls that change something need the session's "
        "CSRF token in the header `X-CSRFToken`. Errors are `{code, message}`."
    ),
    auth=BrowserSession(),
    urls_namespace="api",
)
api.add_router("", router)
for _part in (painting, notices, gallery, reviewing, shares):
    api.add_router("", _part)
errors.install(api)

urlpatterns: list[URLPattern] = [path("", api.urls)]  # type: ignore[list-item]  # a resolver triple, which path() takes
