"""Deleting an account: what goes, what stays with teams, and what has to be settled before."""

from __future__ import annotations

from typing import Literal

from django.db import transaction
from django.db.models import QuerySet

from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs.models import Batch, Job
from webapp.jobs.services import cancel_job
from webapp.photos.models import Picture
from webapp.teams import policies
from webapp.teams.models import Activity, Membership, Role, Team

TeamPictures = Literal["hand-over", "delete"]
GONE = "Deleted account"


def delete_account(user: User, *, team_pictures: TeamPictures = "hand-over") -> None:
    """Delete `user` with their own pictures, and with the teams in which nobody else is.

    What they brought into other teams is handed over to the teams' owners; with “delete” it goes too, as far as their
    role lets them delete there: what they brought into a team that they left belongs to that team alone. Comments,
    votes and verdicts stay, as a former member's. Raises `Refusal` (409) for who owns a team with other members, and
    for the only administrator.
    """
    check_may_leave(user)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        for job in Job.objects.active().filter(owner=user):
            cancel_job(job, actor=str(user.pk))
        _teams_alone(user).delete()
        brought = Picture.objects.filter(owner=user, team__isnull=False)
        if team_pictures == "delete":
            mine = Membership.objects.filter(user=user, role__in=policies.EDIT)
            brought.filter(team__in=mine.values("team")).delete()
        _hand_over(user)
        # What happened stays on record; who it was does not.
        Activity.objects.filter(actor=user).update(actor_name=GONE)
        user.delete()


def check_may_leave(user: User) -> None:
    """Raise `Refusal` (409) when something has to be settled before `user` can be deleted."""
    owned = Team.objects.filter(memberships__user=user, memberships__role=Role.OWNER)
    shared = owned.exclude(pk__in=_teams_alone(user).values("pk")).order_by("name")
    names = ", ".join(str(team) for team in shared)
    if names:
        raise Refusal("owns_teams", f"You own teams that others are in. Hand them over first: {names}.", status=409)
    admins = User.objects.filter(is_superuser=True, is_active=True)
    if user.is_superuser and not admins.exclude(pk=user.pk).exists():
        raise Refusal(
            "last_admin", "You are the only administrator of this site. Make somebody else one first.", status=409
        )


def _teams_alone(user: User) -> QuerySet[Team]:
    """Teams that nobody but `user` is in."""
    others = Membership.objects.exclude(user=user).values("team")
    rows: QuerySet[Team] = Team.objects.filter(memberships__user=user).exclude(pk__in=others)
    return rows


def _hand_over(user: User) -> None:
    """Pictures, jobs and batches of `user` in teams become the owners', or deleting the account would take them."""
    in_teams = {"owner": user, "picture__team__isnull": False}
    teams = set(Picture.objects.filter(owner=user, team__isnull=False).values_list("team", flat=True))
    teams |= set(Job.objects.filter(**in_teams).values_list("picture__team", flat=True))
    teams |= set(Batch.objects.filter(**in_teams).values_list("picture__team", flat=True))
    for team_id in teams:
        heir = Membership.objects.get(team=team_id, role=Role.OWNER).user
        Picture.objects.filter(owner=user, team=team_id).update(owner=heir)
        Job.objects.filter(owner=user, picture__team=team_id).update(owner=heir)
        Batch.objects.filter(owner=user, picture__team=team_id).update(owner=heir)
