"""Addresses of blind votes."""

from django.urls import path

from webapp.reviews import views

urlpatterns = [
    path("vote/", views.vote, name="vote"),
    path("teams/<uuid:team_id>/vote/", views.vote, name="team_vote"),
    path("files/ballots/<uuid:ballot_id>/<slug:side>", views.ballot_picture, name="ballot_picture"),
]
