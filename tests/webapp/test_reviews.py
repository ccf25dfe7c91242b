"""Verdicts, comments and blind votes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.webapp.material import body_of, mask_file, photo_file
from tests.webapp.teams import make_team, one_of_each
from webapp.accounts.leaving import delete_account
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs.payloads import model_title
from webapp.notifications.models import Notification
from webapp.photos.models import Picture, Version
from webapp.photos.services import add_mask, add_picture
from webapp.reviews import services, votes
from webapp.reviews.models import Ballot, Comment, Verdict
from webapp.teams.models import Team

pytestmark = pytest.mark.django_db
MakeResult = Callable[[Version], Version]


@pytest.fixture
def people() -> dict[str, User]:
    return one_of_each()


@pytest.fixture
def team(people: dict[str, User]) -> Team:
    return make_team(**{name: user for name, user in people.items() if name != "outsider"})


@pytest.fixture
def version(people: dict[str, User], team: Team) -> Version:
    """The upload of a team's picture, brought by its editor."""
    return add_picture(people["editor"], "ours.jpg", photo_file(), team=team).versions.get()


def told(user: User) -> list[str]:
    return list(Notification.objects.filter(user=user).order_by("created_at").values_list("kind", flat=True))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


# Verdicts


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("editor", 200), ("reviewer", 200), ("viewer", 403), ("outsider", 404)]
)
def test_who_may_say_what(people: dict[str, User], version: Version, who: str, status: int) -> None:
    client = signed_in(people[who])
    url = f"/api/versions/{version.pk}"
    answer = client.put(f"{url}/verdict", {"state": "approved"}, content_type="application/json")
    assert answer.status_code == status
    assert Verdict.objects.exists() is (status == 200)
    comment = client.post(f"{url}/comments", {"text": "Fine."}, content_type="application/json")
    assert comment.status_code == (201 if status == 200 else status)
    assert client.get(f"/api/pictures/{version.picture_id}/reviews").status_code == (404 if status == 404 else 200)


def test_a_second_verdict_replaces_the_first(people: dict[str, User], version: Version) -> None:
    reviewer = people["reviewer"]
    services.decide(reviewer, version, "approved")
    services.decide(reviewer, version, "changes", "The edge is soft.")
    services.decide(people["owner"], version, "approved")
    assert Verdict.objects.filter(reviewer=reviewer).get().note == "The edge is soft."
    body = signed_in(reviewer).get(f"/api/pictures/{version.picture_id}/reviews").json()
    assert body["status"] == "approved"
    assert [row["state"] for row in body["verdicts"]] == ["approved", "changes"]
    services.withdraw(people["owner"], version)
    assert Verdict.objects.get().state == "changes"
    assert told(people["editor"]) == ["review", "review", "review"]
    with pytest.raises(Refusal):
        services.decide(reviewer, version, "open")


# Comments


def test_threads_and_who_is_told(people: dict[str, User], version: Version) -> None:
    owner, reviewer, editor = people["owner"], people["reviewer"], people["editor"]
    first = services.write_comment(reviewer, version, "@Owner, @nobody, x@editor: look.", spot=(3.5, 40))
    assert list(first.mentions.all()) == [owner]
    assert (told(owner), told(editor), told(reviewer)) == (["mention"], ["comment"], [])
    services.write_comment(owner, version, "Seen.", thread=first)
    assert told(reviewer) == ["comment"]
    services.settle_thread(owner, first, True)
    services.write_comment(editor, version, "One more thing.", thread=Comment.objects.get(pk=first.pk))
    first.refresh_from_db()
    assert first.settled_at is None
    assert told(owner) == ["mention", "comment"]
    (notice,) = Notification.objects.filter(user=owner, kind="mention")
    assert notice.url == f"/pictures/{version.picture_id}/#comment-{first.pk}"


