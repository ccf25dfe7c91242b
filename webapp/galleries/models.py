"""What people add to pictures to find them again: tags for everybody who sees the picture, favourites for oneself."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.photos.folding import LONGEST_FOLDED

LONGEST_TAG = 40
MOST_TAGS = 30
"""On one picture."""


class Tag(models.Model):
    """One word or short phrase on one picture. It has no life of its own: it goes where its picture goes."""

    picture = models.ForeignKey("photos.Picture", on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=LONGEST_TAG)
    folded = models.CharField(max_length=LONGEST_FOLDED, help_text="As it is searched and compared.")

    class Meta:
        ordering: ClassVar = ["folded"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["picture", "folded"], name="one_tag_per_picture_and_name")
        ]
        indexes: ClassVar = [models.Index(fields=["folded", "picture"], name="tag_by_name")]

    def __str__(self) -> str:
        return self.name


class Favourite(models.Model):
    """A picture that one person marked for themselves; nobody else sees it."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="favourites")
    picture = models.ForeignKey("photos.Picture", on_delete=models.CASCADE, related_name="favourites")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "picture"], name="one_favourite_per_person_and_picture")
        ]

    def __str__(self) -> str:
        return f"favourite {self.picture_id}"
