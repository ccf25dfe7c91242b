"""Addresses of the site."""

from django.contrib import admin
from django.urls import include, path

from webapp.operations.metrics import metrics
from webapp.sharing.manage import shares

handler500 = "webapp.errors.server_error"

urlpatterns = [
    path("", include("webapp.galleries.urls")),
    path("files/", include("webapp.photos.urls")),
    path("files/jobs/", include("webapp.jobs.urls")),
    path("", include("webapp.reviews.urls")),
    path("shares/", shares, name="shares"),
    path("s/", include("webapp.sharing.urls")),
    path("operations/", include("webapp.operations.urls")),
    path("evaluations/", include("webapp.evaluations.urls")),
    path("account/", include("webapp.accounts.urls")),
    path("teams/", include("webapp.teams.urls")),
    path("notifications/", include("webapp.notifications.urls")),
    path("metrics", metrics, name="metrics"),
    path("api/", include("webapp.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]
