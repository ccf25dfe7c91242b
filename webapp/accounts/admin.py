"""Accounts in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from webapp.accounts.leaving import check_may_leave, delete_account
from webapp.accounts.models import User
from webapp.errors import Refusal

if TYPE_CHECKING:
    _UserAdmin = UserAdmin[User]
else:  # generic for the type checker only
    _UserAdmin = UserAdmin


@admin.register(User)
class AccountAdmin(_UserAdmin):
    list_display = ("username", "email", "is_guest", "is_staff", "picture_count", "date_joined", "last_login")
    list_filter = ("is_guest", "is_staff", "is_superuser", "is_active")
    date_hierarchy = "date_joined"
    ordering = ("-date_joined",)
    readonly_fields: ClassVar = ("is_guest", "last_login", "date_joined")

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """In words: a list of all rows would name people's pictures, and those of teams stay anyway."""
        going, obstacles = [], []
        for user in objs:
            own = user.pictures.filter(team=None).count()
            going.append(
                f"{user}: the account and {own} pictures of their own; what they brought into teams stays there"
            )
            try:
                check_may_leave(user)
            except Refusal as refusal:
                obstacles.append(f"{user}: {refusal.message}")
        return going, {"accounts": len(going)}, set(), obstacles

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """What they brought into teams stays there, as when they delete the account themselves."""
        delete_account(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            delete_account(user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).annotate(_pictures=Count("pictures"))

    @admin.display(description="Pictures", ordering="_pictures")
    def picture_count(self, user: User) -> int:
        return int(getattr(user, "_pictures", 0))
