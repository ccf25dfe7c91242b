"""What reviewers do: give verdicts, write comments and settle them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from webapp.accounts.limits import use_allowance
from webapp.errors import Refusal
from webapp.photos.models import Picture, Version
from webapp.reviews import notices
from webapp.reviews.models import LONGEST_COMMENT, LONGEST_NOTE, Comment, Verdict
from webapp.teams import policies
from webapp.teams.activity import record
from webapp.teams.models import Activity

if TYPE_CHECKING:
    from webapp.accounts.models import User

_MENTION = re.compile(r"(?<![\w@.])@([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")
_COMMENTS_PER_HOUR = 200


def decide(reviewer: User, version: Version, state: str, note: str = "") -> Verdict:
    """Mark `version` as approved, or say that changes are wanted; a second verdict of the same person replaces it.

    Raises `Refusal`: 403 when the person's role does not cover it, 422 for another state or a note that is too long.
    """
    policies.require(policies.can_review, reviewer, version.picture)
    if state not in Verdict.State.values:
        raise Refusal("bad_state", f"“state” must be one of: {', '.join(Verdict.State.values)}.", status=422)
    note = note.strip()
    if len(note) > LONGEST_NOTE:
        raise Refusal("note_too_long", f"A note has at most {LONGEST_NOTE} characters.", status=422)
    with transaction.atomic():
        verdict, _ = Verdict.objects.update_or_create(
            version=version,
            reviewer=reviewer,
            defaults={"picture": version.picture, "state": state, "note": note, "decided_at": timezone.now()},
        )
        label = Verdict.State(state).label
        record(version.picture.team_id, Activity.Kind.REVIEWED, reviewer, picture=version.picture, detail=label)
        notices.verdict_given(verdict)
    return verdict


def withdraw(reviewer: User, version: Version) -> None:
    """Take one's own verdict back; nothing happens when there is none."""
    policies.require(policies.can_review, reviewer, version.picture)
    Verdict.objects.filter(version=version, reviewer=reviewer).delete()


def write_comment(
    author: User,
    version: Version,
    text: str,
    *,
    thread: Comment | None = None,
    spot: tuple[float, float] | None = None,
) -> Comment:
    """Comment on `version`, in `thread` when it is an answer; `spot` is (x, y) in pixels of the photo.

    Whoever is mentioned as “@name” and may open the picture is told. Raises `Refusal`: 403 by role, 422 for an empty
    or too long text, an answer to something else, or a spot outside the photo, 429 for too many comments.
    """
    picture = version.picture
    policies.require(policies.can_review, author, picture)
    text = _clean(text)
    if thread is not None and (thread.version.picture_id != picture.pk or thread.thread_id is not None):
        raise Refusal("bad_thread", "This is not a thread of this picture.", status=422)
    if spot is not None:
        if thread is not None:
            raise Refusal("bad_spot", "Only the first comment of a thread points at a spot.", status=422)
        if not (0 <= spot[0] <= version.width and 0 <= spot[1] <= version.height):
            raise Refusal("bad_spot", "The spot lies outside the photo.", status=422)
    use_allowance(
        "comment",
        str(author.pk),
        limit=_COMMENTS_PER_HOUR,
        seconds=3600,
        message="You wrote many comments within an hour; wait a while before you write more.",
    )
    with transaction.atomic():
        comment = Comment.objects.create(
            version=version if thread is None else thread.version,
            author=author,
            thread=thread,
            text=text,
            x=None if spot is None else spot[0],
            y=None if spot is None else spot[1],
        )
        mentioned = people_mentioned(text, picture)
        comment.mentions.set(mentioned)
        if thread is not None and thread.settled_at is not None:  # an answer opens it again
            Comment.objects.filter(pk=thread.pk).update(settled_at=None, settled_by=None)
        record(picture.team_id, Activity.Kind.COMMENTED, author, picture=picture)
        notices.comment_written(comment, mentioned)
    return comment


def edit_comment(author: User, comment: Comment, text: str) -> Comment:
    """Change one's own comment; whoever is newly mentioned is told."""
    _check_author(author, comment)
    comment.text = _clean(text)
    comment.edited_at = timezone.now()
    with transaction.atomic():
        comment.save(update_fields=["text", "edited_at"])
        before = set(comment.mentions.values_list("pk", flat=True))
        mentioned = people_mentioned(comment.text, comment.version.picture)
        comment.mentions.set(mentioned)
        notices.comment_written(comment, [person for person in mentioned if person.pk not in before], new=False)
    return comment


def delete_comment(author: User, comment: Comment) -> None:
    """Delete one's own comment. The first of a thread takes the answers along, so it goes only without any."""
    _check_author(author, comment)
    if comment.answers.exists():
        raise Refusal("has_answers", "This comment has answers; settle the thread instead.", status=409)
    comment.delete()


def settle_thread(user: User, comment: Comment, settled: bool) -> Comment:
    """Mark a thread as done with, or open it again; every reviewer may."""
    policies.require(policies.can_review, user, comment.version.picture)
    if comment.thread_id is not None:
        raise Refusal("bad_thread", "Only a whole thread can be settled.", status=422)
    comment.settled_at = timezone.now() if settled else None
    comment.settled_by = user if settled else None
    comment.save(update_fields=["settled_at", "settled_by"])
    return comment


def people_of(picture: Picture) -> list[User]:
    """Everybody who may open the picture: the members of its team, or its owner."""
    if picture.team is None:
        return [picture.owner]
    return list(picture.team.members.filter(is_active=True).order_by("username"))


def people_mentioned(text: str, picture: Picture) -> list[User]:
    """Those whom `text` mentions, out of those who may open the picture; other names stay plain text."""
    names = {name.casefold() for name in _MENTION.findall(text)}
    return [person for person in people_of(picture) if person.username.casefold() in names] if names else []


def _clean(text: str) -> str:
    text = text.strip()
    if not text:
        raise Refusal("empty_comment", "Write something first.", status=422)
    if len(text) > LONGEST_COMMENT:
        raise Refusal("comment_too_long", f"A comment has at most {LONGEST_COMMENT} characters.", status=422)
    return text


def _check_author(author: User, comment: Comment) -> None:
    policies.require(policies.can_review, author, comment.version.picture)
    if comment.author_id != author.pk:
        raise Refusal("not_yours", "Only its author can change a comment.", status=403)
