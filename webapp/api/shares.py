"""The REST API's calls about links."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Router, Schema, Status

from webapp.api.seen import REFUSED, caller
from webapp.errors import not_found
from webapp.sharing import services
from webapp.sharing.models import Share

router = Router(tags=["sharing"])

_MOST_LISTED = 500


class ShareIn(Schema):
    pictures: list[UUID]
    version: UUID | None = Field(None, description="This version of a single picture, in place of its latest one.")
    title: str = Field("", description="Made from the pictures when it is empty.")
    days: int | None = Field(30, description="How long it works; null for no end.")
    password: str = ""
    allow_download: bool = False


class ShareOut(Schema):
    id: UUID
    title: str
    pictures: int
    has_password: bool
    allow_download: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    works: bool = Field(description="Neither revoked nor expired.")
    views: int
    seen_at: datetime | None = Field(description="When it was last opened.")


class NewShareOut(ShareOut):
    url: str = Field(description="The address; it is shown only now, as no more than a hash of it is kept.")
    embed_url: str | None = Field(description="The slider alone, for a frame; only for one picture without password.")


@router.post("/shares", response={201: NewShareOut, **REFUSED}, summary="Make a link")
def make_share(request: HttpRequest, wanted: ShareIn) -> Status[NewShareOut]:
    """Let people without an account see pictures. The answer holds the address, which cannot be had again."""
    share, token = services.share_pictures(
        caller(request),
        wanted.pictures,
        version=wanted.version,
        title=wanted.title,
        days=wanted.days,
        password=wanted.password,
        allow_download=wanted.allow_download,
    )
    items = list(share.items.all())
    embed = None
    if len(items) == 1 and not share.password:
        embed = request.build_absolute_uri(reverse("shared_embed", args=[token, items[0].pk]))
    url = request.build_absolute_uri(reverse("shared", args=[token]))
    return Status(201, NewShareOut(**share_fields(share, len(items)), url=url, embed_url=embed))


@router.get("/shares", response={200: list[ShareOut], **REFUSED}, summary="Links")
def list_shares(request: HttpRequest, picture: UUID | None = None) -> list[ShareOut]:
    """The links you made, newest first; with `picture` those that show it."""
    return [ShareOut(**share_fields(share, share.pictures)) for share in shares_of(request, picture)]


@router.delete("/shares/{uuid:share_id}", response={200: ShareOut, **REFUSED}, summary="Revoke a link")
def revoke(request: HttpRequest, share_id: UUID) -> ShareOut:
    """It stops working at once, for good."""
    share: Share | None = Share.objects.visible_to(request.user).filter(pk=share_id).first()
    if share is None:
        raise not_found()
    return ShareOut(**share_fields(services.revoke(caller(request), share), share.items.count()))


def shares_of(request: HttpRequest, picture: UUID | None = None) -> list[Any]:
    """The caller's links, each with the number of its `pictures`."""
    rows = Share.objects.visible_to(caller(request))
    if picture is not None:
        rows = rows.filter(items__version__picture=picture)
    ids = list(rows.order_by("-created_at", "-id").values_list("pk", flat=True)[:_MOST_LISTED])
    found = Share.objects.filter(pk__in=ids).annotate(pictures=Count("items"))
    return list(found.order_by("-created_at", "-id"))


def share_fields(share: Share, pictures: int) -> dict[str, Any]:
    """What is told about a link."""
    return {
        "id": share.pk,
        "title": share.title,
        "pictures": pictures,
        "has_password": bool(share.password),
        "allow_download": share.allow_download,
        "created_at": share.created_at,
        "expires_at": share.expires_at,
        "revoked_at": share.revoked_at,
        "works": share.is_open,
        "views": share.views,
        "seen_at": share.seen_at,
    }
