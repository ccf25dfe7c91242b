"""What the forms on the pages of teams do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from webapp.errors import Refusal, not_found
from webapp.teams import services
from webapp.teams.access import account_of, form_action, visible_team
from webapp.teams.invitations import invite, join_url, revoke
from webapp.teams.models import Invitation, Membership, Team


def _to_list(*args: Any, **kwargs: Any) -> str:
    return reverse("teams:list")


def _to_team(team_id: UUID, **kwargs: Any) -> str:
    return reverse("teams:team", args=[team_id])


@form_action(_to_list)
def create(request: HttpRequest) -> HttpResponse:
    """Make a team."""
    team = services.create_team(account_of(request), request.POST.get("name", ""))
    messages.success(request, f"{team} is ready. Ask people in, and bring pictures.")
    return redirect(services.team_url(team))


@form_action(_to_team)
def rename(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Call the team something else."""
    services.rename_team(visible_team(request, team_id), request.POST.get("name", ""), by=account_of(request))
    return redirect(_to_team(team_id))


@form_action(_to_team)
def delete(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Delete the team; its name has to be typed."""
    team = visible_team(request, team_id)
    if request.POST.get("name", "").strip() != team.name:
        raise Refusal("not_confirmed", "Type the team's name to delete it; nothing was deleted.", status=422)
    services.delete_team(team, by=account_of(request))
    messages.success(request, f"{team} and its pictures are deleted.")
    return redirect("teams:list")


@form_action(_to_team)
def leave(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Leave the team."""
    team = visible_team(request, team_id)
    services.leave_team(team, account_of(request))
    messages.success(request, f"You left {team}.")
    return redirect("teams:list")


@form_action(_to_team)
def invite_people(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Ask somebody in by e-mail, or make a link, which is shown this once."""
    email, days = request.POST.get("email", "").strip(), request.POST.get("days", "")
    if request.POST.get("way") == "email" and not email:
        raise Refusal("no_email", "Type the address of whom you ask in, or make a link.", status=422)
    if days and not days.isdecimal():
        raise Refusal("bad_days", "The days must be a whole number.", status=422)
    invitation, token = invite(
        visible_team(request, team_id),
        by=account_of(request),
        role=request.POST.get("role", ""),
        email=email if request.POST.get("way") == "email" else "",
        days=int(days) if days else None,
        site=request.build_absolute_uri("/"),
    )
    if invitation.email:
        messages.success(request, f"{invitation.email} gets a message with a link to join.")
    else:
        request.session["new_link"] = join_url(token, request.build_absolute_uri("/"))
    return redirect(_to_team(team_id) + "#invitations")


@form_action(_to_team)
def revoke_invitation(request: HttpRequest, team_id: UUID, invitation_id: UUID) -> HttpResponse:
    """Take an invitation back."""
    team = visible_team(request, team_id)
    invitation: Invitation | None = (
        Invitation.objects.visible_to(request.user).filter(team=team, pk=invitation_id).first()
    )
    if invitation is None:
        raise not_found()
    revoke(invitation, by=account_of(request))
    messages.success(request, "The invitation is taken back.")
    return redirect(_to_team(team_id) + "#invitations")


@form_action(_to_team)
def give_role(request: HttpRequest, team_id: UUID, membership_id: int) -> HttpResponse:
    """Give a member another role."""
    membership = _member(visible_team(request, team_id), membership_id)
    services.change_role(membership, request.POST.get("role", ""), by=account_of(request))
    return redirect(_to_team(team_id))


@form_action(_to_team)
def remove(request: HttpRequest, team_id: UUID, membership_id: int) -> HttpResponse:
    """Take a member out of the team."""
    membership = _member(visible_team(request, team_id), membership_id)
    services.remove_member(membership, by=account_of(request))
    messages.success(request, f"{membership.user} is not in the team any more.")
    return redirect(_to_team(team_id))


@form_action(_to_team)
def hand_over_to(request: HttpRequest, team_id: UUID, membership_id: int) -> HttpResponse:
    """Make a member the owner."""
    team = visible_team(request, team_id)
    membership = _member(team, membership_id)
    services.hand_over(team, membership, by=account_of(request))
    messages.success(request, f"{membership.user} owns {team} now; you are an editor.")
    return redirect(_to_team(team_id))


def _member(team: Team, membership_id: int) -> Membership:
    found: Membership | None = team.memberships.select_related("user", "team").filter(pk=membership_id).first()
    if found is None:
        raise not_found()
    return found
