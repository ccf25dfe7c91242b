"""What a person, or a worker on a person's behalf, can do with pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from inpainting.imaging import BoolMask, Photo, PhotoError, decode, decode_mask, encode_mask
from webapp.accounts.limits import use_allowance
from webapp.accounts.models import User
from webapp.errors import Refusal, not_found
from webapp.photos import samples
from webapp.photos.files import new_files, read_file, write_file
from webapp.photos.findings import NewOverlay, NewSourceMap, store_findings
from webapp.photos.models import Mask, Picture, Version
from webapp.photos.renditions import SUFFIXES, decoding_slots, make_rendition, render_for_screen, store_rendition
from webapp.photos.uploads import title_from, too_big
from webapp.teams import activity, policies, quotas
from webapp.teams.models import Activity, Team

__all__ = [
    "add_mask",
    "add_picture",
    "add_result",
    "add_sample",
    "delete_picture",
    "keep_mask",
    "make_rendition",
    "mask_digest",
    "normalise_mask",
    "read_mask",
    "read_version",
    "store_picture",
]


def add_picture(owner: User, name: str, data: bytes, *, team: Team | None = None) -> Picture:
    """Take in a photo from the bytes of its file, as the owner's own or for `team`; its title comes from `name`.

    The file is kept as it is; the renditions for the screen are made right away, while the photo is decoded.
    Raises `Refusal`: no right to add to the team (403), too many uploads (429), too many bytes or no room left (413),
    not a readable photo or too many pixels (422).
    """
    _check_may_add(owner, team)
    _count_upload(owner)
    if len(data) > settings.MAX_UPLOAD_BYTES:
        raise too_big()
    return store_picture(owner, title_from(name), data, team)


def add_sample(owner: User, name: str, *, team: Team | None = None) -> Picture:
    """Take in one of the shipped sample photos; raises `Refusal` (404) for a name that is not among them."""
    sample = samples.get(name)
    if sample is None:
        offered = ", ".join(each.name for each in samples.all_samples()) or "none"
        raise Refusal("no_such_sample", f"There is no sample of this name. There are: {offered}.", status=404)
    _check_may_add(owner, team)
    _count_upload(owner)
    return store_picture(owner, sample.title, sample.path.read_bytes(), team)


def delete_picture(picture: Picture) -> None:
    """Delete a picture with its versions, masks, jobs and files. A worker that is filling it notices and stops."""
    picture.delete()


def add_mask(version: Version, data: bytes) -> Mask:
    """Keep a mask for `version` from a picture file of its displayed size, 128 or more is hole.

    The same hole painted again gives the mask that exists. Raises `Refusal` (422) when the file is no picture of
    that size, has no hole, or is nothing but hole.
    """
    hole = normalise_mask(version, data)
    hole_pixels = int(np.count_nonzero(hole))
    if hole_pixels == 0:
        raise Refusal("empty_mask", "Nothing is painted yet; paint over what should go.", status=422)
    if hole_pixels == hole.size:
        raise Refusal(
            "full_mask", "Everything is painted over; leave some of the photo to fill the hole from.", status=422
        )
    return keep_mask(version, hole)


def keep_mask(version: Version, hole: BoolMask) -> Mask:
    """The mask row of `hole` (H, W), of the version's size; the one that exists where there is one."""
    if hole.shape != (version.height, version.width):
        raise ValueError(f"a mask of {hole.shape[1]} × {hole.shape[0]} for {version.width} × {version.height}")
    digest = mask_digest(hole)
    existing: Mask | None = Mask.objects.filter(picture_id=version.picture_id, sha256=digest).first()
    if existing is not None:
        return existing
    hole_pixels = int(np.count_nonzero(hole))
    mask = Mask(
        picture_id=version.picture_id,
        sha256=digest,
        hole_pixels=hole_pixels,
        hole_share=hole_pixels / hole.size,
    )
    try:
        with new_files(), transaction.atomic():
            write_file(mask.file, ".png", encode_mask(hole))
            mask.save(force_insert=True)
    except IntegrityError:  # the picture was deleted meanwhile
        raise not_found() from None
    return mask


