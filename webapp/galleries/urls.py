"""Addresses of the pages."""

from django.urls import path

from webapp.galleries import browse, health, views

urlpatterns = [
    path("", views.home, name="home"),
    path("pictures/", browse.pictures, name="pictures"),
    path("pictures/trash/", browse.trash, name="trash"),
    path("pictures/archive", browse.archive, name="archive"),
    path("pictures/<uuid:picture_id>/", browse.picture, name="picture"),
    path("pictures/<uuid:picture_id>/edit", views.editor, name="editor"),
    path("teams/<uuid:team_id>/pictures/", browse.team_pictures, name="team_pictures"),
    path("teams/<uuid:team_id>/trash/", browse.trash, name="team_trash"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
