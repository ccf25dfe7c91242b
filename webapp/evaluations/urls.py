"""Addresses of evaluations, below ``/evaluations/``."""

from django.urls import path

from webapp.evaluations import views

app_name = "evaluations"

urlpatterns = [
    path("", views.overview, name="list"),
    path("new", views.new, name="new"),
    path("compare", views.compare_two, name="compare"),
    path("<uuid:evaluation_id>/", views.detail, name="detail"),
    path("<uuid:evaluation_id>/progress", views.progress, name="progress"),
    path("<uuid:evaluation_id>/cancel", views.cancel, name="cancel"),
    path("<uuid:evaluation_id>/again", views.again, name="again"),
    path("<uuid:evaluation_id>/share", views.share, name="share"),
    path("<uuid:evaluation_id>/delete", views.delete, name="delete"),
    path("<uuid:evaluation_id>/files/<str:name>", views.file, name="file"),
    path("shared/<str:token>/", views.shared, name="shared"),
    path("shared/<str:token>/files/<str:name>", views.shared_file, name="shared-file"),
]
