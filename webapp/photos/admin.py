"""Pictures in the admin: facts, no pixels. Staff who run a site need not look at people's photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from webapp.photos.models import Picture, Version

if TYPE_CHECKING:
    _VersionTable = admin.TabularInline[Version, Picture]
    _PictureModelAdmin = admin.ModelAdmin[Picture]
else:  # generic for the type checker only
    _VersionTable = admin.TabularInline
    _PictureModelAdmin = admin.ModelAdmin


class VersionInline(_VersionTable):
    model = Version
    fk_name = "picture"
    extra = 0
    can_delete = False
    fields: ClassVar = ("id", "model", "width", "height", "bytes", "upload_format", "created_at")
    readonly_fields: ClassVar = fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Picture)
class PictureAdmin(_PictureModelAdmin):
    list_display = ("title", "owner", "version_count", "size", "created_at", "changed_at")
    list_select_related = ("owner",)
    search_fields = ("title", "owner__username", "owner__email", "id")
    date_hierarchy = "created_at"
    readonly_fields: ClassVar = ("id", "owner", "created_at", "changed_at")
    inlines: ClassVar = [VersionInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Picture]:
        return super().get_queryset(request).annotate(_versions=Count("versions"), _bytes=Sum("versions__bytes"))

    @admin.display(description="Versions", ordering="_versions")
    def version_count(self, picture: Picture) -> int:
        return int(getattr(picture, "_versions", 0))

    @admin.display(description="Size", ordering="_bytes")
    def size(self, picture: Picture) -> str:
        return str(filesizeformat(getattr(picture, "_bytes", 0) or 0))
