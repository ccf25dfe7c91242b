"""Teams: who belongs to them, who is asked in, what they may use, and what happened in them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

from webapp.teams.querysets import ActivityQuerySet, InvitationQuerySet, MembershipQuerySet, TeamQuerySet

LONGEST_TEAM_NAME = 80


class Role(models.TextChoices):
    """What a member may do. Each role may do what those after it may; the rules are in `webapp.teams.policies`."""

    OWNER = "owner"
    EDITOR = "editor"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


class Team(models.Model):
    """People who share pictures. A picture of a team belongs to the team, not to the person who brought it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=LONGEST_TEAM_NAME)
    plan = models.CharField(max_length=40, blank=True, help_text="What the site calls the team's conditions.")
    weight = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="Turns in the queue for each turn of a weight of 1."
    )
    storage_quota = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Bytes that the team's pictures may take up; empty for no limit."
    )
    gpu_seconds_quota = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Seconds that the team's jobs may run within 30 days; empty for no limit."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="teams")

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person in one team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["joined_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team_and_person"),
            models.UniqueConstraint(fields=["team"], condition=models.Q(role=Role.OWNER), name="one_owner_per_team"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"


class Invitation(models.Model):
    """A way into a team: one message to one address, or a link for several people. Only the token's hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=8, choices=[choice for choice in Role.choices if choice[0] != Role.OWNER])
    email = models.EmailField(blank=True, help_text="Empty for a link, which several people may use.")
    token_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, hexadecimal.")
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="invitations_sent"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    uses = models.PositiveIntegerField(default=0, help_text="How many people came in by it.")

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"invitation of {self.email or 'whoever has the link'} to {self.team}"


class Activity(models.Model):
    """One entry of a team's feed. Names are kept as they were, so that the feed outlives people and pictures."""

    class Kind(models.TextChoices):
        TEAM_CREATED = "team-created", "created the team"
        TEAM_RENAMED = "team-renamed", "renamed the team"
        INVITED = "invited", "invited"
        INVITATION_REVOKED = "invitation-revoked", "took back the invitation of"
        JOINED = "joined", "joined as"
        LEFT = "left", "left the team"
        REMOVED = "removed", "removed"
        ROLE_CHANGED = "role-changed", "changed the role of"
        OWNERSHIP = "ownership", "handed the team over to"
        PICTURE_ADDED = "picture-added", "added"
        PICTURE_MOVED_IN = "picture-moved-in", "moved in"
        PICTURE_MOVED_OUT = "picture-moved-out", "moved out"
        PICTURE_DELETED = "picture-deleted", "deleted"
        PICTURE_RESTORED = "picture-restored", "brought back"
        FILLED = "filled", "made a new version of"
        COMMENTED = "commented", "commented on"
        REVIEWED = "reviewed", "reviewed"
        SHARED = "shared", "shared"
        UNSHARED = "unshared", "stopped sharing"
        VOTED = "voted", "voted on"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="activities")
    kind = models.CharField(max_length=20, choices=Kind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    actor_name = models.CharField(max_length=300)
    picture = models.ForeignKey(
        "photos.Picture", on_delete=models.SET_NULL, null=True, blank=True, related_name="activities"
    )
    subject = models.CharField(max_length=300, blank=True, help_text="What or who it was done to, in words.")
    detail = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    objects = ActivityQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        verbose_name_plural = "activities"
        indexes: ClassVar = [models.Index(fields=["team", "-at", "-id"], name="activity_of_team")]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.get_kind_display()} {self.subject}".strip()


class ComputeUse(models.Model):
    """What one attempt of a job on a team's picture took of the team's quota. It outlives picture, job and person."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="compute_uses")
    job = models.UUIDField(help_text="Id of the job, which may be gone by now.")
    user = models.UUIDField(help_text="Id of the account that asked.")
    seconds = models.FloatField()
    ended_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["ended_at", "id"]
        indexes: ClassVar = [models.Index(fields=["team", "ended_at"], name="compute_use_of_team")]

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s of {self.team}"
