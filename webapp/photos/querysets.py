"""Who may see which picture: one rule, used by lists, details, files and sockets alike.

What somebody may *do* with a picture that they see is decided by `webapp.teams.policies`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

from webapp.teams.querysets import teams_of

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.teams.models import Team


def seen_by(user: User | AnonymousUser, path: str = "") -> models.Q:
    """The rule, for rows that reach their picture by `path` (``"picture"``, ``"version__picture"``; empty: pictures).

    A person's own pictures, and those of the teams that they are a member of. Only for somebody who is signed in.
    """
    prefix = f"{path}__" if path else ""
    own = models.Q(**{f"{prefix}team": None, f"{prefix}owner": user.pk})
    return own | models.Q(**{f"{prefix}team__in": teams_of(user)})


class PictureQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Pictures that `user` may open: their own and their teams'; nothing for somebody who is not signed in."""
        return self.filter(seen_by(user)) if user.is_authenticated else self.none()

    def owned_by(self, user: User | AnonymousUser) -> Self:
        """“My pictures”: those of `user` alone."""
        return self.filter(owner=user, team=None) if user.is_authenticated else self.none()

    def of_team(self, team: Team) -> Self:
        """The team's gallery; whether somebody may see it is `visible_to`."""
        return self.filter(team=team)

    def for_cards(self) -> Self:
        """With what a card shows: `version_count`, and the latest version's id, width and height (`latest_…`)."""
        from webapp.photos.models import Version

        latest = Version.objects.filter(picture=models.OuterRef("pk")).order_by("-created_at", "-id")
        return self.annotate(
            version_count=models.Count("versions"),
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
    pass


class FindingQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What models reported about the pictures that `user` may open."""
        return self.filter(seen_by(user, "version__picture")) if user.is_authenticated else self.none()


class DraftQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Drafts that `user` painted, on pictures that they may open."""
        return self.filter(seen_by(user, "picture"), owner=user) if user.is_authenticated else self.none()