def normalise_mask(version: Version, data: bytes) -> BoolMask:
    """The hole (H, W) in a picture file of any format, 128 or more is hole; it may be empty, or cover everything.

    Raises `Refusal` when the file is too big (413), or no picture of the version's displayed size (422).
    """
    if len(data) > settings.MAX_UPLOAD_BYTES:
        raise too_big()
    try:
        with decoding_slots:
            return decode_mask(data, width=version.width, height=version.height)
    except PhotoError as error:
        raise Refusal("bad_mask", str(error), status=422) from None


def mask_digest(hole: BoolMask) -> str:
    """The same for the same hole, however its file is written."""
    height, width = hole.shape
    return hashlib.sha256(f"{width}x{height}:".encode() + np.packbits(hole).tobytes()).hexdigest()


def read_version(version: Version) -> bytes:
    """The stored file of a version: the upload as it came, or the result's PNG."""
    return read_file(version.file)


def read_mask(mask: Mask) -> bytes:
    """The stored 8-bit PNG of a mask."""
    return read_file(mask.file)


def add_result(
    *,
    source: Version,
    mask: Mask,
    png: bytes,
    width: int,
    height: int,
    model: str,
    params: dict[str, Any],
    seed: int,
    timings: dict[str, Any],
    proof: dict[str, Any],
    notes: dict[str, Any],
    overlays: Sequence[NewOverlay] = (),
    sources: Sequence[NewSourceMap] = (),
) -> Version:
    """Keep what a model made of `source` in the hole `mask`, as the next version of the picture.

    `png` is the lossless file, of the source's size; `timings` are seconds by stage; `overlays` and `sources` are what
    the model reported, ready to be stored. Raises `Refusal` (404) when
    the picture was deleted meanwhile, `ValueError` when the size is not the source's.
    """
    if (width, height) != (source.width, source.height):
        raise ValueError(f"the result is {width} × {height}, its source {source.width} × {source.height}")
    version = Version(
        picture_id=source.picture_id,
        parent_id=source.pk,
        mask_id=mask.pk,
        bytes=len(png),
        width=width,
        height=height,
        upload_format=source.upload_format,
        model=model,
        params=params,
        seed=seed,
        timings=timings,
        proof=proof,
        notes=notes,
    )
    try:
        with new_files(), transaction.atomic():
            touched = Picture.objects.filter(pk=source.picture_id).update(changed_at=timezone.now())
            if not touched:
                raise not_found()
            write_file(version.file, ".png", png)
            version.save(force_insert=True)
            store_findings(version, overlays, sources)
    except IntegrityError:
        raise not_found() from None
    return version


def _check_may_add(owner: User, team: Team | None) -> None:
    if not policies.can_add(owner, team):
        raise policies.forbidden()


def _count_upload(owner: User) -> None:
    use_allowance(
        "upload",
        str(owner.pk),
        limit=settings.UPLOADS_PER_HOUR,
        seconds=3600,
        message="You added many pictures within an hour; wait a while before you add more.",
    )


def store_picture(owner: User, title: str, data: bytes, team: Team | None) -> Picture:
    """`add_picture` for programs: without the limits on people, but with the quotas."""
    quotas.check_storage(owner, team, len(data))
    with decoding_slots:
        photo = _decode_upload(data)
        shown = render_for_screen(photo)
    picture = Picture(owner=owner, title=title, team=team)
    version = Version(
        picture=picture,
        bytes=len(data),
        width=photo.width,
        height=photo.height,
        upload_format=photo.format,
    )
    with new_files(), transaction.atomic():
        quotas.check_storage(owner, team, len(data), lock=True)
        picture.save(force_insert=True)
        write_file(version.file, SUFFIXES[photo.format], data)
        version.save(force_insert=True)
        for spec, made in shown.items():
            store_rendition(version, spec, made)
        activity.record(team, Activity.Kind.PICTURE_ADDED, owner, picture=picture)
    return picture


def _decode_upload(data: bytes) -> Photo:
    try:
        return decode(data, max_pixels=settings.MAX_UPLOAD_PIXELS)
    except PhotoError as error:
        raise Refusal("bad_photo", str(error), status=422) from None
