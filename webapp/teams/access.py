"""What the pages of teams have in common: who asks, which team, and how a refusal is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from webapp.errors import Refusal, not_found
from webapp.teams.models import Team

if TYPE_CHECKING:
    from webapp.accounts.models import User

View = Callable[..., HttpResponse]


def account_of(request: HttpRequest) -> User:
    """The account that asks; call it behind `login_required`."""
    return cast("User", request.user)


def visible_team(request: HttpRequest, team_id: UUID) -> Team:
    """The team with the asker's role in it as `my_role`; raises `Refusal` (404) for who is not a member."""
    found: Team | None = Team.objects.with_role(request.user).filter(pk=team_id).first()
    if found is None:
        raise not_found()
    return found


def form_action(back_to: Callable[..., str]) -> Callable[[View], View]:
    """A view for a form's POST. A refusal is shown as a notice on the page `back_to` names; a 404 stays one."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except Refusal as refusal:
                if refusal.status in (403, 404):
                    raise
                messages.error(request, refusal.message)
                return redirect(back_to(*args, **kwargs))

        return cast("View", require_POST(login_required(guarded)))

    return decorate
