"""Everything that the site keeps about a person, as a ZIP file that is made while it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from allauth.account.models import EmailAddress
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F
from django.db.models.fields.files import FieldFile
from zipstream import ZipStream

from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.evaluations.models import Evaluation
from webapp.galleries.models import Favourite
from webapp.jobs.models import Job
from webapp.notifications.models import Notification
from webapp.photos.files import open_file
from webapp.photos.models import Picture
from webapp.reviews.models import Ballot, Comment, Verdict
from webapp.sharing.models import Share
from webapp.teams.models import Membership

_CHUNK = 256 * 1024
_NOT_IN_NAMES = '<>:"/\\|?*'
_LONGEST_NAME = 60


def export_of(user: User) -> Iterator[bytes]:
    """The ZIP file in pieces: ``account.json``, then a folder for each picture with its files as they are stored.

    What lies in the trash is there too. Pictures of teams belong to the teams, so only their titles are in it. Only one
    file is open at a time.
    """
    archive = ZipStream()
    missing: list[str] = []
    archive.add(_json(_account(user)), "account.json")
    yield from archive.all_files()
    for picture in Picture.objects.filter(owner=user, team=None).order_by("created_at").iterator(chunk_size=100):
        folder = f"pictures/{_folder(picture)}"
        archive.add(_json(_picture(picture)), f"{folder}/picture.json")
        yield from archive.all_files()
        for name, field in _files(picture):
            try:
                stream = open_file(field)
            except (Refusal, FileNotFoundError):
                missing.append(f"{folder}/{name}")
                continue
            with stream:
                archive.add(iter(lambda stream=stream: stream.read(_CHUNK), b""), f"{folder}/{name}")  # type: ignore[misc]
                yield from archive.all_files()
    if missing:
        archive.add("These files could not be read:\n" + "\n".join(missing) + "\n", "missing.txt")
    yield from archive.finalize()


def _account(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "date_joined": user.date_joined,
        "last_login": user.last_login,
        "mail_notices": user.mail_notices,
        "email_addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "teams": [
            {"team": member.team.name, "role": member.role, "joined_at": member.joined_at}
            for member in Membership.objects.filter(user=user).select_related("team")
        ],
        "brought_into_teams": [
            {"team": picture.team.name, "title": picture.title, "created_at": picture.created_at}
            for picture in Picture.objects.visible_to(user)
            .filter(owner=user, team__isnull=False)
            .select_related("team")
        ],
        "jobs": list(
            Job.objects.filter(owner=user)
            .order_by("created_at")
            .values("id", "kind", "model", "params", "seed", "status", "created_at", "started_at", "finished_at")
        ),
        "comments": list(
            Comment.objects.filter(author=user)
            .order_by("created_at")
            .values("version", "thread", "text", "x", "y", "created_at", "edited_at")
        ),
        # Only those that are cast: an open one would tell whose results are compared.
        "votes": list(
            Ballot.objects.cast()
            .filter(voter=user)
            .order_by("cast_at")
            .values("picture", "choice", "cast_at", first_model=F("first__model"), second_model=F("second__model"))
        ),
        "verdicts": list(Verdict.objects.filter(reviewer=user).values("version", "state", "note", "decided_at")),
        "links": [_link(share) for share in Share.objects.filter(creator=user).prefetch_related("items")],
        "evaluations": list(
            Evaluation.objects.filter(owner=user)
            .order_by("created_at")
            .values("title", "protocol", "size", "seed", "methods", "state", "created_at", "summary")
        ),
        "favourites": list(Favourite.objects.filter(person=user).values_list("picture", flat=True)),
        "notifications": list(
            Notification.objects.filter(user=user)
            .values("kind", "text", "created_at", "read_at")
            .order_by("created_at")
        ),
    }


def _link(share: Share) -> dict[str, Any]:
    """A link with what it shows. Its address is known to nobody any more, and its password only as a hash."""
    return {
        "title": share.title,
        "versions": [item.version_id for item in share.items.all()],
        "allow_download": share.allow_download,
        "has_password": bool(share.password),
        "created_at": share.created_at,
        "expires_at": share.expires_at,
        "revoked_at": share.revoked_at,
        "views": share.views,
        "seen_at": share.seen_at,
    }


def _picture(picture: Picture) -> dict[str, Any]:
    return {
        "id": picture.pk,
        "title": picture.title,
        "created_at": picture.created_at,
        "changed_at": picture.changed_at,
        "trashed_at": picture.trashed_at,
        "tags": list(picture.tags.values_list("name", flat=True)),
        "versions": [
            {
                "file": _version_file(str(version.pk), version.file),
                "parent": version.parent_id,
                "mask": f"mask-{version.mask_id}.png" if version.mask_id else None,
                "model": version.model,
                "params": version.params,
                "seed": version.seed,
                "proof": version.proof,
                "created_at": version.created_at,
            }
            for version in picture.versions.order_by("created_at")
        ],
    }


def _files(picture: Picture) -> Iterator[tuple[str, FieldFile]]:
    for version in picture.versions.order_by("created_at"):
        yield _version_file(str(version.pk), version.file), version.file
    for mask in picture.masks.order_by("created_at"):
        yield f"mask-{mask.pk}.png", mask.file


def _version_file(name: str, field: FieldFile) -> str:
    return f"version-{name}{PurePath(field.name or '').suffix}"


def _folder(picture: Picture) -> str:
    title = "".join("_" if char in _NOT_IN_NAMES else char for char in picture.title)[:_LONGEST_NAME].strip(". ")
    return f"{title or 'picture'} {str(picture.pk)[:8]}"


def _json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, cls=DjangoJSONEncoder, indent=2, ensure_ascii=False) + "\n"
