"""Who may do what with pictures, jobs and teams: the one place that knows roles.

`visible_to` of the querysets decides what somebody *finds*; the functions here decide what they may *do* with it.
Everybody who asks about a single picture (services, views, API, socket, files) asks here.

| | owner of the team | editor | reviewer | viewer | person whose own picture it is | everybody else, staff too |
| --- | --- | --- | --- | --- | --- | --- |
| look, download | yes | yes | yes | yes | yes | no |
| comment, review, vote | yes | yes | yes | no | yes | no |
| fill, draft, tag, rename, add | yes | yes | no | no | yes | no |
| delete, move, share | yes | yes | no | no | yes | no |
| members, invitations, name | yes | no | no | no | | no |

Somebody who created a picture of a team has no rights by that, and whoever leaves the team has none any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from webapp.errors import Refusal, not_found
from webapp.teams.models import Membership, Role, Team

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.jobs.models import Batch, Job
    from webapp.photos.models import Picture

    Somebody = User | AnonymousUser

LOOK = frozenset(Role)
REVIEW = frozenset({Role.OWNER, Role.EDITOR, Role.REVIEWER})
EDIT = frozenset({Role.OWNER, Role.EDITOR})
MANAGE = frozenset({Role.OWNER})


def role_in(user: Somebody, team: Team | UUID | None) -> Role | None:
    """The role of `user` in a team; None for whoever is not a member."""
    if team is None or not user.is_authenticated:
        return None
    pk = team.pk if isinstance(team, Team) else team
    found = Membership.objects.filter(team=pk, user=user).values_list("role", flat=True).first()
    return None if found is None else Role(found)


def can_view(user: Somebody, picture: Picture) -> bool:
    """Open the picture, its versions, masks and previews, and download them."""
    return _may(user, picture, LOOK)


def can_review(user: Somebody, picture: Picture) -> bool:
    """Comment, mark a version approved or to be changed, and vote."""
    return _may(user, picture, REVIEW)


def can_edit(user: Somebody, picture: Picture) -> bool:
    """Fill, select, keep drafts, tag and rename."""
    return _may(user, picture, EDIT)


def can_delete(user: Somebody, picture: Picture) -> bool:
    """Delete the picture, bring it back, or move it elsewhere."""
    return _may(user, picture, EDIT)


def can_share(user: Somebody, picture: Picture) -> bool:
    """Make and revoke links by which others may see the picture."""
    return _may(user, picture, EDIT)


def can_add(user: Somebody, team: Team | UUID | None) -> bool:
    """Bring pictures into the team; None stands for one's own pictures."""
    return team is None or role_in(user, team) in EDIT


def can_share_team(user: Somebody, team: Team | UUID) -> bool:
    """Make and revoke links by which others may see the team's gallery."""
    return role_in(user, team) in EDIT


def can_vote(user: Somebody, team: Team | UUID) -> bool:
    """Take part in the team's blind votes."""
    return role_in(user, team) in REVIEW


def can_manage(user: Somebody, team: Team | UUID) -> bool:
    """Invite, remove, change roles, rename, hand over and delete the team."""
    return role_in(user, team) in MANAGE


def can_cancel(user: Somebody, job: Job | Batch) -> bool:
    """Call a job off, one's own or a colleague's."""
    return can_edit(user, job.picture)


def rights(user: Somebody, picture: Picture) -> dict[str, bool]:
    """What a page or a client wants to know beforehand: edit, review, delete, share. One query at most."""
    if picture.team_id is None:
        mine = can_view(user, picture)
        return dict.fromkeys(("edit", "review", "delete", "share"), mine)
    role = role_in(user, picture.team_id)
    return {"edit": role in EDIT, "review": role in REVIEW, "delete": role in EDIT, "share": role in EDIT}


def require(rule: Callable[[Somebody, Picture], bool], user: Somebody, picture: Picture) -> None:
    """Raise `Refusal`: 404 when `user` may not even see `picture`, 403 when they may but `rule` says no."""
    if rule(user, picture):
        return
    if not can_view(user, picture):
        raise not_found()
    raise forbidden()


def forbidden() -> Refusal:
    """What a member gets whose role does not allow something."""
    return Refusal(
        "forbidden", "Your role in this team does not allow this; ask the team's owner for another role.", status=403
    )


def _may(user: Somebody, picture: Picture, roles: frozenset[Role]) -> bool:
    if not user.is_authenticated:
        return False
    if picture.team_id is None:
        return picture.owner_id == user.pk
    return role_in(user, picture.team_id) in roles
