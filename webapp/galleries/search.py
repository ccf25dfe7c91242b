"""Galleries in pages: what is looked for, in which order, from where on.

A page is found in two steps: first the ids of its few pictures, by indexes and from a *key* on (never by counting rows
off from the start, so that the last page of 10 000 pictures is as quick as the first); then what their cards show.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from inpainting.catalog import offered
from webapp.errors import Refusal, not_found
from webapp.galleries.models import Favourite, Tag
from webapp.galleries.tag_lists import kept_tags
from webapp.photos.folding import fold, words_of
from webapp.photos.models import Picture, Version
from webapp.photos.querysets import PictureQuerySet
from webapp.reviews.standing import OPEN, newest_state
from webapp.teams.models import Team

if TYPE_CHECKING:
    from webapp.accounts.models import User

PAGE_SIZE = 24
MOST_WORDS = 8
_MOST_TAGS = 100
"""In the list to choose from."""

Sort = Literal["changed", "added", "title", "trashed"]
_SORTS: dict[Sort, tuple[str, bool]] = {
    "changed": ("changed_at", True),
    "added": ("created_at", True),
    "title": ("title_folded", False),
    "trashed": ("trashed_at", True),
}
"""Field, and whether the largest comes first. The id decides between equals, in the same direction."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a gallery shows. Everything that is given must hold."""

    team: UUID | None = None
    """None for one's own pictures."""
    trash: bool = False
    q: str = ""
    """Words; each must be in the title, in a tag, or in the name of a model that was used."""
    tag: str = ""
    model: str = ""
    status: Literal["", "open", "approved", "changes"] = ""
    favourite: bool = False
    since: date | None = None
    """First day on which it was added."""
    until: date | None = None
    """Last day on which it was added."""
    share_from: float | None = None
    """Some mask covers at least this share of the photo, 0 to 1."""
    share_to: float | None = None
    sort: Sort = "changed"

    @property
    def order(self) -> Sort:
        """The order it is shown in; the trash is always by when things were thrown away."""
        return "trashed" if self.trash else ("changed" if self.sort == "trashed" else self.sort)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a gallery."""

    pictures: list[Picture]
    """As `PictureQuerySet.for_cards` gives them, with tags at hand and `is_favourite` and `review` set."""
    next: str | None
    """Cursor of the page after it."""


def find_page(user: User | AnonymousUser, search: Search, cursor: str | None = None) -> Page:
    """The page of `search` behind `cursor`; raises `Refusal` for a bad cursor, and 404 for a team that is not theirs.

    At most six queries, however large the gallery.
    """
    field, descending = _SORTS[search.order]
    found = matching(user, search)
    if cursor:
        found = found.filter(_behind(field, descending, *_read_cursor(search.order, cursor)))
    sign = "-" if descending else ""
    keys = list(found.order_by(f"{sign}{field}", f"{sign}id").values_list("pk", field)[: PAGE_SIZE + 1])
    shown = keys[:PAGE_SIZE]
    following = _cursor(search.order, shown[-1][1], shown[-1][0]) if len(keys) > PAGE_SIZE else None
    return Page(pictures=cards(user, [pk for pk, _ in shown]), next=following)


def cursor_of(picture: Picture, order: Sort) -> str:
    """The cursor of the page that begins after `picture`."""
    return _cursor(order, getattr(picture, _SORTS[order][0]), picture.pk)


def cards(user: User | AnonymousUser, ids: list[UUID]) -> list[Picture]:
    """What cards show of these pictures, in this order; those that are gone, or being made or deleted, are left out."""
    if not ids:
        return []
    rows = Picture.objects.filter(pk__in=ids).for_cards().prefetch_related("tags")
    rows = rows.annotate(review=newest_state("pk"), is_favourite=Exists(_favourites(user)))
    by_id: dict[UUID, Picture] = {row.pk: row for row in rows}
    return [by_id[pk] for pk in ids if pk in by_id and vars(by_id[pk])["latest_id"] is not None]


def matching(user: User | AnonymousUser, search: Search) -> PictureQuerySet:
    """Every picture of `search`, in no order."""
    rows = _gallery(user, search)
    for word in words_of(search.q)[:MOST_WORDS]:
        rows = rows.filter(_has_word(word))
    if search.tag:
        rows = rows.filter(Exists(Tag.objects.filter(picture=OuterRef("pk"), folded=fold(search.tag))))
    if search.model:
        rows = rows.filter(Exists(Version.objects.filter(picture=OuterRef("pk"), model=search.model)))
    if search.share_from is not None or search.share_to is not None:
        rows = rows.filter(Exists(_masked(search)))
    if search.favourite:
        rows = rows.filter(Exists(_favourites(user)))
    if search.since:
        rows = rows.filter(created_at__gte=_midnight(search.since))
    if search.until:
        rows = rows.filter(created_at__lt=_midnight(search.until + timedelta(days=1)))
    if search.status:
        rows = rows.annotate(review=newest_state("pk"))
        rows = rows.filter(review__isnull=True) if search.status == OPEN else rows.filter(review=search.status)
    return rows


def tags_in_use(user: User | AnonymousUser, search: Search) -> list[str]:
    """Tags of the gallery (not of its trash), in the order of the alphabet; of several spellings of one tag the first.

    They may be those of a minute ago; see `tag_lists`.
    """
    if not user.is_authenticated:
        return []
    gallery = _gallery(user, search)  # whoever may not see it ends here

    def find() -> list[str]:
        rows = Tag.objects.filter(picture__in=gallery.values("pk"))
        names: dict[str, str] = {}
        for folded, name in rows.order_by("folded", "name").values_list("folded", "name").distinct()[: 3 * _MOST_TAGS]:
            names.setdefault(folded, name)
        return list(names.values())[:_MOST_TAGS]

    return kept_tags(search.team or user.pk, find)


def _gallery(user: User | AnonymousUser, search: Search) -> PictureQuerySet:
    """All of the place; a team's only for its members. The rule is `visible_to`'s, asked once and not for each row."""
    team = None
    if search.team is not None:
        team = Team.objects.visible_to(user).filter(pk=search.team).first()
        if team is None:
            raise not_found()
    if search.trash:
        return Picture.objects.in_trash_of(user).filter(
            **({"owner": user.pk, "team": None} if team is None else {"team": team})
        )
    return Picture.objects.owned_by(user) if team is None else Picture.objects.of_team(team)


def _has_word(word: str) -> Q:
    tagged = Exists(Tag.objects.filter(picture=OuterRef("pk"), folded__contains=word))
    found = Q(title_folded__contains=word) | Q(tagged)
    models = [entry.key for entry in offered(include_untrained=True) if word in fold(f"{entry.key} {entry.title}")]
    if models:
        found |= Q(Exists(Version.objects.filter(picture=OuterRef("pk"), model__in=models)))
    return found


def _masked(search: Search) -> QuerySet[Version]:
    rows: QuerySet[Version] = Version.objects.filter(picture=OuterRef("pk"))
    if search.share_from is not None:
        rows = rows.filter(mask__hole_share__gte=search.share_from)
    if search.share_to is not None:
        rows = rows.filter(mask__hole_share__lte=search.share_to)
    return rows.filter(mask__isnull=False)


def _favourites(user: User | AnonymousUser) -> QuerySet[Favourite]:
    return Favourite.objects.filter(picture=OuterRef("pk"), person=user.pk)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _behind(field: str, descending: bool, value: Any, pk: UUID) -> Q:
    """Rows after the key. The first condition says nothing new, but it is one that an index can begin at."""
    beyond = "lt" if descending else "gt"
    return Q(**{f"{field}__{beyond}e": value}) & (Q(**{f"{field}__{beyond}": value}) | Q(**{f"id__{beyond}": pk}))


def _cursor(order: Sort, value: Any, pk: UUID) -> str:
    text = json.dumps([order, value.isoformat() if isinstance(value, datetime) else value, str(pk)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(order: Sort, cursor: str) -> tuple[Any, UUID]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
        made_for, text, pk = parts
        if made_for != order or not isinstance(text, str):
            raise ValueError("a cursor belongs to one order")
        if order == "title":
            return text, UUID(pk)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("a cursor's time has an offset")
        return moment, UUID(pk)
    except (ValueError, TypeError, AttributeError, UnicodeError):
        raise Refusal(
            "bad_cursor", "This cursor is not one that the list gave out; start from the beginning."
        ) from None
