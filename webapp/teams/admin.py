"""Teams in the admin, where staff sets plans and quotas. Feeds name pictures, so they are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from webapp.photos.models import Version
from webapp.teams.models import Membership, Team

if TYPE_CHECKING:
    _MemberTable = admin.TabularInline[Membership, Team]
    _TeamModelAdmin = admin.ModelAdmin[Team]
else:  # generic for the type checker only
    _MemberTable = admin.TabularInline
    _TeamModelAdmin = admin.ModelAdmin


class MembershipInline(_MemberTable):
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Team)
class TeamAdmin(_TeamModelAdmin):
    list_display = (
        "name",
        "plan",
        "weight",
        "member_count",
        "size",
        "storage_quota",
        "gpu_seconds_quota",
        "created_at",
    )
    list_editable = ("plan", "weight", "storage_quota", "gpu_seconds_quota")
    search_fields = ("name", "id", "members__username", "members__email")
    date_hierarchy = "created_at"
    readonly_fields: ClassVar = ("id", "created_at")
    inlines: ClassVar = [MembershipInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        # A sum in the same query would count each byte once for each member.
        versions = Version.objects.filter(picture__team=OuterRef("pk")).order_by().values("picture__team")
        sizes = versions.annotate(total=Sum("bytes")).values("total")
        return (
            super().get_queryset(request).annotate(_members=Count("memberships", distinct=True), _bytes=Subquery(sizes))
        )

    @admin.display(description="Members", ordering="_members")
    def member_count(self, team: Team) -> int:
        return int(getattr(team, "_members", 0))

    @admin.display(description="Size", ordering="_bytes")
    def size(self, team: Team) -> str:
        return str(filesizeformat(getattr(team, "_bytes", 0) or 0))
