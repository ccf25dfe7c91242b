"""Writing the audit log: one call, in the transaction of what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webapp.operations.models import AuditEntry

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.jobs.models import Job

_LONGEST = 300


def record(
    staff: User, action: str, *, target: str = "", name: str = "", reason: str = "", details: str = ""
) -> AuditEntry:
    """Add an entry: who, what, on what, why. Call it inside the transaction that changes the thing."""
    return AuditEntry.objects.create(
        actor=staff.pk,
        actor_name=str(staff)[:_LONGEST],
        action=action,
        target=target,
        target_name=name[:_LONGEST],
        reason=reason[:_LONGEST],
        details=details[:_LONGEST],
    )


def record_job(staff: User, action: str, job: Job, *, reason: str = "", details: str = "") -> AuditEntry:
    """Add an entry about a job."""
    return record(
        staff, action, target=str(job.pk), name=f"{job.model} for {job.owner}", reason=reason, details=details
    )
