"""Shapes of the API's answers about reviews, and how rows become them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from django.urls import reverse
from ninja import Field, Schema

from webapp.jobs.payloads import model_title
from webapp.photos.models import Picture
from webapp.reviews import votes
from webapp.reviews.models import Ballot, Comment, Verdict
from webapp.reviews.services import people_of
from webapp.reviews.standing import OPEN

State = Literal["approved", "changes"]
Standing = Literal["open", "approved", "changes"]
Choice = Literal["first", "second", "neither"]


class PersonOut(Schema):
    id: UUID
    name: str
    username: str


class VerdictIn(Schema):
    state: str = Field(description="`approved` or `changes`.")
    note: str = ""


class VerdictOut(Schema):
    version: UUID
    reviewer: PersonOut | None = Field(description="Null when the account is deleted.")
    state: State
    note: str
    decided_at: datetime


class CommentIn(Schema):
    text: str
    thread: UUID | None = Field(None, description="The first comment of the thread that this answers.")
    spot: tuple[float, float] | None = Field(None, description="x, y in pixels of the photo.")


class TextIn(Schema):
    text: str


class SettledIn(Schema):
    settled: bool


class CommentOut(Schema):
    id: UUID
    version: UUID
    thread: UUID | None
    author: PersonOut | None = Field(description="Null when the account is deleted.")
    text: str
    spot: tuple[float, float] | None = Field(description="x, y in pixels of the photo.")
    mentions: list[str] = Field(description="User names that were told.")
    created_at: datetime
    edited_at: datetime | None
    settled_at: datetime | None


class ScoreOut(Schema):
    """How a result did in blind votes."""

    version: UUID
    wins: int
    votes: int


class ReviewsOut(Schema):
    status: Standing = Field(description="What the newest verdict says.")
    verdicts: list[VerdictOut] = Field(description="Newest first.")
    comments: list[CommentOut] = Field(description="Oldest first, answers among them.")
    scores: list[ScoreOut]
    people: list[PersonOut] = Field(description="Who can be mentioned.")


class VoteIn(Schema):
    team: UUID | None = None
    picture: UUID | None = None


class BallotOut(Schema):
    id: UUID
    title: str = Field(description="Of the picture.")
    width: int
    height: int
    before_url: str
    mask_url: str
    first_url: str
    second_url: str


class ChoiceIn(Schema):
    choice: str = Field(description="`first`, `second` or `neither`.")


class RevealedOut(Schema):
    choice: Choice
    first: str = Field(description="Name of the model.")
    second: str
    picture_url: str


class TallyOut(Schema):
    """Votes between two models, by their keys in alphabetical order."""

    model: str
    other: str
    wins: int = Field(description="Votes for `model`.")
    losses: int = Field(description="Votes for `other`.")
    ties: int
    votes: int


def reviews_out(picture: Picture) -> ReviewsOut:
    """Everything that reviewers said about a picture; at most seven queries."""
    verdicts = list(Verdict.objects.filter(picture=picture).select_related("reviewer"))
    comments = Comment.objects.filter(version__picture=picture).select_related("author").prefetch_related("mentions")
    scores = votes.scores_of(picture.versions.all())
    return ReviewsOut(
        status=cast(Standing, verdicts[0].state if verdicts else OPEN),
        verdicts=[verdict_out(verdict) for verdict in verdicts],
        comments=[comment_out(comment) for comment in comments.order_by("created_at", "id")],
        scores=[ScoreOut(version=pk, wins=wins, votes=number) for pk, (wins, number) in scores.items()],
        people=[_person(person) for person in people_of(picture)],
    )


def verdict_out(verdict: Verdict) -> VerdictOut:
    """One verdict."""
    return VerdictOut(
        version=verdict.version_id,
        reviewer=None if verdict.reviewer is None else _person(verdict.reviewer),
        state=cast(State, verdict.state),
        note=verdict.note,
        decided_at=verdict.decided_at,
    )


def comment_out(comment: Comment) -> CommentOut:
    """One comment."""
    return CommentOut(
        id=comment.pk,
        version=comment.version_id,
        thread=comment.thread_id,
        author=None if comment.author is None else _person(comment.author),
        text=comment.text,
        spot=None if comment.x is None or comment.y is None else (comment.x, comment.y),
        mentions=[person.username for person in comment.mentions.all()],
        created_at=comment.created_at,
        edited_at=comment.edited_at,
        settled_at=comment.settled_at,
    )


def ballot_out(ballot: Ballot) -> BallotOut:
    """Two results without names: not even their addresses say whose they are."""
    return BallotOut(
        id=ballot.pk,
        title=ballot.picture.title,
        width=ballot.first.width,
        height=ballot.first.height,
        before_url=reverse("version_display", args=[ballot.first.parent_id]),
        mask_url=reverse("mask", args=[ballot.first.mask_id]),
        first_url=reverse("ballot_picture", args=[ballot.pk, "first"]),
        second_url=reverse("ballot_picture", args=[ballot.pk, "second"]),
    )


def revealed_out(ballot: Ballot) -> RevealedOut:
    """A ballot that is cast, with the models' names."""
    return RevealedOut(
        choice=cast(Choice, ballot.choice),
        first=model_title(ballot.first.model),
        second=model_title(ballot.second.model),
        picture_url=reverse("picture", args=[ballot.picture_id]),
    )


def _person(person: object) -> PersonOut:
    from webapp.accounts.models import User

    assert isinstance(person, User)  # noqa: S101  # the type of a foreign key is any model to the checker
    return PersonOut(id=person.pk, name=str(person), username=person.username)
