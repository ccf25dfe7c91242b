"""Pages: home and the editor."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from inpainting.imaging import DECODABLE_FORMATS
from webapp.api.payloads import abilities_out, as_json, models_out, picture_out
from webapp.errors import not_found
from webapp.photos.models import Picture
from webapp.photos.samples import all_samples
from webapp.teams import policies
from webapp.teams.models import Team

_FORMAT_NAMES = {"WEBP": "WebP", "HEIF": "HEIC"}


@require_safe
@ensure_csrf_cookie
def home(request: HttpRequest) -> HttpResponse:
    """Where a photo comes in: dropped, pasted, chosen, or one of the samples."""
    samples = [
        {
            "name": sample.name,
            "title": sample.title,
            "credit": sample.credit,
            "url": sample.url,
            "thumb_url": sample.thumb_url,
        }
        for sample in all_samples()
    ]
    limits = {
        "max_bytes": settings.MAX_UPLOAD_BYTES,
        "max_pixels": settings.MAX_UPLOAD_PIXELS,
        "formats": [_FORMAT_NAMES.get(name, name) for name in DECODABLE_FORMATS],
    }
    team = _upload_team(request)
    upload_url = reverse("pictures") if team is None else reverse("team_pictures", args=[team.pk])
    context = {"samples": samples, "limits": limits, "upload_team": team, "upload_url": upload_url}
    return render(request, "home.html", context)


@require_safe
@ensure_csrf_cookie
def editor(request: HttpRequest, picture_id: UUID) -> HttpResponse:
    """The editor, with everything it needs to begin in `boot`; who may only look is sent to the picture's page."""
    picture: Picture | None = Picture.objects.visible_to(request.user).filter(pk=picture_id).first()
    if picture is None:
        raise not_found()
    if not policies.can_edit(request.user, picture):
        messages.info(request, "You may look at this picture, not change it.")
        return redirect("picture", picture.pk)
    boot = {
        "picture": as_json(picture_out(picture, request.user)),
        "models": [as_json(model) for model in models_out()],
        "abilities": as_json(abilities_out()),
        "urls": {
            "api": reverse("api:api-root"),
            "socket": "/ws/live/",
            "home": reverse("home"),
            "pictures": reverse("pictures"),
            "picture": reverse("picture", args=[picture.pk]),
        },
    }
    return render(request, "editor.html", {"boot": boot})


def _upload_team(request: HttpRequest) -> Team | None:
    """The team in `?team=`, when the person may bring pictures into it."""
    try:
        wanted = UUID(request.GET.get("team", ""))
    except ValueError:
        return None
    team: Team | None = Team.objects.visible_to(request.user).filter(pk=wanted).first()
    return team if team is not None and policies.can_add(request.user, team) else None
