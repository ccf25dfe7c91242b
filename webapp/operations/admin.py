"""The records of operation in the admin: to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from webapp.operations.models import Attempt, AuditEntry, DrainedNode

if TYPE_CHECKING:
    _AuditModelAdmin = admin.ModelAdmin[AuditEntry]
    _AttemptModelAdmin = admin.ModelAdmin[Attempt]
    _NodeModelAdmin = admin.ModelAdmin[DrainedNode]
else:  # generic for the type checker only
    _AuditModelAdmin = _AttemptModelAdmin = _NodeModelAdmin = admin.ModelAdmin


class _ReadOnly:
    """Rows that are written by what they are about."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditEntry)
class AuditAdmin(_ReadOnly, _AuditModelAdmin):
    list_display = ("at", "actor_name", "action", "target_name", "target", "reason", "details")
    list_filter = ("action",)
    search_fields = ("actor_name", "target", "target_name", "reason", "details")
    date_hierarchy = "at"


@admin.register(Attempt)
class AttemptAdmin(_ReadOnly, _AttemptModelAdmin):
    list_display = ("ended_at", "model", "queue", "outcome", "error_code", "wait_seconds", "run_seconds", "worker")
    list_filter = ("outcome", "model", "queue", "error_code")
    search_fields = ("job", "owner", "worker")
    date_hierarchy: ClassVar = "ended_at"


@admin.register(DrainedNode)
class DrainedNodeAdmin(_ReadOnly, _NodeModelAdmin):
    list_display = ("node", "since", "by")
