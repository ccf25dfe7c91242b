"""Galleries, reviews, blind votes, and links to what is shared."""

from __future__ import annotations

from typing import Any

from tests.rights.table import ANYBODY, EDIT, LOOK, MEMBERS, REVIEW, SIGNED_IN, Row, Who, form, json
from tests.rights.world import MARKS, World
from tests.webapp.material import mask_file, photo_file

_AUTHOR: Who = {"own": frozenset({"person"}), "team": frozenset({"reviewer"})}
"""Who wrote the comment, and whose ballot it is."""
_MAKER: Who = {"own": frozenset({"person"}), "team": frozenset({"editor"})}
"""Who made the link."""
_TEAM_REVIEW: Who = {"team": REVIEW["team"]}
_TEAM_EDIT: Who = {"team": EDIT["team"]}


def furnish(world: World) -> None:
    """A comment, a ballot and a link of each kind, a picture in the trash, and one that everybody may see by a link."""
    from webapp.galleries.services import throw_away
    from webapp.photos.services import add_picture
    from webapp.reviews.services import write_comment
    from webapp.sharing.services import share_pictures

    team = world.things["team"]["team"]
    for subject, owner, reviewer in (("own", "person", "person"), ("team", "editor", "reviewer")):
        things = world.things[subject]
        people = world.people
        place = team if subject == "team" else None
        gone = add_picture(people[owner], f"gone {MARKS[subject]}.jpg", photo_file(width=24, height=16), team=place)
        throw_away(people[owner], [gone.pk])
        share, _ = share_pictures(people[owner], [things["picture_id"]])
        things |= {
            "comment_id": write_comment(people[reviewer], things["version"], "Look.").pk,
            "ballot_id": _ballot(things, people[reviewer]),
            "share_id": share.pk,
            "trashed_id": gone.pk,
            "side": "first",
        }
    shown = add_picture(world.people["stranger"], "for everybody.jpg", photo_file(width=24, height=16))
    share, token = share_pictures(world.people["stranger"], [shown.pk], allow_download=True)
    world.things["site"] |= {"share_token": token, "item_id": share.items.get().pk, "part": "display"}


def _ballot(things: dict[str, Any], voter: Any) -> Any:
    """One that is not cast yet: a second model's result for the hole of the first."""
    from webapp.photos.models import Version
    from webapp.photos.services import add_mask
    from webapp.reviews.votes import draw_ballot

    source = things["version"].parent
    mask = add_mask(source, mask_file(box=(4, 4, 12, 12)))
    for model in ("telea", "patchmatch"):
        Version.objects.create(
            picture=source.picture,
            parent=source,
            mask=mask,
            file=source.file.name,
            bytes=1,
            width=source.width,
            height=source.height,
            upload_format="JPEG",
            model=model,
        )
    ballot = draw_ballot(voter, picture=source.picture)
    assert ballot is not None
    return ballot.pk


def _one(things: dict[str, Any]) -> list[str]:
    return [str(things["picture_id"])]


def _thrown(things: dict[str, Any]) -> list[str]:
    return [str(things["trashed_id"])]


def _picture(things: dict[str, Any]) -> str:
    return str(things["picture_id"])


ROWS = [
    # Pages
    Row("GET pictures/{picture_id}/", LOOK),
    Row("GET pictures/trash/", ANYBODY),
    Row("POST pictures/archive", LOOK, form(pictures=_one)),
    Row("GET teams/{team_id}/pictures/", MEMBERS),
    Row("GET teams/{team_id}/trash/", _TEAM_EDIT),
    Row("GET teams/{team_id}/vote/", _TEAM_REVIEW),
    Row("GET vote/", SIGNED_IN),
    Row("GET shares/", SIGNED_IN),
    # Many pictures at once
    Row("POST api/pictures/trash", EDIT, json(pictures=_one)),
    Row("POST api/pictures/restore", EDIT, json(pictures=_thrown)),
    Row("POST api/pictures/erase", EDIT, json(pictures=_thrown)),
    Row("POST api/pictures/tags", EDIT, json(pictures=_one, add=["tag"])),
    Row("POST api/pictures/favourite", LOOK, json(pictures=_one, favourite=True)),
    Row("POST api/pictures/move", EDIT, json(pictures=_one, team=None)),
    Row("PATCH api/pictures/{picture_id}", EDIT, json(title="Another title")),
    Row("POST api/versions/{version_id}/rerun", EDIT, json(model="patchmatch")),
    Row("GET api/tags", ANYBODY),
    # Reviews
    Row("GET api/pictures/{picture_id}/reviews", LOOK),
    Row("PUT api/versions/{version_id}/verdict", REVIEW, json(state="approved")),
    Row("DELETE api/versions/{version_id}/verdict", REVIEW),
    Row("POST api/versions/{version_id}/comments", REVIEW, json(text="A remark.")),
    Row("PATCH api/comments/{comment_id}", _AUTHOR, json(text="Another remark.")),
    Row("DELETE api/comments/{comment_id}", _AUTHOR),
    Row("PUT api/comments/{comment_id}/settled", REVIEW, json(settled=True)),
    # Blind votes
    Row("POST api/ballots", REVIEW, json(picture=_picture)),
    Row("POST api/ballots/{ballot_id}", _AUTHOR, json(choice="first")),
    Row("GET files/ballots/{ballot_id}/{side}", _AUTHOR),
    Row("GET api/votes", ANYBODY),
    # Links: their makers look after them, everybody who has the address sees what they show
    Row("GET api/shares", SIGNED_IN),
    Row("POST api/shares", EDIT, json(pictures=_one)),
    Row("DELETE api/shares/{share_id}", _MAKER),
    Row("GET s/{share_token}/", ANYBODY),
    Row("POST s/{share_token}/unlock", ANYBODY, form(password="whatever")),
    Row("GET s/{share_token}/{item_id}/", ANYBODY),
    Row("GET s/{share_token}/{item_id}/embed", ANYBODY),
    Row("GET s/{share_token}/{item_id}/download", ANYBODY),
    Row("GET s/{share_token}/{item_id}/{part}", ANYBODY),
]
