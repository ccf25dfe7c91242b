"""Who is told about reviews: whoever made what is judged, whoever takes part in a thread, whoever is mentioned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db.models import Q
from django.template.defaultfilters import truncatechars
from django.urls import reverse

from webapp.accounts.models import User
from webapp.notifications.models import Notification
from webapp.notifications.services import notify
from webapp.reviews.models import Comment, Verdict
from webapp.teams import policies

if TYPE_CHECKING:
    from webapp.photos.models import Picture, Version

Kind = Notification.Kind
_LONGEST_QUOTE = 120


def verdict_given(verdict: Verdict) -> None:
    """Tell whoever made the version what a reviewer holds of it."""
    version = verdict.version
    says = "approved" if verdict.state == Verdict.State.APPROVED else "wants changes to"
    note = f": {truncatechars(verdict.note, _LONGEST_QUOTE)}" if verdict.note else "."
    text = f"{verdict.reviewer} {says} “{verdict.picture.title}”{note}"
    _tell({maker_of(version)}, Kind.REVIEW, text, verdict.picture, f"#version-{version.pk}", verdict.reviewer)


def comment_written(comment: Comment, mentioned: Iterable[User], *, new: bool = True) -> None:
    """Tell the mentioned, and for a `new` comment also whoever made the version and wrote in the thread before."""
    picture = comment.version.picture
    named = set(mentioned)
    where, quote = f"#comment-{comment.pk}", truncatechars(comment.text, _LONGEST_QUOTE)
    _tell(
        named,
        Kind.MENTION,
        f"{comment.author} mentioned you on “{picture.title}”: {quote}",
        picture,
        where,
        comment.author,
    )
    if not new:
        return
    others = {maker_of(comment.version)}
    if comment.thread is not None:
        wrote = Comment.objects.filter(Q(thread=comment.thread) | Q(pk=comment.thread.pk))
        others |= set(User.objects.filter(comments__in=wrote))
    _tell(
        others - named,
        Kind.COMMENT,
        f"{comment.author} commented on “{picture.title}”: {quote}",
        picture,
        where,
        comment.author,
    )


def maker_of(version: Version) -> User:
    """Who asked for a result, or brought the picture."""
    job = getattr(version, "made_by", None)
    maker = version.picture.owner if job is None else job.owner
    assert isinstance(maker, User)  # noqa: S101  # the type of a foreign key is any model to the checker
    return maker


def _tell(
    people: set[User], kind: Notification.Kind, text: str, picture: Picture, where: str, actor: User | None
) -> None:
    url = reverse("picture", args=[picture.pk]) + where
    for person in people:
        if policies.can_view(person, picture):  # whoever left the team is not told any more
            notify(person, kind, text, url=url, actor=actor, mail=kind == Kind.MENTION)
