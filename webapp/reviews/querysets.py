"""Who may read which comments and ballots: whoever sees the picture reads its comments; a ballot is its voter's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from webapp.accounts.models import User


class CommentQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Comments on pictures that `user` may open."""
        from webapp.photos.models import Version

        return self.filter(version__in=Version.objects.visible_to(user))


class BallotQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Ballots that were drawn for `user`, on pictures that they may still open."""
        from webapp.photos.models import Picture

        if not user.is_authenticated:
            return self.none()
        return self.filter(voter=user, picture__in=Picture.objects.visible_to(user))

    def cast(self) -> Self:
        """Those with a choice."""
        return self.exclude(choice="")
