"""Lists in pages: a cursor names the last row seen, so that new rows neither shift nor repeat what follows."""

from __future__ import annotations

import base64
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from webapp.accounts.models import User
from webapp.api.payloads import card_out
from webapp.api.schemas import PicturePage
from webapp.errors import Refusal
from webapp.photos.models import Picture

PAGE_SIZE = 24


def picture_page(user: User | AnonymousUser, cursor: str | None) -> PicturePage:
    """The pictures of `user`, latest change first, from behind `cursor` on; raises `Refusal` for a bad cursor."""
    # A picture without versions is one that is being deleted at this moment.
    rows = Picture.objects.visible_to(user).for_cards().filter(version_count__gt=0).order_by("-changed_at", "-id")
    if cursor:
        changed_at, pk = _read_cursor(cursor)
        rows = rows.filter(Q(changed_at__lt=changed_at) | Q(changed_at=changed_at, id__lt=pk))
    found: list[Picture] = list(rows[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    more = len(found) > PAGE_SIZE
    return PicturePage(items=[card_out(row) for row in shown], next=_cursor_of(shown[-1]) if more else None)


def _cursor_of(picture: Picture) -> str:
    text = f"{picture.changed_at.isoformat()} {picture.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, pk = text.partition(" ")
        changed_at = datetime.fromisoformat(moment)
        if changed_at.tzinfo is None:
            raise ValueError("a cursor's time has an offset")
        return changed_at, UUID(pk)
    except (ValueError, UnicodeError):
        raise Refusal(
            "bad_cursor", "This cursor is not one that the list gave out; start from the beginning."
        ) from None
