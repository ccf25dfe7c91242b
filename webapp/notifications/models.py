"""What people are told, and what of it they have read."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from webapp.accounts.models import User


class NotificationQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """One's own."""
        return self.filter(user=user) if user.is_authenticated else self.none()

    def unread(self) -> Self:
        """Those that were neither opened nor marked as read."""
        return self.filter(read_at=None)


class Notification(models.Model):
    """One sentence for one person, and where it leads."""

    class Kind(models.TextChoices):
        INVITATION = "invitation", "Invitation"
        TEAM = "team", "Team"
        JOB = "job", "Job"
        REVIEW = "review", "Review"
        COMMENT = "comment", "Comment"
        MENTION = "mention", "Mention"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=12, choices=Kind)
    text = models.CharField(max_length=300, help_text="A sentence.")
    url = models.CharField(max_length=300, blank=True, help_text="A path on this site.")
    about = models.CharField(
        max_length=80, blank=True, help_text="What it is about, such as a job's id; told only once. Empty: each time."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)
    mail_due = models.BooleanField(default=False, help_text="Is to be sent by e-mail too.")
    mail_tries = models.PositiveSmallIntegerField(default=0)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at", "-id"], name="notification_of_user"),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="notification_unread"),
            models.Index(fields=["created_at"], condition=models.Q(mail_due=True), name="notification_to_mail"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "kind", "about"], condition=~models.Q(about=""), name="told_once_about_the_same"
            )
        ]

    def __str__(self) -> str:
        return self.text
