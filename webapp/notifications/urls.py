"""Addresses of notifications, below ``/notifications/``."""

from django.urls import path

from webapp.notifications import views

app_name = "notifications"

urlpatterns = [
    path("", views.page, name="list"),
    path("read", views.read_all, name="read-all"),
    path("<uuid:notification_id>/open", views.follow, name="open"),
]
