"""What a person can do with links: make them, take them back; and what a visitor with an address gets."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from webapp.accounts.limits import use_allowance
from webapp.errors import Refusal, not_found
from webapp.galleries.services import pick
from webapp.photos.models import Picture, Version
from webapp.sharing.models import LONGEST_TITLE, MOST_PICTURES, Share, SharedVersion
from webapp.teams import policies
from webapp.teams.activity import record
from webapp.teams.models import Activity

if TYPE_CHECKING:
    from webapp.accounts.models import User

LONGEST_DAYS = 365
SHORTEST_PASSWORD, LONGEST_PASSWORD = 6, 128
_TOKEN_BYTES = 24
_GUESSES = 10
_MOST_OPEN_SHARES = 500


def share_pictures(
    creator: User,
    ids: Sequence[UUID],
    *,
    version: UUID | None = None,
    title: str = "",
    days: int | None = None,
    password: str = "",
    allow_download: bool = False,
) -> tuple[Share, str]:
    """Make a link to the latest version of these pictures, or to `version` of a single one; ``(link, token)``.

    The token is part of the address and cannot be had again: only its hash is kept. The link shows what was the
    latest version when it was made, so that nothing painted later is shown by accident. `days` is its life; None for
    no end. Raises `Refusal`: a guest (403), pictures that cannot be seen (404) or shared (403), bad values (422).
    """
    if len(set(ids)) > MOST_PICTURES:
        raise Refusal("too_many", f"At most {MOST_PICTURES} pictures fit behind one link.", status=422)
    pictures = pick(creator, ids, rule=policies.can_share)
    if creator.is_guest:
        raise Refusal("account_needed", "Make an account first: a guest's pictures cannot be shared.", status=403)
    shown = _versions(pictures, version)
    title = _title(title, pictures)
    _check_terms(days, password)
    if Share.objects.filter(creator=creator).working().count() >= _MOST_OPEN_SHARES:
        raise Refusal("too_many", f"You have {_MOST_OPEN_SHARES} links; revoke some first.", status=422)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with transaction.atomic():
        share = Share.objects.create(
            creator=creator,
            title=title,
            token_sha256=token_hash(token),
            password=make_password(password) if password else "",
            allow_download=allow_download,
            expires_at=None if days is None else timezone.now() + timedelta(days=days),
        )
        SharedVersion.objects.bulk_create(
            SharedVersion(share=share, version=each, before_id=each.parent_id, position=place)
            for place, each in enumerate(shown)
        )
        for picture in pictures:
            record(picture.team_id, Activity.Kind.SHARED, creator, picture=picture, detail=title)
    return share, token


def revoke(user: User, share: Share) -> Share:
    """Take a link back; it stops working with this call. One that was taken back stays so."""
    if share.creator_id != user.pk:
        raise not_found()
    with transaction.atomic():
        if Share.objects.filter(pk=share.pk, revoked_at=None).update(revoked_at=timezone.now()):
            for picture in Picture.objects.filter(versions__shared_as__share=share).distinct():
                record(picture.team_id, Activity.Kind.UNSHARED, user, picture=picture, detail=share.title)
    share.refresh_from_db()
    return share


def open_share(token: str) -> Share:
    """The link with this token; raises `Refusal` (404) alike for one that never was, expired, or was revoked.

    A link works only as long as its maker could make it: not when they left the team, or lost the role.
    """
    found: Share | None = (
        Share.objects.working().select_related("creator").filter(token_sha256=token_hash(token)).first()
    )
    if found is None or not found.creator.is_active:
        raise not_found()
    return found


def items_of(share: Share) -> list[SharedVersion]:
    """What the link shows now: nothing that lies in the trash, nor what its maker may not share any more."""
    rows = SharedVersion.objects.filter(share=share, version__picture__in=Picture.objects.visible_to(share.creator))
    found = list(rows.select_related("version__picture", "before").order_by("position"))
    allowed = {
        team: policies.can_share(share.creator, picture)
        for team, picture in {item.version.picture.team_id: item.version.picture for item in found}.items()
    }
    return [item for item in found if allowed[item.version.picture.team_id]]


def item_of(share: Share, item_id: UUID) -> SharedVersion:
    """One picture behind the link; raises `Refusal` (404) when it does not show it (any more)."""
    rows = SharedVersion.objects.filter(share=share, version__picture__in=Picture.objects.visible_to(share.creator))
    found: SharedVersion | None = rows.select_related("version__picture", "before").filter(pk=item_id).first()
    if found is None or not policies.can_share(share.creator, found.version.picture):
        raise not_found()
    return found


def count_view(share: Share) -> None:
    """One more opening of the link's page."""
    Share.objects.filter(pk=share.pk).update(views=F("views") + 1, seen_at=timezone.now())


def try_password(share: Share, password: str, *, who: str) -> str:
    """The key that proves the password, to be kept in the visitor's session.

    Raises `Refusal`: 429 after ten guesses of `who` (an address) within ten minutes, 403 for a wrong password.
    """
    use_allowance(
        f"share-{share.pk}",
        who,
        limit=_GUESSES,
        seconds=600,
        message="Too many wrong passwords; wait ten minutes before you try again.",
    )
    if not check_password(password, share.password):
        raise Refusal("wrong_password", "This is not the password of this link.", status=403)
    return password_key(share)


def password_key(share: Share) -> str:
    """What a session holds that knows the password: it fits this link and this password only."""
    return salted_hmac("webapp.sharing", f"{share.pk}:{share.password}", algorithm="sha256").hexdigest()


def token_hash(token: str) -> str:
    """What is kept of a token. It has 192 random bits, so that a plain hash cannot be turned around."""
    return hashlib.sha256(token.encode()).hexdigest()


def _versions(pictures: Sequence[Picture], version: UUID | None) -> list[Version]:
    if version is not None:
        found = Version.objects.filter(pk=version, picture=pictures[0]).first() if len(pictures) == 1 else None
        if found is None:
            raise not_found()
        return [found]
    rows = Version.objects.filter(picture__in=pictures).order_by("created_at", "id")
    latest: dict[UUID, Version] = {row.picture_id: row for row in rows}
    return [latest[picture.pk] for picture in pictures if picture.pk in latest]


def _title(title: str, pictures: Sequence[Picture]) -> str:
    title = " ".join(title.split()) or (pictures[0].title if len(pictures) == 1 else f"{len(pictures)} pictures")
    if len(title) > LONGEST_TITLE or not title.isprintable():
        raise Refusal("bad_title", f"A title has at most {LONGEST_TITLE} characters.", status=422)
    return title


def _check_terms(days: int | None, password: str) -> None:
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise Refusal("bad_days", f"A link lasts 1 to {LONGEST_DAYS} days, or has no end.", status=422)
    if password and not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refusal(
            "bad_password", f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.", status=422
        )
