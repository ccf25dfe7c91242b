"""Addresses of one's own account, below ``/account/``; signing in and up is allauth's, below ``/accounts/``."""

from django.urls import path

from webapp.accounts import views

app_name = "profile"

urlpatterns = [
    path("", views.profile, name="profile"),
    path("data/", views.data, name="data"),
    path("data/export", views.export, name="export"),
    path("data/delete", views.delete, name="delete"),
]
