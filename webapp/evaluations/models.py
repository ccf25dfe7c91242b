"""Evaluations: which photos, holes and models, the units of work, and the files of the report."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.evaluations.querysets import EvaluationQuerySet
from webapp.photos.models import unguessable_path


class Evaluation(models.Model):
    """One comparison of models that a person asked for. Only `webapp.evaluations.states` writes `state`."""

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="evaluations")
    title = models.CharField(max_length=120)
    protocol = models.CharField(max_length=40)
    size = models.CharField(max_length=8, help_text="256, 512 or full.")
    seed = models.BigIntegerField(default=0)
    methods = models.JSONField(help_text="As on the command line: KEY or KEY:NAME=VALUE;NAME=VALUE.")
    teams = models.JSONField(default=list, blank=True, help_text="Ids of the teams whose pictures it is about.")
    state = models.CharField(max_length=12, choices=State, default=State.RUNNING)
    error = models.TextField(blank=True, help_text="A sentence for the person who asked.")
    summary = models.JSONField(null=True, blank=True, help_text="The numbers of the report.")
    share_token = models.CharField(max_length=43, unique=True, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["owner", "-created_at"], name="evaluation_of_owner")]

    def __str__(self) -> str:
        return self.title


class Unit(models.Model):
    """One piece of work: a photo with all its holes and models, or the report at the end."""

    class Kind(models.TextChoices):
        PHOTO = "photo"
        REPORT = "report"

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="units")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.PHOTO)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=160, help_text="The photo's file name.")
    photo = models.FileField(
        upload_to=unguessable_path, max_length=200, blank=True, help_text="Of an upload; empty for one of a gallery."
    )
    version = models.ForeignKey(
        "photos.Version",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The upload of a gallery's picture. It is read, and the right to it asked, when its turn comes.",
    )
    outcome = models.FileField(upload_to=unguessable_path, max_length=200, blank=True, help_text="Rows and results.")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    handed_back = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    stage = models.CharField(max_length=160, blank=True)
    fraction = models.FloatField(default=0.0)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["evaluation", "position"]
        indexes: ClassVar = [
            models.Index(fields=["state", "kind", "evaluation", "position"], name="unit_claim_order"),
            models.Index(fields=["state", "heartbeat_at"], name="unit_heartbeat"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["evaluation", "position"], name="one_unit_per_position")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.position} {self.state}"


class EvaluationFile(models.Model):
    """One file of a finished report: the page, the tables, plots, pictures."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=80)
    content_type = models.CharField(max_length=60)
    file = models.FileField(upload_to=unguessable_path, max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["evaluation", "name"], name="one_file_per_name_and_evaluation")
        ]

    def __str__(self) -> str:
        return self.name
