"""Taking one's data along: what one said, how one voted, and what one shared."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.webapp.conftest import MakeResult
from tests.webapp.material import photo_file
from tests.webapp.teams import make_team
from webapp.accounts.export import export_of
from webapp.accounts.models import User
from webapp.photos.models import Version
from webapp.photos.services import add_picture, add_result
from webapp.reviews import votes
from webapp.reviews.services import decide, write_comment
from webapp.sharing.services import share_pictures

pytestmark = pytest.mark.django_db


def account_of(user: User) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(b"".join(export_of(user)))) as archive:
        found: dict[str, Any] = json.loads(archive.read("account.json"))
    return found


def rival_of(result: Version) -> Version:
    """The same hole of the same photo by another model."""
    assert result.parent is not None
    assert result.mask is not None
    return add_result(
        source=result.parent, mask=result.mask, png=photo_file("PNG"), width=result.width, height=result.height,
        model="patchmatch", params={}, seed=0, timings={}, proof={}, notes={},
    )  # fmt: skip


def test_what_was_said_voted_and_shared_is_in_it(ada: User, bob: User, upload: Version, result: Version) -> None:
    remark = write_comment(ada, upload, "A stain here.", spot=(3, 4))
    write_comment(ada, upload, "Gone now.", thread=remark)
    decide(ada, result, "approved", "Good.")
    rival = rival_of(result)
    ballot = votes.draw_ballot(ada)
    assert ballot is not None
    assert account_of(ada)["votes"] == []  # an open ballot would give its models away
    votes.cast(ada, ballot, "first")
    share_pictures(ada, [upload.picture_id], title="For the family", password="a long secret", days=7)
    account = account_of(ada)
    assert [(each["text"], each["x"]) for each in account["comments"]] == [("A stain here.", 3), ("Gone now.", None)]
    assert account["comments"][1]["thread"] == str(remark.pk)
    assert [(each["state"], each["note"]) for each in account["verdicts"]] == [("approved", "Good.")]
    (vote,) = account["votes"]
    assert (vote["choice"], vote["first_model"]) == ("first", ballot.first.model)
    assert {vote["first_model"], vote["second_model"]} == {"telea", "patchmatch"}
    (link,) = account["links"]
    assert (link["title"], link["has_password"], link["revoked_at"]) == ("For the family", True, None)
    assert link["versions"] == [str(rival.pk)]
    assert "secret" not in json.dumps(link)


def test_what_others_said_voted_and_shared_is_not(ada: User, bob: User, make_result: MakeResult) -> None:
    team = make_team(owner=bob, editor=ada)
    result = make_result(add_picture(bob, "ours.jpg", photo_file(), team=team).versions.get())
    rival_of(result)
    write_comment(bob, result, "For my eyes.")
    decide(bob, result, "changes", "Not yet.")
    ballot = votes.draw_ballot(bob, team=team)
    assert ballot is not None
    votes.cast(bob, ballot, "neither")
    share_pictures(bob, [result.picture_id], title="Mine")
    account = account_of(ada)
    assert [account[kind] for kind in ("comments", "verdicts", "votes", "links")] == [[], [], [], []]
