"""What people can do with teams: make them, run them, leave them, and move pictures in and out."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.urls import reverse

from webapp.errors import Refusal, not_found
from webapp.jobs import events
from webapp.notifications.services import Kind, notify
from webapp.photos.models import Draft, Picture, Version
from webapp.teams import policies, quotas
from webapp.teams.activity import record
from webapp.teams.models import LONGEST_TEAM_NAME, Activity, Membership, Role, Team

if TYPE_CHECKING:
    from webapp.accounts.models import User

Did = Activity.Kind
MOST_MOVED = 500
ARTICLE = {Role.OWNER: "the owner", Role.EDITOR: "an editor", Role.REVIEWER: "a reviewer", Role.VIEWER: "a viewer"}


def create_team(owner: User, name: str) -> Team:
    """Make a team that `owner` owns, with the quotas that the site gives to new teams.

    Raises `Refusal` for guests (403), a name that is empty or too long (422), and somebody who owns enough teams (429).
    """
    if owner.is_guest:
        raise Refusal("account_needed", "Teams are for people with an account; make one first.", status=403)
    name = _checked_name(name)
    owned = Membership.objects.filter(user=owner, role=Role.OWNER).count()
    if settings.TEAMS.most_per_user and owned >= settings.TEAMS.most_per_user:
        raise Refusal(
            "too_many_teams", f"You own {owned} teams, which is as many as one person may have here.", status=429
        )
    with transaction.atomic():
        team = Team.objects.create(
            name=name,
            storage_quota=settings.TEAMS.storage or None,
            gpu_seconds_quota=settings.TEAMS.compute or None,
        )
        Membership.objects.create(team=team, user=owner, role=Role.OWNER)
        record(team, Did.TEAM_CREATED, owner)
    return team


def rename_team(team: Team, name: str, *, by: User) -> None:
    """Call the team `name`; for its owner."""
    _check_manages(by, team)
    name = _checked_name(name)
    if name == team.name:
        return
    with transaction.atomic():
        record(team, Did.TEAM_RENAMED, by, subject=name, detail=f"It was called {team.name}.")
        team.name = name
        team.save(update_fields=["name"])


def delete_team(team: Team, *, by: User) -> None:
    """Delete the team with its pictures and everything that belongs to them; for its owner."""
    _check_manages(by, team)
    with transaction.atomic():
        members = list(_others(team, by))
        for each in members:
            notify(each.user, Kind.TEAM, f"{by} deleted the team {team.name}.", url=reverse("teams:list"), actor=by)
            _rights_changed(each.user_id)
        team.delete()


def change_role(membership: Membership, role: str, *, by: User) -> None:
    """Give a member another role; for the team's owner. Ownership goes by `hand_over` only."""
    team = membership.team
    _check_manages(by, team)
    if role not in Role.values or role == Role.OWNER:
        raise Refusal("bad_role", "A member can be an editor, a reviewer or a viewer.", status=422)
    if membership.role == Role.OWNER:
        raise Refusal("is_owner", "The owner's role cannot be changed; hand the team over first.", status=409)
    if membership.role == role:
        return
    with transaction.atomic():
        changed = Membership.objects.filter(pk=membership.pk).exclude(role=Role.OWNER).update(role=role)
        if not changed:
            raise not_found()
        membership.role = role
        record(team, Did.ROLE_CHANGED, by, subject=str(membership.user), detail=f"Now {ARTICLE[Role(role)]}.")
        text = f"{by} made you {ARTICLE[Role(role)]} of {team.name}."
        notify(membership.user, Kind.TEAM, text, url=team_url(team), actor=by)


def remove_member(membership: Membership, *, by: User) -> None:
    """Take somebody out of the team; for its owner. What they brought stays with the team."""
    team = membership.team
    _check_manages(by, team)
    with transaction.atomic():
        _end(membership)
        record(team, Did.REMOVED, by, subject=str(membership.user))
        text = f"{by} removed you from {team.name}."
        notify(membership.user, Kind.TEAM, text, url=reverse("teams:list"), actor=by)


def leave_team(team: Team, user: User) -> None:
    """Leave; what `user` brought stays with the team. An owner hands the team over, or deletes it, first."""
    membership: Membership | None = team.memberships.filter(user=user).first()
    if membership is None:
        raise not_found()
    with transaction.atomic():
        _end(membership)
        record(team, Did.LEFT, user)
        owner: Membership | None = team.memberships.select_related("user").filter(role=Role.OWNER).first()
        if owner is not None:
            notify(owner.user, Kind.TEAM, f"{user} left {team.name}.", url=team_url(team), actor=user)


