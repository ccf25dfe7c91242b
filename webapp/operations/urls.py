"""Addresses of staff's pages, below ``/operations/``."""

from django.urls import path

from webapp.operations import actions, pictures, views

app_name = "operations"

urlpatterns = [
    path("", views.queue, name="queue"),
    path("jobs/act", actions.act_on_jobs, name="act"),
    path("jobs/export.csv", views.export, name="export"),
    path("jobs/<uuid:job_id>/", views.job, name="job"),
    path("jobs/<uuid:job_id>/source", pictures.source, name="source"),
    path("jobs/<uuid:job_id>/mask", pictures.mask, name="mask"),
    path("jobs/<uuid:job_id>/result", pictures.result, name="result"),
    path("workers/", views.workers, name="workers"),
    path("workers/act", actions.act_on_worker, name="act-on-worker"),
    path("numbers/", views.numbers, name="numbers"),
    path("audit/", views.audit, name="audit"),
]
