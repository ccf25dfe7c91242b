"""Jobs: the database is the truth about what is to be filled or selected, for whom, and how far it is."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from webapp.jobs.querysets import BatchQuerySet, JobQuerySet, WorkerQuerySet


class Job(models.Model):
    """One request to fill one mask of one version, or to select from one stroke on it.

    Only `webapp.jobs.states` writes `status`.
    """

    class Kind(models.TextChoices):
        FILL = "fill"
        SELECT_OBJECT = "select-object", "Object selection"
        SELECT_TEXT = "select-text", "Text selection"

    class Status(models.TextChoices):
        HELD = "held"
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Queue(models.TextChoices):
        INTERACTIVE = "interactive"
        BATCH = "batch"
        MAINTENANCE = "maintenance"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs")
    picture = models.ForeignKey("photos.Picture", on_delete=models.CASCADE, related_name="jobs")
    source = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.FILL)
    mask = models.ForeignKey(
        "photos.Mask", on_delete=models.CASCADE, related_name="jobs", help_text="The hole, or a selection's stroke."
    )
    result = models.OneToOneField(
        "photos.Version", on_delete=models.SET_NULL, null=True, blank=True, related_name="made_by"
    )
    selection = models.ForeignKey(
        "photos.Mask",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="selected_by",
        help_text="What a selection found.",
    )
    model = models.CharField(max_length=40, blank=True, help_text="Empty for selections.")
    params = models.JSONField(default=dict, blank=True)
    seed = models.BigIntegerField(default=0)
    fingerprint = models.CharField(max_length=64, help_text="Hash of what is asked for; equal requests share it.")

    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    queue = models.CharField(max_length=12, choices=Queue, default=Queue.INTERACTIVE)
    priority = models.SmallIntegerField(default=0, help_text="Higher runs first.")
    attempt = models.PositiveSmallIntegerField(default=0, help_text="How often a worker has begun it.")
    handed_back = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts given back unfinished by a worker told to stop; they do not count as failures."
    )
    worker = models.CharField(max_length=120, blank=True)
    together = models.PositiveSmallIntegerField(
        default=1, help_text="How many jobs its worker computes at once with it, itself included."
    )
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True, help_text="A sentence for the person who asked.")
    traceback = models.TextField(blank=True, help_text="For staff.")

    stage = models.CharField(max_length=120, blank=True)
    fraction = models.FloatField(default=0.0, help_text="0 to 1.")
    steps_done = models.PositiveIntegerField(null=True, blank=True)
    steps_total = models.PositiveIntegerField(null=True, blank=True)
    seconds_left = models.FloatField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    timings = models.JSONField(default=dict, blank=True, help_text="Seconds by stage, of the last attempt.")

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["status", "queue", "-priority", "owner", "created_at", "id"], name="job_claim_order"),
            models.Index(fields=["owner", "status"], name="job_of_owner_by_status"),
            models.Index(fields=["owner", "-started_at"], name="job_last_turn_of_owner"),
            models.Index(fields=["status", "heartbeat_at"], name="job_heartbeat"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner", "fingerprint"],
                condition=models.Q(status__in=["held", "queued", "running"]),
                name="one_active_job_per_request",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model or self.kind} {self.status} {self.id}"

    @property
    def is_fill(self) -> bool:
        """Whether a version is to be made, not a selection."""
        return self.kind == self.Kind.FILL


class Batch(models.Model):
    """One mask of one version given to several models. A job that was under way already may be part of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="batches")
    picture = models.ForeignKey("photos.Picture", on_delete=models.CASCADE, related_name="batches")
    source = models.ForeignKey("photos.Version", on_delete=models.CASCADE, related_name="batches")
    mask = models.ForeignKey("photos.Mask", on_delete=models.CASCADE, related_name="batches")
    jobs = models.ManyToManyField(Job, related_name="batches")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        indexes: ClassVar = [models.Index(fields=["picture", "created_at"], name="batch_of_picture")]

    def __str__(self) -> str:
        return f"batch {self.id}"


class Transition(models.Model):
    """One change of a job's status, as it happened."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="transitions")
    from_status = models.CharField(max_length=12, blank=True)
    to_status = models.CharField(max_length=12)
    attempt = models.PositiveSmallIntegerField(default=0)
    actor = models.CharField(max_length=120, help_text="A worker's name, a user's id, or “sweep”.")
    reason = models.CharField(max_length=300, blank=True)
    # The database's clock, like all times of a job's life: the clocks of several machines need not agree.
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} → {self.to_status}"


class WorkerSeen(models.Model):
    """The last sign of life of each worker process."""

    name = models.CharField(max_length=120, primary_key=True)
    device = models.CharField(max_length=60, blank=True)
    queues = models.CharField(max_length=120, blank=True)
    abilities = models.JSONField(default=list, blank=True, help_text="What it can select: object, text.")
    loaded = models.JSONField(default=dict, blank=True, help_text="Loaded models: key and bytes of their weights.")
    memory = models.PositiveBigIntegerField(default=0, help_text="Bytes of main memory that the process holds.")
    card_memory = models.PositiveBigIntegerField(default=0, help_text="Bytes of its graphics card's memory it holds.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
