"""What several calls have in common: finding what the caller may see, and how a call can be refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from webapp.api.schemas import ErrorOut
from webapp.errors import not_found
from webapp.photos.models import Version

REFUSED: dict[Any, Any] = {(400, 401, 403, 404, 409, 413, 422, 429): ErrorOut}


def visible_version(request: HttpRequest, version_id: UUID) -> Version:
    """The version, if the caller may see it; raises `Refusal` (404) otherwise."""
    found: Version | None = Version.objects.visible_to(request.user).filter(pk=version_id).first()
    if found is None:
        raise not_found()
    return found
