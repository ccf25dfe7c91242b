"""The team's feed: what is written there when something happens."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from webapp.teams.models import Activity, Team

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.photos.models import Picture

_LONGEST = 300


def record(
    team: Team | UUID | None,
    kind: Activity.Kind,
    actor: User | None,
    *,
    picture: Picture | None = None,
    subject: str = "",
    detail: str = "",
) -> None:
    """Add to the team's feed that `actor` did `kind`; nothing happens without a team, as for one's own pictures.

    `subject` is what or who it was done to, in words; a picture's title when it is left out.
    """
    if team is None:
        return
    Activity.objects.create(
        team_id=team.pk if isinstance(team, Team) else team,
        kind=kind,
        actor=actor,
        actor_name=(str(actor) if actor else "Somebody")[:_LONGEST],
        picture=picture,
        subject=(subject or (picture.title if picture else ""))[:_LONGEST],
        detail=detail[:_LONGEST],
    )
