"""Links that show pictures to people without an account."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from webapp.sharing.querysets import ShareQuerySet

LONGEST_TITLE = 120
MOST_PICTURES = 500
"""Behind one link."""


class Share(models.Model):
    """One link. Its token is known only to whoever was given the address; here lies a hash of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    creator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shares")
    title = models.CharField(max_length=LONGEST_TITLE)
    token_sha256 = models.CharField(max_length=64, unique=True)
    password = models.CharField(max_length=128, blank=True, help_text="A hash; empty when none is asked for.")
    allow_download = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    views = models.PositiveIntegerField(default=0)
    seen_at = models.DateTimeField(null=True, blank=True)

    objects = ShareQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class SharedVersion(models.Model):
    """One picture behind a link: the version to show, and the one before it where there is one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    share = models.ForeignKey(Share, on_delete=models.CASCADE, related_name="items")
    version = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="shared_as")
    before = models.ForeignKey(
        "photos.Version", on_delete=models.CASCADE, null=True, blank=True, related_name="shared_as_before"
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["share", "version"], name="one_item_per_version")]

    def __str__(self) -> str:
        return f"{self.position} of {self.share_id}"
