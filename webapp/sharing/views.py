"""Pages and files that a link shows. Whoever has the address gets in; nothing here asks who somebody is.

Every request asks anew whether the link still works, for files as well as for pages, and nothing is kept by shared
caches, so that a link that is taken back shows nothing more.
"""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from allauth.account.adapter import get_adapter
from csp.constants import NONE
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from webapp.errors import Refusal, not_found
from webapp.photos.downloads import file_of, filename_of
from webapp.photos.models import Version
from webapp.photos.renditions import CONTENT_TYPES, Spec
from webapp.photos.serving import not_modified, send_file
from webapp.sharing import services
from webapp.sharing.models import Share, SharedVersion

_Answer = TypeVar("_Answer", bound=HttpResponseBase)

_SESSION_KEY = "shares"
_MOST_UNLOCKED = 50
_PARTS: dict[str, tuple[str, Spec]] = {
    "display": ("version", "display"),
    "thumb": ("version", "thumb"),
    "before": ("before", "display"),
}


@require_safe
@never_cache
def shared(request: HttpRequest, share_token: str) -> HttpResponse:
    """What a link shows: one picture with its slider, or a gallery; or the question for the password."""
    share = services.open_share(share_token)
    if not _is_unlocked(request, share):
        return _private(_ask_password(request, share_token))
    items = services.items_of(share)
    if not items:
        raise not_found()
    if request.method == "GET":
        services.count_view(share)
    if len(items) == 1:
        return _private(_picture_page(request, share, share_token, items[0], alone=True))
    context = {
        "share": share,
        "items": [_item(item, share_token) for item in items],
        "page_url": _absolute(request, "shared", share_token),
        "cover_url": _absolute(request, "shared_file", share_token, items[0].pk, "display"),
    }
    return _private(render(request, "sharing/gallery.html", context))


@require_safe
@never_cache
def shared_picture(request: HttpRequest, share_token: str, item_id: UUID) -> HttpResponse:
    """One picture of a shared gallery."""
    share = services.open_share(share_token)
    if not _is_unlocked(request, share):
        return _private(_ask_password(request, share_token))
    item = services.item_of(share, item_id)
    return _private(_picture_page(request, share, share_token, item, alone=share.items.count() == 1))


@require_POST
@never_cache
def unlock(request: HttpRequest, share_token: str) -> HttpResponseBase:
    """Take the password, and remember in the visitor's session that it was right."""
    share = services.open_share(share_token)
    if not share.password:
        return _private(HttpResponseRedirect(reverse("shared", args=[share_token])))
    try:
        key = services.try_password(share, request.POST.get("password", ""), who=get_adapter().get_client_ip(request))
    except Refusal as refusal:
        return _private(_ask_password(request, share_token, refusal))
    known = [each for each in request.session.get(_SESSION_KEY, []) if each != key]
    request.session[_SESSION_KEY] = [*known, key][-_MOST_UNLOCKED:]
    return _private(HttpResponseRedirect(reverse("shared", args=[share_token])))


@require_safe
@xframe_options_exempt
@csp_replace(  # type: ignore[arg-type]  # its types know views without arguments only
    {"frame-ancestors": ["*"], "form-action": [NONE], "connect-src": [NONE], "worker-src": [NONE]}
)
@never_cache
def embed(request: HttpRequest, share_token: str, item_id: UUID) -> HttpResponse:
    """The slider alone, the one page of this site that others may put into a frame."""
    share = services.open_share(share_token)
    if share.password:
        raise Refusal("has_password", "A link with a password cannot be embedded; open it by itself.", status=403)
    item = services.item_of(share, item_id)
    context = {**_item(item, share_token), "page_url": _absolute(request, "shared", share_token), "share": share}
    return _private(render(request, "sharing/embed.html", context))


@require_safe
def file(request: HttpRequest, share_token: str, item_id: UUID, part: str) -> HttpResponseBase:
    """A shared picture for the screen (`display`), as a small one (`thumb`), or what it was made from (`before`)."""
    if part not in _PARTS:
        raise not_found()
    share = _unlocked(request, share_token)
    item = services.item_of(share, item_id)
    which, spec = _PARTS[part]
    version = item.version if which == "version" else item.before
    if version is None:
        raise not_found()
    return _send(request, version, item, spec, name=f"{share.title}{'' if part != 'before' else ' before'}")


@require_safe
def download(request: HttpRequest, share_token: str, item_id: UUID) -> HttpResponseBase:
    """A shared picture at full resolution, in the format of the upload, where the link allows it."""
    share = _unlocked(request, share_token)
    if not share.allow_download:
        raise not_found()
    item = services.item_of(share, item_id)
    return _send(request, item.version, item, "original", name="", attachment=True)


def _send(
    request: HttpRequest, version: Version, item: SharedVersion, spec: Spec, *, name: str, attachment: bool = False
) -> HttpResponseBase:
    etag = f'"{item.pk}-{version.pk}-{spec}"'
    answer: HttpResponseBase | None = not_modified(request, etag)
    if answer is None:
        found = file_of(version, spec)
        suffix = "." + (found.name or "").rpartition(".")[2]
        answer = send_file(
            request,
            found,
            etag=etag,
            content_type=CONTENT_TYPES[suffix],
            filename=f"{name}{suffix}" if name else filename_of(version, suffix),
            attachment=attachment,
        )
    # The browser may keep it but has to ask each time, or a revoked link would go on showing what was seen before.
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def _picture_page(request: HttpRequest, share: Share, token: str, item: SharedVersion, *, alone: bool) -> HttpResponse:
    context = {
        **_item(item, token),
        "share": share,
        "alone": alone,
        "page_url": _absolute(request, "shared", token)
        if alone
        else _absolute(request, "shared_picture", token, item.pk),
        "gallery_url": reverse("shared", args=[token]),
        "cover_url": _absolute(request, "shared_file", token, item.pk, "display"),
        "embed_url": "" if share.password else _absolute(request, "shared_embed", token, item.pk),
    }
    return render(request, "sharing/picture.html", context)


def _item(item: SharedVersion, token: str) -> dict[str, Any]:
    version = item.version

    def url(part: str) -> str:
        return reverse("shared_file", args=[token, item.pk, part])

    return {
        "title": version.picture.title,
        "width": version.width,
        "height": version.height,
        "url": reverse("shared_picture", args=[token, item.pk]),
        "display_url": url("display"),
        "thumb_url": url("thumb"),
        "before_url": url("before") if item.before_id is not None else "",
        "download_url": reverse("shared_download", args=[token, item.pk]),
    }


def _absolute(request: HttpRequest, name: str, *arguments: Any) -> str:
    return request.build_absolute_uri(reverse(name, args=arguments))


def _ask_password(request: HttpRequest, token: str, refusal: Refusal | None = None) -> HttpResponse:
    context = {
        "unlock_url": reverse("shared_unlock", args=[token]),
        "wrong": "" if refusal is None else refusal.message,
    }
    return _with_token(request, context, 200 if refusal is None else refusal.status)


@ensure_csrf_cookie
def _with_token(request: HttpRequest, context: dict[str, Any], status: int) -> HttpResponse:
    return render(request, "sharing/password.html", context, status=status)


def _unlocked(request: HttpRequest, token: str) -> Share:
    share = services.open_share(token)
    if not _is_unlocked(request, share):
        raise not_found()
    return share


def _is_unlocked(request: HttpRequest, share: Share) -> bool:
    return not share.password or services.password_key(share) in request.session.get(_SESSION_KEY, [])


def _private(answer: _Answer) -> _Answer:
    answer.headers["X-Robots-Tag"] = "noindex, nofollow"
    return answer
