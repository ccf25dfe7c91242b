"""Accounts, teams and notifications."""

from __future__ import annotations

from typing import Any

from tests.rights.table import ACCOUNTS, ANYBODY, EDIT, MANAGE, MEMBERS, OWN, SIGNED_IN, Row, Who, form, json
from tests.rights.world import World
from tests.webapp.material import photo_file

_JOINING: Who = {"site": ANYBODY["site"] - {"visitor", "guest"}}
_TO_TEAM: Who = {"team": EDIT["team"]}
_LEAVING: Who = {"team": MEMBERS["team"]}


def furnish(world: World) -> None:
    """Somebody whom nobody knows is asked in by mail; whoever is not that person finds no such invitation."""
    from webapp.teams.invitations import invite

    team, owner = world.things["team"]["team"], world.people["owner"]
    world.things["site"]["asked_id"] = invite(team, by=owner, role="viewer", email="nobody@example.org")[0].pk


def _photo_for_team(things: dict[str, Any]) -> dict[str, Any]:
    from django.core.files.uploadedfile import SimpleUploadedFile

    photo = SimpleUploadedFile("photo.jpg", photo_file(width=16, height=12))
    return {"data": {"file": photo, "team": str(things["team_id"])}}


ROWS = [
    # One's own account
    Row("GET account/", ACCOUNTS),
    Row("POST account/", ACCOUNTS, form(username="another", first_name="A", last_name="B")),
    Row("GET account/data/", ACCOUNTS),
    Row("POST account/data/export", ACCOUNTS),
    Row("GET account/data/delete", ACCOUNTS),
    Row("POST account/data/delete", ACCOUNTS, form(username="not mine")),
    # Teams
    Row("GET teams/", ACCOUNTS),
    Row("POST teams/new", ACCOUNTS, form(name="New")),
    Row("GET teams/join/{token}/", ANYBODY),
    Row("POST teams/join/{token}/", _JOINING),
    Row("POST teams/invitations/{invitation_id}/answer", {"team": frozenset()}),
    Row("GET teams/{team_id}/", MEMBERS),
    Row("GET teams/{team_id}/activity/", MEMBERS),
    Row("POST teams/{team_id}/rename", MANAGE, form(name="Renamed")),
    Row("POST teams/{team_id}/delete", MANAGE, form(name=lambda things: things["team"].name)),
    Row("POST teams/{team_id}/leave", _LEAVING),
    Row("POST teams/{team_id}/invite", MANAGE, form(role="viewer", way="link", days="3")),
    Row("POST teams/{team_id}/invitations/{invitation_id}/revoke", MANAGE),
    Row("POST teams/{team_id}/members/{membership_id}/role", MANAGE, form(role="editor")),
    Row("POST teams/{team_id}/members/{membership_id}/remove", MANAGE),
    Row("POST teams/{team_id}/members/{membership_id}/hand-over", MANAGE),
    Row("POST api/pictures", _TO_TEAM, _photo_for_team),
    Row("POST api/pictures/sample", _TO_TEAM, json(name="kite", team=lambda things: str(things["team_id"]))),
    # Notifications
    Row("GET notifications/", SIGNED_IN),
    Row("POST notifications/read", SIGNED_IN),
    Row("GET notifications/{notification_id}/open", OWN),
    Row("GET api/notifications", ANYBODY),
    Row("POST api/notifications/read", ANYBODY, json(ids=[])),
]
