"""Who may see which picture: one rule, used by lists, details, files and sockets alike.

What somebody may *do* with a picture that they see is decided by `webapp.teams.policies`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import functions

from webapp.teams.querysets import teams_of

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.teams.models import Team


def seen_by(user: User | AnonymousUser, path: str = "") -> models.Q:
    """The rule, for rows that reach their picture by `path` (``"picture"``, ``"version__picture"``; empty: pictures).

    A person's own pictures, and those of the teams that they are a member of; none that lies in the trash. Only for
    somebody who is signed in.
    """
    prefix = f"{path}__" if path else ""
    own = models.Q(**{f"{prefix}team": None, f"{prefix}owner": user.pk})
    return (own | models.Q(**{f"{prefix}team__in": teams_of(user)})) & models.Q(**{f"{prefix}trashed_at": None})


def thrown_away_by(user: User | AnonymousUser, path: str = "") -> models.Q:
    """Rows of pictures in the trash that `user` may bring back: their own, and those of teams in which they may delete.

    `path` as in `seen_by`. Only for somebody who is signed in.
    """
    from webapp.teams.models import Membership
    from webapp.teams.policies import EDIT

    prefix = f"{path}__" if path else ""
    teams = Membership.objects.order_by().filter(user=user.pk, role__in=EDIT).values("team")
    own = models.Q(**{f"{prefix}team": None, f"{prefix}owner": user.pk})
    return (own | models.Q(**{f"{prefix}team__in": teams})) & models.Q(**{f"{prefix}trashed_at__isnull": False})


class PictureQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Pictures that `user` may open: their own and their teams'; nothing for somebody who is not signed in."""
        return self.filter(seen_by(user)) if user.is_authenticated else self.none()

    def in_trash_of(self, user: User | AnonymousUser) -> Self:
        """Pictures in the trash that `user` may bring back or erase."""
        return self.filter(thrown_away_by(user)) if user.is_authenticated else self.none()

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """“My pictures”: those of `user` alone."""
        return self.filter(owner=user, team=None, trashed_at=None) if user.is_authenticated else self.none()

    def of_team(self, team: Team) -> Self:
        """The team's gallery; whether somebody may see it is `visible_to`."""
        return self.filter(team=team, trashed_at=None)

    def for_cards(self) -> Self:
        """With what a card shows: `version_count`, and the latest version's id, width and height (`latest_…`).

        For the few pictures of a page: each of these is looked up for every row.
        """
        from webapp.photos.models import Version

        rows = Version.objects.filter(picture=models.OuterRef("pk"))
        latest = rows.order_by("-created_at", "-id")
        counted = rows.order_by().values("picture").annotate(number=models.Count("pk"))
        return self.annotate(
            version_count=functions.Coalesce(models.Subquery(counted.values("number")), 0),
            latest_id=models.Subquery(latest.values("id")[:1]),
            latest_width=models.Subquery(latest.values("width")[:1]),
            latest_height=models.Subquery(latest.values("height")[:1]),
        )


class PartOfPictureQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Parts of the pictures that `user` may open."""
        return self.filter(seen_by(user, "picture")) if user.is_authenticated else self.none()


class MaskQuerySet(PartOfPictureQuerySet):
    pass


class VersionQuerySet(PartOfPictureQuerySet):
    def small_for(self, user: User | AnonymousUser) -> Self:
        """Versions that `user` may have as small pictures: also those in the trash, so that one sees what is there."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(seen_by(user, "picture") | thrown_away_by(user, "picture"))


class FindingQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What models reported about the pictures that `user` may open."""
        return self.filter(seen_by(user, "version__picture")) if user.is_authenticated else self.none()


class DraftQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Drafts that `user` painted, on pictures that they may open."""
        return self.filter(seen_by(user, "picture"), owner=user) if user.is_authenticated else self.none()
