"""Coming into a team by an invitation."""

from __future__ import annotations

from uuid import UUID

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from webapp.accounts.adapter import INVITATION_KEY
from webapp.errors import Refusal, not_found
from webapp.teams.access import account_of
from webapp.teams.invitations import accept, decline, gone, invitation_by, invitations_for
from webapp.teams.models import Invitation, Role
from webapp.teams.policies import role_in
from webapp.teams.services import ARTICLE, team_url


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Who asks whom into which team. Joining takes a click, so that no preview of the link joins by itself."""
    invitation = invitation_by(token)
    if invitation is None:
        raise gone()
    if not request.user.is_authenticated:
        if request.method == "POST":
            raise Refusal("sign_in_required", "Sign in first, then join.", status=401)
        request.session[INVITATION_KEY] = token
        if invitation.email:  # the token came to that address, so whoever has it can read its mail
            get_adapter().stash_verified_email(request, invitation.email)
    elif request.method == "POST":
        membership = accept(invitation, account_of(request))
        request.session.pop(INVITATION_KEY, None)
        messages.success(request, f"You are in {invitation.team} as {ARTICLE[Role(membership.role)]}.")
        return redirect(team_url(invitation.team))
    elif role_in(request.user, invitation.team):
        return redirect(team_url(invitation.team))
    context = {"invitation": invitation, "role": ARTICLE[Role(invitation.role)]}
    return render(request, "teams/join.html", context)


@require_POST
@login_required
def answer(request: HttpRequest, invitation_id: UUID) -> HttpResponse:
    """Accept or decline an invitation to one's own address."""
    user = account_of(request)
    invitation: Invitation | None = invitations_for(user).filter(pk=invitation_id).first()
    if invitation is None:
        raise not_found()
    if request.POST.get("answer") == "decline":
        decline(invitation)
        messages.success(request, f"You declined to join {invitation.team}.")
        return redirect("teams:list")
    accept(invitation, user)
    return redirect(team_url(invitation.team))
