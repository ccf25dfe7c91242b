"""Pictures, their versions, the masks painted on them, and what was made along with them."""

from __future__ import annotations

import uuid
from pathlib import PurePath
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from webapp.photos.folding import fold
from webapp.photos.querysets import DraftQuerySet, FindingQuerySet, MaskQuerySet, PictureQuerySet, VersionQuerySet

LONGEST_NAME, LONGEST_TITLE = 60, 120
"""Of an overlay."""


def unguessable_path(instance: models.Model, filename: str) -> str:
    """A storage path that says nothing about the picture and cannot be guessed: ``version/3f/3f9c….png``."""
    name = uuid.uuid4().hex
    kind = instance._meta.model_name
    return f"{kind}/{name[:2]}/{name}{PurePath(filename).suffix.lower()}"


class Picture(models.Model):
    """What a person uploaded, with every version made from it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pictures")
    """Whose it is; for a picture of a team who brought it, which gives no rights."""
    team = models.ForeignKey("teams.Team", on_delete=models.CASCADE, null=True, blank=True, related_name="pictures")
    """Empty for a person's own picture."""
    title = models.CharField(max_length=200)
    title_folded = models.CharField(
        max_length=200, blank=True, editable=False, help_text="The title as it is searched and sorted by."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    trashed_at = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="When it was put into the trash; empty for all others."
    )

    objects = PictureQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-changed_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["owner", "-changed_at", "-id"]),
            models.Index(fields=["team", "-changed_at", "-id"], name="picture_of_team"),
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the folded title in step with the title."""
        self.title_folded = fold(self.title)
        fields = kwargs.get("update_fields")
        if fields is not None and "title" in fields:
            kwargs["update_fields"] = {*fields, "title_folded"}
        super().save(*args, **kwargs)


class Mask(models.Model):
    """A hole: 8-bit PNG of the picture's displayed size, 255 = hole."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    picture = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="masks")
    file = models.FileField(upload_to=unguessable_path, max_length=200)
    sha256 = models.CharField(max_length=64)
    hole_pixels = models.PositiveBigIntegerField()
    hole_share = models.FloatField(help_text="Hole pixels over all pixels, 0 to 1.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MaskQuerySet.as_manager()

    def __str__(self) -> str:
        return f"mask {self.hole_share:.1%}"


class Version(models.Model):
    """One state of a picture: the upload itself (no parent) or the result of a job."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    picture = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="versions")
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="children")
    mask = models.ForeignKey(Mask, on_delete=models.SET_NULL, null=True, blank=True, related_name="versions")
    file = models.FileField(upload_to=unguessable_path, max_length=200)
    bytes = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField(help_text="As displayed, after EXIF orientation.")
    height = models.PositiveIntegerField()
    upload_format = models.CharField(max_length=12, help_text="Format of the original upload: JPEG, PNG, …")
    model = models.CharField(max_length=40, blank=True)
    params = models.JSONField(default=dict, blank=True)
    seed = models.BigIntegerField(null=True, blank=True)
    timings = models.JSONField(default=dict, blank=True, help_text="Seconds by stage.")
    proof = models.JSONField(
        default=dict, blank=True, help_text="The check that pixels outside the mask are unchanged."
    )
    notes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return f"{self.picture} ({self.model or 'original'})"

    @property
    def is_upload(self) -> bool:
        """Whether this is the file as it was uploaded, not a result."""
        return self.parent_id is None


class Rendition(models.Model):
    """A derived file for display, made once and keyed by its version and spec."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="renditions")
    spec = models.CharField(max_length=20)
    file = models.FileField(upload_to=unguessable_path, max_length=200)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "spec"], name="one_rendition_per_version_and_spec")
        ]

    def __str__(self) -> str:
        return f"{self.spec} of {self.version_id}"


class Draft(models.Model):
    """A person's mask in progress: one a picture, whatever version it was painted on."""

    picture = models.ForeignKey(Picture, on_delete=models.CASCADE, related_name="drafts")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="drafts")
    file = models.FileField(upload_to=unguessable_path, max_length=200)
    sent_sha256 = models.CharField(max_length=64, help_text="Of the file as it was sent.")
    sha256 = models.CharField(max_length=64, help_text="Of the hole, as a mask's.")
    updated_at = models.DateTimeField()

    objects = DraftQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["picture", "owner"], name="one_draft_per_picture_and_person")
        ]

    def __str__(self) -> str:
        return f"draft on {self.version_id}"


class Finding(models.Model):
    """Something that a model reported with its result, and the part of the photo it belongs to, in photo pixels."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.FileField(upload_to=unguessable_path, max_length=200)
    left = models.PositiveIntegerField()
    top = models.PositiveIntegerField()
    right = models.PositiveIntegerField()
    bottom = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField(help_text="Order in which to show them.")

    objects = FindingQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering: ClassVar = ["position"]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.position}"

    @property
    def box(self) -> tuple[int, int, int, int]:
        """left, top, right, bottom; right and bottom are excluded."""
        return self.left, self.top, self.right, self.bottom


class Overlay(Finding):
    """A picture of what happened inside a model, stretched over its box."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="overlays")
    name = models.CharField(max_length=LONGEST_NAME)
    title = models.CharField(max_length=LONGEST_TITLE)


class SourceMap(Finding):
    """Where the content of one crop's hole was taken from; the format is in `inpainting.imaging.source_maps`."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="sources")
    width = models.PositiveIntegerField(help_text="Cells in a row, stretched over the box.")
    height = models.PositiveIntegerField()
    patch = models.PositiveIntegerField(help_text="Side of the copied patches in photo pixels.")
