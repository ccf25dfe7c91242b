"""The page of blind votes, and its two pictures, whose addresses say nothing about who made them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from webapp.accounts.models import User
from webapp.errors import not_found
from webapp.jobs.payloads import model_title
from webapp.photos.models import Picture
from webapp.photos.renditions import CONTENT_TYPES, make_rendition
from webapp.photos.serving import not_modified, send_file
from webapp.reviews import votes
from webapp.reviews.models import Ballot
from webapp.teams import policies
from webapp.teams.models import Team


@require_safe
@ensure_csrf_cookie
def vote(request: HttpRequest, team_id: UUID | None = None) -> HttpResponse:
    """Pairs of results to judge: of one's own pictures, of a team's, or (`?picture=`) of one picture."""
    if not isinstance(request.user, User):
        raise not_found()
    team, picture = _place(request, team_id)
    rows = (
        Ballot.objects.filter(picture__team=team)
        if team
        else Ballot.objects.filter(picture__team=None, picture__owner=request.user)
    )
    boot = {
        "api": reverse("api:api-root"),
        "team": None if team is None else str(team.pk),
        "picture": None if picture is None else str(picture.pk),
    }
    context = {
        "boot": boot,
        "team": team,
        "picture": picture,
        "tallies": [
            {
                "model": model_title(tally.model),
                "other": model_title(tally.other),
                "wins": tally.wins,
                "losses": tally.losses,
                "ties": tally.ties,
                "votes": tally.votes,
            }
            for tally in votes.tallies(rows)
        ],
        **_way_back(team, picture),
    }
    return render(request, "reviews/vote.html", context)


@require_safe
def ballot_picture(request: HttpRequest, ballot_id: UUID, side: str) -> HttpResponseBase:
    """One of the two results (`first` or `second`) for the screen; name and tag of the file are the ballot's."""
    rows = Ballot.objects.visible_to(request.user).select_related("first", "second")
    ballot: Ballot | None = rows.filter(pk=ballot_id).first()
    if ballot is None or side not in ("first", "second"):
        raise not_found()
    etag = f'"{ballot.pk}-{side}"'
    answer = not_modified(request, etag)
    if answer is not None:
        return answer
    file = make_rendition(ballot.first if side == "first" else ballot.second, "display").file
    suffix = "." + (file.name or "").rpartition(".")[2]
    return send_file(request, file, etag=etag, content_type=CONTENT_TYPES[suffix], filename=f"{side}{suffix}")


def _way_back(team: Team | None, picture: Picture | None) -> dict[str, str]:
    if picture is not None:
        return {"back_name": picture.title, "back_url": reverse("picture", args=[picture.pk])}
    if team is not None:
        return {"back_name": team.name, "back_url": reverse("team_pictures", args=[team.pk])}
    return {"back_name": "My pictures", "back_url": reverse("pictures")}


def _place(request: HttpRequest, team_id: UUID | None) -> tuple[Team | None, Picture | None]:
    if team_id is not None:
        team: Team | None = Team.objects.visible_to(request.user).filter(pk=team_id).first()
        if team is None:
            raise not_found()
        if not policies.can_vote(request.user, team):
            raise policies.forbidden()
        return team, None
    if "picture" not in request.GET:
        return None, None
    try:
        wanted = UUID(request.GET["picture"])
    except ValueError:
        raise not_found() from None
    picture: Picture | None = Picture.objects.visible_to(request.user).select_related("team").filter(pk=wanted).first()
    if picture is None:
        raise not_found()
    policies.require(policies.can_review, request.user, picture)
    return picture.team, picture
