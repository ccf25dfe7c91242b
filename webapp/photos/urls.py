"""Addresses below ``/files/``, but for those of jobs."""

from django.urls import path

from webapp.photos import views

urlpatterns = [
    path("versions/<uuid:version_id>/display", views.version_display, name="version_display"),
    path("versions/<uuid:version_id>/thumb", views.version_thumb, name="version_thumb"),
    path("versions/<uuid:version_id>/download", views.version_download, name="version_download"),
    path("masks/<uuid:mask_id>", views.mask, name="mask"),
    path("overlays/<uuid:overlay_id>", views.overlay, name="overlay"),
    path("sources/<uuid:sources_id>", views.sources, name="sources"),
]
