"""Drafts: masks in progress, kept between strokes, so that a reload or another device finds them."""

from __future__ import annotations

import hashlib

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from inpainting.imaging import encode_mask
from webapp.accounts.models import User
from webapp.errors import not_found
from webapp.photos.files import new_files, remove_file, write_file
from webapp.photos.models import Draft, Mask, Picture, Version
from webapp.photos.services import mask_digest, normalise_mask


def save_draft(owner: User, version: Version, data: bytes) -> Draft | None:
    """Keep the mask in the picture file `data` as the draft of `owner` on the picture of `version`.

    Whoever writes last wins. A draft without any hole is none: what was kept is removed, and the answer is None. The
    file that is kept already, sent again, only gets a new time. Raises `Refusal` like `normalise_mask`, and 404 when
    the picture was deleted meanwhile.
    """
    sent = hashlib.sha256(data).hexdigest()
    mine = Draft.objects.filter(owner=owner, picture_id=version.picture_id)
    if mine.filter(sent_sha256=sent).update(version=version, updated_at=Now()):
        return mine.first()
    hole = normalise_mask(version, data)
    if not hole.any():
        mine.delete()
        return None
    png, digest = encode_mask(hole), mask_digest(hole)
    try:
        with new_files(), transaction.atomic():
            # The lock puts writers of one picture in turn, also when there is no draft yet to lock.
            if not Picture.objects.select_for_update().filter(pk=version.picture_id).exists():
                raise not_found()
            draft: Draft = mine.first() or Draft(owner=owner, picture_id=version.picture_id)
            storage, old = draft.file.storage, draft.file.name
            draft.version, draft.sent_sha256, draft.sha256 = version, sent, digest
            draft.updated_at = Now()
            write_file(draft.file, ".png", png)
            draft.save()
            if old:
                transaction.on_commit(lambda: remove_file(storage, old), robust=True)
    except IntegrityError:  # the version was deleted meanwhile
        raise not_found() from None
    draft.refresh_from_db()
    return draft


def draft_on(owner: User | AnonymousUser, version: Version) -> Draft | None:
    """The draft that `owner` painted on just this version."""
    found: Draft | None = Draft.objects.visible_to(owner).filter(version=version).first()
    return found


def delete_draft(owner: User | AnonymousUser, version: Version) -> None:
    """Remove the draft that `owner` painted on just this version; nothing happens when there is none."""
    Draft.objects.visible_to(owner).filter(version=version).delete()


def draft_is_submitted(owner: User, mask: Mask) -> None:
    """`owner` asks for `mask` to be filled: a draft of just that hole has served its purpose."""
    Draft.objects.filter(owner=owner, picture_id=mask.picture_id, sha256=mask.sha256).delete()