def hand_over(team: Team, to: Membership, *, by: User) -> None:
    """Make another member the owner; who was it becomes an editor."""
    _check_manages(by, team)
    if to.team_id != team.pk:
        raise not_found()
    if to.user_id == by.pk:
        return
    with transaction.atomic():
        # One after the other: at no moment may there be two owners.
        stepped_down = Membership.objects.filter(team=team, user=by, role=Role.OWNER).update(role=Role.EDITOR)
        risen = Membership.objects.filter(pk=to.pk).update(role=Role.OWNER)
        if not (stepped_down and risen):
            raise Refusal("try_again", "The team changed at this moment. Look at it again.", status=409)
        record(team, Did.OWNERSHIP, by, subject=str(to.user))
        notify(to.user, Kind.TEAM, f"{by} made you the owner of {team.name}.", url=team_url(team), actor=by)


def move_pictures(user: User, ids: Collection[UUID], to: Team | None) -> int:
    """Move pictures to a team, or with None to one's own; returns how many were moved.

    All of them go or none does. A picture that is taken out of a team becomes the mover's; in a team it keeps who
    brought it. Raises `Refusal`: unknown to the mover (404), no right there or here (403), no room (413), too many at
    once (422).
    """
    if len(ids) > MOST_MOVED:
        raise Refusal("too_many", f"At most {MOST_MOVED} pictures can be moved at a time.", status=422)
    if not policies.can_add(user, to):
        raise policies.forbidden() if policies.role_in(user, to) else not_found()
    with transaction.atomic():
        found = Picture.objects.visible_to(user).filter(pk__in=ids).select_related("team").order_by("pk")
        pictures: list[Picture] = list(found.select_for_update(of=("self",)))
        if len(pictures) != len(set(ids)):
            raise not_found()
        for picture in pictures:
            policies.require(policies.can_delete, user, picture)
        moving = [picture for picture in pictures if picture.team_id != (to.pk if to else None)]
        _check_room(user, to, moving)
        for picture in moving:
            _move(user, picture, to)
    return len(moving)


def team_url(team: Team) -> str:
    """The team's page."""
    return reverse("teams:team", args=[team.pk])


def _move(user: User, picture: Picture, to: Team | None) -> None:
    came_from = picture.team
    picture.team = to
    if to is None:
        picture.owner = user
    # Not `save()`: to be moved is no change of the picture, and would put it first in every list.
    Picture.objects.filter(pk=picture.pk).update(team=picture.team, owner=picture.owner)
    if came_from is not None:
        record(
            came_from, Did.PICTURE_MOVED_OUT, user, subject=picture.title, detail=f"To {to or 'their own pictures'}."
        )
        members = set(came_from.memberships.values_list("user", flat=True))
        members -= set(to.memberships.values_list("user", flat=True)) if to else {user.pk}
        Draft.objects.filter(picture=picture, owner__in=members).delete()
        for member in members:
            _rights_changed(member)
    record(to, Did.PICTURE_MOVED_IN, user, picture=picture, detail=f"From {came_from}." if came_from else "")


def _check_room(user: User, to: Team | None, pictures: Collection[Picture]) -> None:
    size = Version.objects.filter(picture__in=pictures).order_by().aggregate(total=Sum("bytes"))["total"]
    if size:
        quotas.check_storage(user, to, size, lock=True)


def _end(membership: Membership) -> None:
    """End a membership, unless it is the owner's; drafts of pictures that one cannot see any more go too."""
    removed, _ = Membership.objects.filter(pk=membership.pk).exclude(role=Role.OWNER).delete()
    if not removed:
        raise Refusal(
            "is_owner", "The owner cannot leave; hand the team over to somebody first, or delete it.", status=409
        )
    Draft.objects.filter(owner=membership.user_id, picture__team=membership.team_id).delete()
    _rights_changed(membership.user_id)


def _rights_changed(user_id: UUID) -> None:
    transaction.on_commit(lambda: events.rights_changed(user_id), robust=True)


def _others(team: Team, user: User) -> Collection[Membership]:
    others: Collection[Membership] = team.memberships.select_related("user").exclude(user=user)
    return others


def _check_manages(user: User, team: Team) -> None:
    if policies.can_manage(user, team):
        return
    raise policies.forbidden() if policies.role_in(user, team) else not_found()


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise Refusal("no_name", "A team needs a name.", status=422)
    if len(name) > LONGEST_TEAM_NAME or not name.isprintable():
        raise Refusal("bad_name", f"A team's name has at most {LONGEST_TEAM_NAME} printable characters.", status=422)
    return name