def test_a_mention_tells_nobody_who_may_not_look(people: dict[str, User], version: Version) -> None:
    comment = services.write_comment(people["owner"], version, "@outsider @viewer")
    assert list(comment.mentions.all()) == [people["viewer"]]
    assert told(people["outsider"]) == []
    services.edit_comment(people["owner"], comment, "@outsider @viewer @reviewer")
    assert told(people["viewer"]) == ["mention"]
    assert told(people["reviewer"]) == ["mention"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "  "}, "empty_comment"),
        ({"text": "x" * 4001}, "comment_too_long"),
        ({"text": "here", "spot": [65, 10]}, "bad_spot"),
        ({"text": "here", "spot": [-1, 10]}, "bad_spot"),
        ({"text": "here", "spot": [1]}, "invalid"),
    ],
)
def test_bad_comments(people: dict[str, User], version: Version, body: dict[str, Any], code: str) -> None:
    url = f"/api/versions/{version.pk}/comments"
    answer = signed_in(people["owner"]).post(url, body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Comment.objects.exists()


def test_answers_stay_in_their_picture_and_one_level_deep(people: dict[str, User], version: Version) -> None:
    owner = people["owner"]
    other = add_picture(owner, "other.jpg", photo_file(), team=version.picture.team).versions.get()
    first = services.write_comment(owner, version, "One.")
    answer = services.write_comment(owner, version, "Two.", thread=first)
    for source, thread in ((other, first), (version, answer)):
        with pytest.raises(Refusal) as refused:
            services.write_comment(owner, source, "Three.", thread=thread)
        assert refused.value.code == "bad_thread"
    with pytest.raises(Refusal):
        services.write_comment(owner, version, "Three.", thread=first, spot=(1, 1))


def test_only_authors_change_comments(people: dict[str, User], version: Version) -> None:
    comment = services.write_comment(people["reviewer"], version, "Mine.")
    url = f"/api/comments/{comment.pk}"
    other = signed_in(people["owner"])
    assert other.patch(url, {"text": "Yours."}, content_type="application/json").status_code == 403
    assert other.delete(url).status_code == 403
    assert signed_in(people["outsider"]).delete(url).status_code == 404
    mine = signed_in(people["reviewer"])
    assert mine.patch(url, {"text": "Changed."}, content_type="application/json").json()["edited_at"] is not None
    services.write_comment(people["owner"], version, "An answer.", thread=comment)
    assert mine.delete(url).json()["code"] == "has_answers"
    comment.answers.all().delete()
    assert mine.delete(url).status_code == 204
    assert not Comment.objects.exists()


def test_what_was_said_outlives_the_account(people: dict[str, User], version: Version) -> None:
    first = services.write_comment(people["reviewer"], version, "One.")
    services.write_comment(people["owner"], version, "Two.", thread=first)
    people["reviewer"].delete()
    body = signed_in(people["owner"]).get(f"/api/pictures/{version.picture_id}/reviews").json()
    assert [(row["text"], row["author"] is None) for row in body["comments"]] == [("One.", True), ("Two.", False)]
    services.write_comment(people["editor"], version, "Three.", thread=Comment.objects.get(pk=first.pk))
    assert told(people["owner"]) == ["comment"]


def test_a_guest_takes_what_they_said_into_the_account(version: Version, ada: User) -> None:
    from webapp.accounts.services import claim_guest
    from webapp.galleries.services import set_favourite

    guest = User.objects.create(username="guest-1", is_guest=True)
    own = add_picture(guest, "own.jpg", photo_file()).versions.get()
    set_favourite(guest, [own.picture_id], True)
    services.decide(guest, own, "approved")
    services.write_comment(guest, own, "Mine.")
    results(own, "gram", "telea")
    ballot = votes.draw_ballot(guest, picture=own.picture)
    assert ballot is not None
    votes.cast(guest, ballot, "first")
    assert claim_guest(guest, ada)
    assert ada.favourites.count() == ada.verdicts.count() == ada.comments.count() == ada.ballots.count() == 1


# Blind votes


def results(source: Version, *models: str) -> list[Version]:
    """A result of each model for the same hole."""
    mask = add_mask(source, mask_file(source.width, source.height))
    made = []
    for model in models:
        row = Version.objects.create(
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
        made.append(row)
    return made


def test_every_pair_comes_once_to_everybody(people: dict[str, User], team: Team, version: Version) -> None:
    results(version, "gram", "telea", "patchmatch")
    for voter in (people["owner"], people["reviewer"]):
        seen = set()
        for _ in range(3):
            ballot = votes.draw_ballot(voter, team=team)
            assert ballot is not None
            assert votes.draw_ballot(voter, team=team) == ballot  # until it is cast
            votes.cast(voter, ballot, "first")
            seen.add(ballot.pair)
        assert len(seen) == 3
        assert votes.draw_ballot(voter, team=team) is None


def test_only_results_of_one_hole_by_two_models_make_a_pair(
    people: dict[str, User], team: Team, version: Version
) -> None:
    first, *_ = results(version, "telea", "telea")
    results(first, "gram")
    assert votes.draw_ballot(people["owner"], team=team) is None


def test_a_ballot_says_nothing_about_the_models(people: dict[str, User], team: Team, version: Version) -> None:
    made = results(version, "gram", "telea")
    client = signed_in(people["reviewer"])
    answer = client.post("/api/ballots", {"team": str(team.pk)}, content_type="application/json")
    ballot = answer.json()
    telling = ["gram", "telea", *(model_title(row.model) for row in made), *(str(row.pk) for row in made)]
    page = client.get(f"/teams/{team.pk}/vote/").content.decode()
    shown = json.dumps(ballot) + page
    for side in ("first_url", "second_url"):
        file = client.get(ballot[side])
        assert body_of(file)
        shown += str(dict(file.headers.items()))
        assert signed_in(people["owner"]).get(ballot[side]).status_code == 404
    assert not [word for word in telling if word in shown]
    revealed = client.post(f"/api/ballots/{ballot['id']}", {"choice": "second"}, content_type="application/json").json()
    assert {revealed["first"], revealed["second"]} == {"Gram matrices", model_title("telea")} or {
        revealed["first"],
        revealed["second"],
    } == {model_title("gram"), model_title("telea")}
    again = client.post(f"/api/ballots/{ballot['id']}", {"choice": "first"}, content_type="application/json")
    assert again.status_code == 409
    assert Ballot.objects.get().choice == "second"


def test_the_order_is_drawn(people: dict[str, User], team: Team) -> None:
    """Of 24 pairs not all begin with the same model; by chance that happens once in eight million runs."""
    firsts = set()
    for number in range(24):
        picture = Picture.objects.create(owner=people["owner"], team=team, title=str(number))
        upload = Version.objects.create(
            picture=picture, file="version/none.png", bytes=1, width=64, height=48, upload_format="PNG"
        )
        results(upload, "gram", "telea")
        ballot = votes.draw_ballot(people["owner"], picture=picture)
        assert ballot is not None
        firsts.add(ballot.first.model)
    assert firsts == {"gram", "telea"}


def test_tallies_follow_the_models_not_the_sides(people: dict[str, User], team: Team, version: Version) -> None:
    gram, telea = results(version, "gram", "telea")
    for voter, (first, second), choice in (
        ("owner", (gram, telea), "first"),
        ("editor", (telea, gram), "second"),
        ("reviewer", (telea, gram), "first"),
        ("outsider", (gram, telea), "neither"),
    ):
        Ballot.objects.create(
            voter=people[voter],
            picture=version.picture,
            first=first,
            second=second,
            pair=votes.pair_key(first.pk, second.pk),
            choice=choice,
        )
    Ballot.objects.create(
        voter=people["viewer"],
        picture=version.picture,
        first=gram,
        second=telea,
        pair=votes.pair_key(gram.pk, telea.pk),
    )
    (tally,) = votes.tallies()
    assert tally == votes.Tally(model="gram", other="telea", wins=2, losses=1, ties=1)
    assert tally.votes == 4
    assert votes.scores_of([gram, telea, version]) == {gram.pk: (2, 4), telea.pk: (1, 4)}
    body = signed_in(people["owner"]).get(f"/api/votes?team={team.pk}").json()
    assert body == [{"model": "gram", "other": "telea", "wins": 2, "losses": 1, "ties": 1, "votes": 4}]
    assert signed_in(people["outsider"]).get("/api/votes").json() == []


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("outsider", 404)])
def test_who_may_not_vote(people: dict[str, User], team: Team, version: Version, who: str, status: int) -> None:
    results(version, "gram", "telea")
    client = signed_in(people[who])
    for body in ({"team": str(team.pk)}, {"picture": str(version.picture_id)}):
        assert client.post("/api/ballots", body, content_type="application/json").status_code == status
    assert client.get(f"/teams/{team.pk}/vote/").status_code == status
    assert client.get(f"/vote/?picture={version.picture_id}").status_code == status
    assert not Ballot.objects.exists()


