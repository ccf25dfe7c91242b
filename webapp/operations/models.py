"""What operating the studio leaves behind: who did what, what each attempt cost, which workers are to rest.

No row here refers to another app's rows by a foreign key: what happened stays on record when a picture, a job or an
account is deleted, and nothing here imports the job machinery, which writes these rows.
"""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.db import models


class AppendOnly(Exception):
    """The audit log can be added to and read, nothing else."""


_APPEND_ONLY = "Entries of the audit log can neither be changed nor removed."


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Reads and adds. Triggers in the database refuse the rest also to those who go around this class."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly(_APPEND_ONLY)

    def delete(self) -> NoReturn:
        raise AppendOnly(_APPEND_ONLY)

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly(_APPEND_ONLY)

    def about(self, text: str) -> AuditQuerySet:
        """Entries in which `text` stands anywhere."""
        wanted = models.Q()
        for field in ("actor_name", "action", "target", "target_name", "reason", "details"):
            wanted |= models.Q(**{f"{field}__icontains": text})
        return self.filter(wanted)


class AuditEntry(models.Model):
    """One thing that one of the staff did."""

    class Action(models.TextChoices):
        HOLD = "hold", "held a job"
        RELEASE = "release", "released a job"
        CANCEL = "cancel", "cancelled a job"
        RETRY = "retry", "retried a job"
        PRIORITY = "priority", "changed a priority"
        APPROVE = "approve", "approved a job"
        REJECT = "reject", "rejected a job"
        DRAIN = "drain", "drained a worker"
        RESUME = "resume", "resumed a worker"
        EXPORT = "export", "exported jobs"

    at = models.DateTimeField(auto_now_add=True)
    actor = models.UUIDField(help_text="Id of the account.")
    actor_name = models.CharField(max_length=300, help_text="As it was called at that time.")
    action = models.CharField(max_length=12, choices=Action)
    target = models.CharField(max_length=120, blank=True, help_text="Id of the job, name of the worker.")
    target_name = models.CharField(max_length=300, blank=True, help_text="In words, as it was at that time.")
    reason = models.CharField(max_length=300, blank=True)
    details = models.CharField(max_length=300, blank=True, help_text="What was before and after.")

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="audit_latest_first"),
            models.Index(fields=["target"], name="audit_of_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.get_action_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add a new entry; raises `AppendOnly` for one that is stored already."""
        if not self._state.adding:
            raise AppendOnly(_APPEND_ONLY)
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Never: raises `AppendOnly`."""
        raise AppendOnly(_APPEND_ONLY)


class Attempt(models.Model):
    """What one attempt of one job cost, and how it ended. Written when the job leaves *running*, never changed."""

    job = models.UUIDField(help_text="Id of the job, which may be gone by now.")
    owner = models.UUIDField(help_text="Id of the account that asked.")
    number = models.PositiveSmallIntegerField(help_text="1 for the job's first attempt.")
    model = models.CharField(max_length=40)
    queue = models.CharField(max_length=12)
    worker = models.CharField(max_length=120, blank=True)
    device = models.CharField(max_length=60, blank=True)
    photo_pixels = models.PositiveBigIntegerField()
    hole_pixels = models.PositiveBigIntegerField()
    size_class = models.PositiveSmallIntegerField(help_text="See `webapp.operations.attempts.size_class`.")
    outcome = models.CharField(max_length=12, help_text="The status the job got; “queued” when it was taken back.")
    error_code = models.CharField(max_length=40, blank=True)
    wait_seconds = models.FloatField(help_text="From being queued to the start.")
    run_seconds = models.FloatField(
        help_text="From the start to the end; of jobs computed together each has its share."
    )
    ended_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["ended_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["ended_at"], name="attempt_by_end"),
            models.Index(fields=["owner", "ended_at"], name="attempt_of_owner"),
            models.Index(fields=["model", "outcome", "-ended_at"], name="attempt_measured"),
            models.Index(fields=["job"], name="attempt_of_job"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.job}: {self.outcome}"


class DrainedNode(models.Model):
    """A worker that is to claim nothing. It stays so over restarts until it is resumed."""

    node = models.CharField(max_length=120, primary_key=True, help_text="A worker's name without its process id.")
    since = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=300)

    def __str__(self) -> str:
        return self.node


class Retry(models.Model):
    """Which job one of the staff had done again as which other."""

    job = models.UUIDField(primary_key=True, help_text="Id of the new job.")
    original = models.UUIDField(db_index=True, help_text="Id of the job that was done again.")

    class Meta:
        verbose_name_plural = "retries"

    def __str__(self) -> str:
        return f"{self.job}, again {self.original}"
