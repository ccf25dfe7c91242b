"""Pages to look through pictures: one's own, a team's, the trash, and a single picture with all that belongs to it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from inpainting.catalog import offered
from webapp.accounts.models import User
from webapp.api.payloads import as_json, card_out, models_out, picture_out
from webapp.api.review_schemas import reviews_out
from webapp.api.schemas import PicturePage
from webapp.api.searches import SearchIn
from webapp.errors import Refusal, not_found
from webapp.galleries import search, services
from webapp.galleries.command_lines import command_of
from webapp.galleries.models import Favourite
from webapp.photos.downloads import archive_of
from webapp.photos.models import Picture, Version
from webapp.photos.serving import send_stream
from webapp.teams import policies
from webapp.teams.models import Team


@require_safe
@ensure_csrf_cookie
def pictures(request: HttpRequest) -> HttpResponse:
    """One's own pictures; the page gets its first cards along and fetches more from the API."""
    return _signed_in(request) or _gallery(request, None)


@require_safe
@ensure_csrf_cookie
def team_pictures(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """A team's gallery."""
    team: Team | None = Team.objects.visible_to(request.user).filter(pk=team_id).first()
    if team is None:
        raise not_found()
    return _gallery(request, team)


@require_safe
@ensure_csrf_cookie
def trash(request: HttpRequest, team_id: UUID | None = None) -> HttpResponse:
    """What was thrown away, of one's own or of a team's, for as long as it can be brought back."""
    refused = _signed_in(request)
    if refused is not None:
        return refused
    team = None
    if team_id is not None:
        team = Team.objects.visible_to(request.user).filter(pk=team_id).first()
        if team is None:
            raise not_found()
        if not policies.can_add(request.user, team):
            raise policies.forbidden()
    return _gallery(request, team, trash=True)


@require_safe
@ensure_csrf_cookie
def picture(request: HttpRequest, picture_id: UUID) -> HttpResponse:
    """One picture: before and after, all versions, reviews; everything the page begins with is in `boot`."""
    rows = Picture.objects.visible_to(request.user).select_related("team", "owner")
    found: Picture | None = rows.filter(pk=picture_id).first()
    if found is None:
        raise not_found()
    user = request.user
    versions = found.versions.select_related("parent__picture", "picture")
    boot = {
        "picture": as_json(picture_out(found, user)),
        "reviews": as_json(reviews_out(found)),
        "tags": [tag.name for tag in found.tags.all()],
        "favourite": Favourite.objects.filter(picture=found, person=user.pk).exists(),
        "commands": {str(version.pk): command_of(version) for version in versions if not version.is_upload},
        "models": [as_json(model) for model in models_out()],
        "me": str(user.pk),
        "urls": {
            "api": reverse("api:api-root"),
            "socket": "/ws/live/",
            "gallery": _gallery_url(found.team),
            "vote": f"{reverse('vote')}?picture={found.pk}",
        },
    }
    return render(request, "pictures/picture.html", {"boot": boot, "picture": found})


@require_POST
def archive(request: HttpRequest) -> HttpResponseBase:
    """The latest versions of the selected pictures as a ZIP file, made while it is sent."""
    if not isinstance(request.user, User):
        raise not_found()
    try:
        ids = [UUID(text) for text in request.POST.getlist("pictures")]
    except ValueError:
        raise not_found() from None
    chosen = services.pick(request.user, ids, rule=policies.can_view)
    latest: dict[UUID, Version] = {}
    for version in Version.objects.filter(picture__in=chosen).select_related("picture").order_by("created_at", "id"):
        latest[version.picture_id] = version
    versions = [latest[each.pk] for each in chosen if each.pk in latest]
    return send_stream(request, archive_of(versions), content_type="application/zip", filename="Reweave pictures.zip")


def _gallery(request: HttpRequest, team: Team | None, *, trash: bool = False) -> HttpResponse:
    user = request.user
    wanted = _search_in(request)
    looked_for = search.Search(**{**wanted.model_dump(), "team": None if team is None else team.pk, "trash": trash})
    try:
        page = search.find_page(user, looked_for, request.GET.get("cursor"))
    except Refusal as refusal:
        if refusal.code != "bad_cursor":
            raise
        page = search.find_page(user, looked_for)
    may_add = policies.can_add(user, team)
    context: dict[str, Any] = {
        "page": as_json(PicturePage(items=[card_out(row) for row in page.pictures], next=page.next)),
        "team": team,
        "trash": trash,
        "trash_days": settings.TRASH_DAYS,
        "search": wanted,
        "is_searched": bool(wanted.model_dump(exclude_defaults=True, exclude={"sort", "team", "trash"})),
        "models": [(entry.key, entry.title) for entry in offered(include_untrained=True)],
        "tags": [] if trash else search.tags_in_use(user, looked_for),
        "galleries": _galleries(user, team),
        "may_edit": may_add,
        "may_share": may_add and isinstance(user, User) and not user.is_guest,
        "may_vote": isinstance(user, User) and (team is None or policies.can_vote(user, team)),
        "gallery_url": _gallery_url(team),
        "trash_url": reverse("trash") if team is None else reverse("team_trash", args=[team.pk]),
    }
    return render(request, "pictures/list.html", context)


def _galleries(user: Any, here: Team | None) -> list[dict[str, Any]]:
    """One's own pictures and every team's, with whether pictures may be moved there."""
    if not isinstance(user, User):
        return []
    found = [{"id": "", "name": "My pictures", "url": reverse("pictures"), "may_add": True, "here": here is None}]
    for team in Team.objects.with_role(user).order_by("name", "id"):
        found.append(
            {
                "id": str(team.pk),
                "name": team.name,
                "url": reverse("team_pictures", args=[team.pk]),
                "may_add": vars(team)["my_role"] in policies.EDIT,
                "here": here is not None and here.pk == team.pk,
            }
        )
    return found


def _gallery_url(team: Team | None) -> str:
    return reverse("pictures") if team is None else reverse("team_pictures", args=[team.pk])


def _search_in(request: HttpRequest) -> SearchIn:
    """What the address asks for; what makes no sense there is left out, one by one."""
    given = {name: value for name, value in request.GET.items() if value and name in SearchIn.model_fields}
    for name in ("team", "trash"):
        given.pop(name, None)
    usable = {}
    for name, value in given.items():
        try:
            SearchIn.model_validate({name: value})
        except ValueError:
            continue
        usable[name] = value
    return SearchIn.model_validate(usable)


def _signed_in(request: HttpRequest) -> HttpResponse | None:
    if not request.user.is_authenticated and not settings.ALLOW_GUESTS:
        return redirect_to_login(request.get_full_path())
    return None
