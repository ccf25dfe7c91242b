"""What several calls have in common: finding what the caller may see, and how a call can be refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from webapp.accounts.models import User
from webapp.api.schemas import ErrorOut
from webapp.errors import not_found
from webapp.photos.models import Picture, Version
from webapp.teams import policies
from webapp.teams.models import Team

REFUSED: dict[Any, Any] = {(400, 401, 403, 404, 409, 413, 422, 429): ErrorOut}


def caller(request: HttpRequest) -> User:
    """Who calls, as an account or a guest; raises `Refusal` (404) for a visitor, who has nothing to call for."""
    if not isinstance(request.user, User):
        raise not_found()
    return request.user


def visible_version(request: HttpRequest, version_id: UUID) -> Version:
    """The version, if the caller may see it; raises `Refusal` (404) otherwise."""
    found: Version | None = (
        Version.objects.visible_to(request.user).select_related("picture").filter(pk=version_id).first()
    )
    if found is None:
        raise not_found()
    return found


def editable_version(request: HttpRequest, version_id: UUID) -> Version:
    """The version, if the caller may change its picture; raises `Refusal`: 404 when they may not see it, or 403."""
    found = visible_version(request, version_id)
    policies.require(policies.can_edit, request.user, found.picture)
    return found


def visible_picture(request: HttpRequest, picture_id: UUID) -> Picture:
    """The picture, if the caller may see it; raises `Refusal` (404) otherwise."""
    found: Picture | None = Picture.objects.visible_to(request.user).filter(pk=picture_id).first()
    if found is None:
        raise not_found()
    return found


def visible_team(request: HttpRequest, team_id: UUID) -> Team:
    """The team, if the caller is a member of it; raises `Refusal` (404) otherwise."""
    found: Team | None = Team.objects.visible_to(request.user).filter(pk=team_id).first()
    if found is None:
        raise not_found()
    return found
