"""Addresses of the site."""

from django.contrib import admin
from django.urls import include, path

from webapp.operations.metrics import metrics

urlpatterns = [
    path("", include("webapp.galleries.urls")),
    path("files/", include("webapp.photos.urls")),
    path("files/jobs/", include("webapp.jobs.urls")),
    path("operations/", include("webapp.operations.urls")),
    path("evaluations/", include("webapp.evaluations.urls")),
    path("metrics", metrics, name="metrics"),
    path("api/", include("webapp.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
