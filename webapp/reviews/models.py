"""What a team says about its results: verdicts, comments, and blind votes between two models."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.reviews.querysets import BallotQuerySet, CommentQuerySet

LONGEST_NOTE = 500
LONGEST_COMMENT = 4000


class Verdict(models.Model):
    """What one reviewer holds of one version; deciding again replaces it."""

    class State(models.TextChoices):
        APPROVED = "approved"
        CHANGES = "changes", "changes wanted"

    picture = models.ForeignKey("photos.Picture", on_delete=models.CASCADE, related_name="verdicts")
    version = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="verdicts")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="verdicts",
        help_text="Empty when the account is deleted: what was approved stays approved.",
    )
    state = models.CharField(max_length=10, choices=State)
    note = models.CharField(max_length=LONGEST_NOTE, blank=True)
    decided_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-decided_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["version", "reviewer"], name="one_verdict_per_version_and_reviewer")
        ]
        indexes: ClassVar = [models.Index(fields=["picture", "-decided_at", "-id"], name="verdict_newest_of_picture")]

    def __str__(self) -> str:
        return f"{self.state} {self.version_id}"


class Comment(models.Model):
    """A remark on a version, or an answer to one; the first of a thread may point at a spot of the photo."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="comments",
        help_text="Empty when the account is deleted: the answers of others would lose what they answer.",
    )
    thread = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="answers", help_text="Its first comment."
    )
    text = models.TextField(max_length=LONGEST_COMMENT)
    x = models.FloatField(null=True, blank=True, help_text="In pixels of the photo, from the left.")
    y = models.FloatField(null=True, blank=True, help_text="In pixels of the photo, from the top.")
    mentions = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="mentioned_in", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="Of a thread's first comment.")
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="settled_threads"
    )

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(x__isnull=True, y__isnull=True) | models.Q(x__isnull=False, y__isnull=False),
                name="comment_spot_is_whole",
            )
        ]

    def __str__(self) -> str:
        return f"comment {self.id}"


class Ballot(models.Model):
    """Two results of one hole, shown to one person without names; the order was drawn when the ballot was made."""

    class Choice(models.TextChoices):
        FIRST = "first"
        SECOND = "second"
        NEITHER = "neither", "no difference"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    voter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="ballots",
        help_text="Empty when the account is deleted; the vote still counts.",
    )
    picture = models.ForeignKey("photos.Picture", on_delete=models.CASCADE, related_name="ballots")
    first = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="ballots_as_first")
    second = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="ballots_as_second")
    pair = models.CharField(max_length=73, help_text="Both versions' ids in order, so that no pair is asked twice.")
    choice = models.CharField(max_length=8, choices=Choice, blank=True, help_text="Empty until it is cast.")
    drawn_at = models.DateTimeField(auto_now_add=True)
    cast_at = models.DateTimeField(null=True, blank=True)

    objects = BallotQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["voter", "pair"], name="one_ballot_per_person_and_pair")
        ]

    def __str__(self) -> str:
        return f"ballot {self.id}"
