"""Addresses of teams, below ``/teams/``."""

from django.urls import path

from webapp.teams import actions, joining, views

app_name = "teams"

urlpatterns = [
    path("", views.teams, name="list"),
    path("new", actions.create, name="create"),
    path("join/<str:token>/", joining.join, name="join"),
    path("invitations/<uuid:invitation_id>/answer", joining.answer, name="answer"),
    path("<uuid:team_id>/", views.team, name="team"),
    path("<uuid:team_id>/activity/", views.activity, name="activity"),
    path("<uuid:team_id>/rename", actions.rename, name="rename"),
    path("<uuid:team_id>/delete", actions.delete, name="delete"),
    path("<uuid:team_id>/leave", actions.leave, name="leave"),
    path("<uuid:team_id>/invite", actions.invite_people, name="invite"),
    path("<uuid:team_id>/invitations/<uuid:invitation_id>/revoke", actions.revoke_invitation, name="revoke"),
    path("<uuid:team_id>/members/<int:membership_id>/role", actions.give_role, name="role"),
    path("<uuid:team_id>/members/<int:membership_id>/remove", actions.remove, name="remove"),
    path("<uuid:team_id>/members/<int:membership_id>/hand-over", actions.hand_over_to, name="hand-over"),
]
