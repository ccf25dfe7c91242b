"""Addresses of files. Whoever may not see a picture gets the same answer as for one that does not exist."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from webapp.errors import Refusal, not_found
from webapp.photos.downloads import file_of, filename_of
from webapp.photos.models import Finding, Mask, Overlay, SourceMap, Version
from webapp.photos.querysets import FindingQuerySet
from webapp.photos.renditions import CONTENT_TYPES, Spec
from webapp.photos.serving import not_modified, send_file


@require_safe
def version_display(request: HttpRequest, version_id: UUID) -> HttpResponseBase:
    """The version for the screen."""
    return _send(request, _version(request, version_id), "display")


@require_safe
def version_thumb(request: HttpRequest, version_id: UUID) -> HttpResponseBase:
    """The version as a small picture; also of a picture in one's trash."""
    version = Version.objects.small_for(request.user).select_related("picture").filter(pk=version_id).first()
    if version is None:
        raise not_found()
    return _send(request, version, "thumb")


@require_safe
def version_download(request: HttpRequest, version_id: UUID) -> HttpResponseBase:
    """The version at full resolution: `?as=png` lossless, `?as=original` in the format of the upload."""
    version = _version(request, version_id)
    form = request.GET.get("as", "png")
    if form not in ("png", "original"):
        raise Refusal("no_such_form", "A picture can be downloaded as “png” or as “original”.")
    return _send(request, version, "png" if form == "png" else "original", attachment=True)


@require_safe
def mask(request: HttpRequest, mask_id: UUID) -> HttpResponseBase:
    """A mask as 8-bit PNG."""
    found = Mask.objects.visible_to(request.user).select_related("picture").filter(pk=mask_id).first()
    if found is None:
        raise not_found()
    etag = f'"{found.pk}"'
    return not_modified(request, etag) or send_file(
        request, found.file, etag=etag, content_type="image/png", filename=f"{found.picture.title} mask.png"
    )


@require_safe
def overlay(request: HttpRequest, overlay_id: UUID) -> HttpResponseBase:
    """A picture of what happened inside a model."""
    return _send_finding(request, Overlay.objects.all(), overlay_id, "image/webp", "overlay.webp")


@require_safe
def sources(request: HttpRequest, sources_id: UUID) -> HttpResponseBase:
    """A source map, in its own format."""
    return _send_finding(request, SourceMap.objects.all(), sources_id, "application/octet-stream", "sources.bin")


def _send_finding(
    request: HttpRequest, rows: FindingQuerySet, pk: UUID, content_type: str, filename: str
) -> HttpResponseBase:
    found: Finding | None = rows.visible_to(request.user).filter(pk=pk).first()
    if found is None:
        raise not_found()
    etag = f'"{found.pk}"'
    return not_modified(request, etag) or send_file(
        request, found.file, etag=etag, content_type=content_type, filename=filename
    )


def _version(request: HttpRequest, version_id: UUID) -> Version:
    found: Version | None = (
        Version.objects.visible_to(request.user).select_related("picture").filter(pk=version_id).first()
    )
    if found is None:
        raise not_found()
    return found


def _send(request: HttpRequest, version: Version, spec: Spec, *, attachment: bool = False) -> HttpResponseBase:
    etag = f'"{version.pk}-{spec}"'
    answer = not_modified(request, etag)
    if answer is not None:
        return answer
    file = file_of(version, spec)
    suffix = "." + (file.name or "").rpartition(".")[2]
    return send_file(
        request,
        file,
        etag=etag,
        content_type=CONTENT_TYPES[suffix],
        filename=filename_of(version, suffix),
        attachment=attachment,
    )