def test_whoever_left_cannot_vote_any_more(people: dict[str, User], team: Team, version: Version) -> None:
    results(version, "gram", "telea")
    ballot = votes.draw_ballot(people["reviewer"], team=team)
    assert ballot is not None
    team.memberships.filter(user=people["reviewer"]).delete()
    client = signed_in(people["reviewer"])
    url = f"/api/ballots/{ballot.pk}"
    assert client.post(url, {"choice": "first"}, content_type="application/json").status_code == 404
    assert client.get(f"/files/ballots/{ballot.pk}/first").status_code == 404


def test_a_verdict_outlives_its_reviewer_s_account(people: dict[str, User], version: Version) -> None:
    services.decide(people["reviewer"], version, "approved", "Good.")
    services.decide(people["editor"], version, "changes")
    delete_account(people["reviewer"])
    delete_account(people["editor"])
    reviews = signed_in(people["viewer"]).get(f"/api/pictures/{version.picture_id}/reviews").json()
    assert [(each["reviewer"], each["state"], each["note"]) for each in reviews["verdicts"]] == [
        (None, "changes", ""),
        (None, "approved", "Good."),
    ]
    assert reviews["status"] == "changes"
    services.decide(people["owner"], Version.objects.get(pk=version.pk), "approved")  # beside those of nobody
    page = signed_in(people["viewer"]).get(f"/pictures/{version.picture_id}/")
    assert page.status_code == 200
    assert Verdict.objects.filter(version=version).count() == 3
