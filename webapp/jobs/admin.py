"""Jobs and workers for staff: everything to read, and three things to do: hold, release, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from webapp.jobs import services, states
from webapp.jobs.models import Job, Transition, WorkerSeen

if TYPE_CHECKING:
    _TransitionTable = admin.TabularInline[Transition, Job]
    _JobModelAdmin = admin.ModelAdmin[Job]
    _WorkerModelAdmin = admin.ModelAdmin[WorkerSeen]
else:  # generic for the type checker only
    _TransitionTable = admin.TabularInline
    _JobModelAdmin = admin.ModelAdmin
    _WorkerModelAdmin = admin.ModelAdmin


class _ReadOnly:
    """Rows that only the job machinery writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryInline(_ReadOnly, _TransitionTable):
    model = Transition
    extra = 0
    can_delete = False
    fields: ClassVar = ("at", "from_status", "to_status", "attempt", "actor", "reason")
    readonly_fields: ClassVar = fields


@admin.register(Job)
class JobAdmin(_ReadOnly, _JobModelAdmin):
    list_display = ("id", "owner", "model", "status", "queue", "priority", "attempt", "worker", "created_at")
    list_filter = ("status", "queue", "model", "error_code")
    list_select_related = ("owner",)
    search_fields = ("id", "owner__username", "owner__email", "worker")
    date_hierarchy = "created_at"
    inlines: ClassVar = [HistoryInline]
    actions = ("hold", "release", "cancel")

    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> list[str]:
        """All but the priority, which has no state behind it."""
        return [field.name for field in Job._meta.fields if field.name != "priority"]

    @admin.action(description="Hold: keep from being started", permissions=["change"])
    def hold(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        self._move_each(request, jobs, lambda job, actor: states.hold(job, actor=actor))

    @admin.action(description="Release what was held", permissions=["change"])
    def release(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        self._move_each(request, jobs, lambda job, actor: states.release(job, actor=actor))

    @admin.action(description="Cancel", permissions=["change"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        self._move_each(request, jobs, lambda job, actor: services.cancel_job(job, actor=actor))

    def _move_each(self, request: HttpRequest, jobs: QuerySet[Job], move: Callable[[Job, str], Job]) -> None:
        moved, left = 0, 0
        for job in jobs:
            before = job.status
            try:
                moved += move(job, str(request.user.pk)).status != before
            except states.Lost:
                left += 1
        self.message_user(request, f"{moved} of {len(jobs)} jobs changed.", messages.WARNING if left else messages.INFO)


@admin.register(WorkerSeen)
class WorkerAdmin(_ReadOnly, _WorkerModelAdmin):
    list_display = ("name", "device", "queues", "started_at", "seen_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
