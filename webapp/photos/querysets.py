"""Who may see which picture: one rule, used by lists, details, files and sockets alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from webapp.accounts.models import User


class PictureQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Pictures that `user` may open: their own; nothing for somebody who is not signed in."""
        return self.filter(owner=user) if user.is_authenticated else self.none()

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


class _PartOfPicture(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Parts of the pictures that `user` may open."""
        return self.filter(picture__owner=user) if user.is_authenticated else self.none()


class MaskQuerySet(_PartOfPicture):
    pass


class VersionQuerySet(_PartOfPicture):
    pass
