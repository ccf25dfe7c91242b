"""Addresses of the pages."""

from django.urls import path

from webapp.galleries import health, views

urlpatterns = [
    path("", views.home, name="home"),
    path("pictures/", views.pictures, name="pictures"),
    path("pictures/<uuid:picture_id>/edit", views.editor, name="editor"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
