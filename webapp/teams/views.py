"""Pages of teams."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Case, Count, IntegerField, Q, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.photos.models import Picture
from webapp.teams import policies, quotas
from webapp.teams.access import account_of, visible_team
from webapp.teams.invitations import MOST_DAYS, invitations_for
from webapp.teams.models import Activity, Invitation, Role, Team

_ACTIVITIES_ON_PAGE = 12
_ACTIVITIES_IN_LIST = 50
_IN_ORDER = Case(*[When(role=role, then=place) for place, role in enumerate(Role)], output_field=IntegerField())
GIVEN_ROLES = [(role.value, role.label) for role in Role if role != Role.OWNER]


@require_safe
@login_required
def teams(request: HttpRequest) -> HttpResponse:
    """The teams one is in, those one is asked into, and the way to a new one."""
    rows = Team.objects.with_role(request.user).annotate(
        picture_count=Count("pictures", filter=Q(pictures__trashed_at=None), distinct=True),
        member_count=Count("memberships", distinct=True),
    )
    invitations = invitations_for(account_of(request))
    return render(request, "teams/list.html", {"teams": rows, "invitations": invitations})


@require_safe
@login_required
def team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Members, what is used of the quotas, what happened; invitations for the owner."""
    found = visible_team(request, team_id)
    manages = policies.can_manage(request.user, found)
    members = found.memberships.select_related("user").order_by(_IN_ORDER, "joined_at")
    invitations = Invitation.objects.open().filter(team=found).select_related("invited_by") if manages else []
    return render(
        request,
        "teams/team.html",
        {
            "team": found,
            "manages": manages,
            "members": members,
            "roles": GIVEN_ROLES,
            "invitations": invitations,
            "most_days": MOST_DAYS,
            "storage": quotas.storage_of(found),
            "compute": quotas.compute_of(found),
            "picture_count": Picture.objects.of_team(found).count(),
            "activities": Activity.objects.filter(team=found).select_related("picture")[:_ACTIVITIES_ON_PAGE],
            "new_link": request.session.pop("new_link", None) if manages else None,
        },
    )


@require_safe
@login_required
def activity(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """Everything that happened in the team, latest first."""
    found = visible_team(request, team_id)
    rows = Activity.objects.filter(team=found).select_related("picture")
    page = Paginator(rows, _ACTIVITIES_IN_LIST).get_page(request.GET.get("page"))
    return render(request, "teams/activity.html", {"team": found, "page": page})
