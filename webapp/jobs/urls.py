"""Addresses of jobs' files, below ``/files/jobs/``."""

from django.urls import path

from webapp.jobs import views

app_name = "jobs"

urlpatterns = [
    path("<uuid:job_id>/preview/<int:n>", views.preview, name="preview"),
]
