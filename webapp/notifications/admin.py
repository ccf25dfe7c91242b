"""Notifications in the admin: to look at, not to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from webapp.notifications.models import Notification

if TYPE_CHECKING:
    _NotificationModelAdmin = admin.ModelAdmin[Notification]
else:  # generic for the type checker only
    _NotificationModelAdmin = admin.ModelAdmin


@admin.register(Notification)
class NotificationAdmin(_NotificationModelAdmin):
    list_display = ("created_at", "user", "kind", "read_at", "mail_due", "mail_tries")
    list_filter = ("kind", "mail_due")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    date_hierarchy = "created_at"
    # What people are told may name their pictures, which staff has no business with.
    exclude: ClassVar = ("text", "url")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
