"""The REST API's calls about reviews: verdicts, comments, and blind votes."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status

from webapp.api.review_schemas import (
    BallotOut,
    ChoiceIn,
    CommentIn,
    CommentOut,
    RevealedOut,
    ReviewsOut,
    SettledIn,
    TallyOut,
    TextIn,
    VerdictIn,
    VerdictOut,
    VoteIn,
    ballot_out,
    comment_out,
    revealed_out,
    reviews_out,
    verdict_out,
)
from webapp.api.seen import REFUSED, caller, visible_picture, visible_team, visible_version
from webapp.errors import not_found
from webapp.reviews import services, votes
from webapp.reviews.models import Ballot, Comment

router = Router(tags=["reviews"])


@router.get("/pictures/{uuid:picture_id}/reviews", response={200: ReviewsOut, **REFUSED}, summary="Reviews")
def get_reviews(request: HttpRequest, picture_id: UUID) -> ReviewsOut:
    """Verdicts, comments and votes on all versions of a picture."""
    return reviews_out(visible_picture(request, picture_id))


@router.put("/versions/{uuid:version_id}/verdict", response={200: VerdictOut, **REFUSED}, summary="Give a verdict")
def decide(request: HttpRequest, version_id: UUID, verdict: VerdictIn) -> VerdictOut:
    """Approve a version, or say that changes are wanted; a second verdict of yours replaces the first."""
    version = visible_version(request, version_id)
    return verdict_out(services.decide(caller(request), version, verdict.state, verdict.note))


@router.delete("/versions/{uuid:version_id}/verdict", response={204: None, **REFUSED}, summary="Withdraw a verdict")
def withdraw(request: HttpRequest, version_id: UUID) -> Status[None]:
    """Take your verdict back."""
    services.withdraw(caller(request), visible_version(request, version_id))
    return Status(204, None)


@router.post("/versions/{uuid:version_id}/comments", response={201: CommentOut, **REFUSED}, summary="Comment")
def write_comment(request: HttpRequest, version_id: UUID, comment: CommentIn) -> Status[CommentOut]:
    """Say something about a version; `thread` answers a comment, `spot` points at a place in the photo."""
    version = visible_version(request, version_id)
    thread = None if comment.thread is None else _comment(request, comment.thread)
    written = services.write_comment(caller(request), version, comment.text, thread=thread, spot=comment.spot)
    return Status(201, comment_out(written))


@router.patch("/comments/{uuid:comment_id}", response={200: CommentOut, **REFUSED}, summary="Change a comment")
def edit_comment(request: HttpRequest, comment_id: UUID, change: TextIn) -> CommentOut:
    """Change the text of a comment of yours."""
    return comment_out(services.edit_comment(caller(request), _comment(request, comment_id), change.text))


@router.delete("/comments/{uuid:comment_id}", response={204: None, **REFUSED}, summary="Delete a comment")
def delete_comment(request: HttpRequest, comment_id: UUID) -> Status[None]:
    """Delete a comment of yours that has no answers."""
    services.delete_comment(caller(request), _comment(request, comment_id))
    return Status(204, None)


@router.put("/comments/{uuid:comment_id}/settled", response={200: CommentOut, **REFUSED}, summary="Settle a thread")
def settle(request: HttpRequest, comment_id: UUID, change: SettledIn) -> CommentOut:
    """Mark a thread as done with, or open it again."""
    return comment_out(services.settle_thread(caller(request), _comment(request, comment_id), change.settled))


@router.post("/ballots", response={201: BallotOut, 204: None, **REFUSED}, summary="Draw a blind vote")
def draw(request: HttpRequest, wanted: VoteIn) -> Status[BallotOut] | Status[None]:
    """Two results of one hole without names, in an order drawn for you; 204 when you have judged all there are."""
    user = caller(request)
    team = None if wanted.team is None else visible_team(request, wanted.team)
    picture = None if wanted.picture is None else visible_picture(request, wanted.picture)
    ballot = votes.draw_ballot(user, team=team, picture=picture)
    return Status(204, None) if ballot is None else Status(201, ballot_out(ballot))


@router.post("/ballots/{uuid:ballot_id}", response={200: RevealedOut, **REFUSED}, summary="Cast a blind vote")
def cast(request: HttpRequest, ballot_id: UUID, choice: ChoiceIn) -> RevealedOut:
    """Say which one is better; the answer tells which models they were."""
    ballot = Ballot.objects.visible_to(request.user).select_related("picture").filter(pk=ballot_id).first()
    if ballot is None:
        raise not_found()
    return revealed_out(votes.cast(caller(request), ballot, choice.choice))


@router.get("/votes", response={200: list[TallyOut], **REFUSED}, summary="Votes so far")
def list_tallies(request: HttpRequest, team: UUID | None = None) -> list[TallyOut]:
    """Wins of each pair of models in the votes on a team's pictures, or on your own."""
    if team is not None:
        visible_team(request, team)
    rows = Ballot.objects.filter(picture__team=team)
    if team is None:
        rows = rows.filter(picture__owner=request.user.pk)
    return [TallyOut.model_validate(tally, from_attributes=True) for tally in votes.tallies(rows)]


def _comment(request: HttpRequest, comment_id: UUID) -> Comment:
    rows = Comment.objects.visible_to(request.user).select_related("version__picture", "author")
    found: Comment | None = rows.filter(pk=comment_id).first()
    if found is None:
        raise not_found()
    return found
