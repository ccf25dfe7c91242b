"""Pages of one's own account."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from webapp.accounts.export import export_of
from webapp.accounts.forms import ProfileForm
from webapp.accounts.leaving import check_may_leave, delete_account
from webapp.errors import Refusal
from webapp.photos.models import Picture
from webapp.photos.serving import send_stream
from webapp.teams import quotas

if TYPE_CHECKING:
    from webapp.accounts.models import User


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Names and mails."""
    form = ProfileForm(request.POST or None, instance=_account(request))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your profile is saved.")
        return redirect("profile:profile")
    if form.errors:  # what was typed and refused is not what others are to see as this person's name
        _account(request).refresh_from_db()
    return render(request, "account/profile.html", {"form": form})


@require_safe
@login_required
def data(request: HttpRequest) -> HttpResponse:
    """What is kept, the way to take it away, and the way out."""
    user = _account(request)
    obstacle = ""
    try:
        check_may_leave(user)
    except Refusal as refusal:
        obstacle = refusal.message
    context = {
        "picture_count": Picture.objects.owned_by(user).count(),
        "brought_count": Picture.objects.filter(owner=user, team__isnull=False).count(),
        "storage": quotas.storage_of_person(user),
        "obstacle": obstacle,
    }
    return render(request, "account/data.html", context)


@require_POST
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def export(request: HttpRequest) -> HttpResponseBase:
    """Everything about a person as a ZIP file."""
    user = _account(request)
    name = f"Reweave {user.username} {timezone.localdate():%Y-%m-%d}.zip"
    return send_stream(request, export_of(user), content_type="application/zip", filename=name)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def delete(request: HttpRequest) -> HttpResponse:
    """Ask once more, then delete the account."""
    user = _account(request)
    try:
        check_may_leave(user)
    except Refusal:  # the page before says why
        return redirect("profile:data")
    if request.method != "POST":
        brought = Picture.objects.filter(owner=user, team__isnull=False).count()
        return render(request, "account/delete.html", {"brought_count": brought})
    chosen = request.POST.get("team_pictures", "hand-over")
    if request.POST.get("username", "").strip() != user.username:
        messages.error(request, "Type your user name to delete the account; nothing was deleted.")
        return redirect("profile:delete")
    delete_account(user, team_pictures="delete" if chosen == "delete" else "hand-over")
    logout(request)
    messages.success(request, "Your account is deleted, with everything that belonged to it.")
    return redirect("home")


def _account(request: HttpRequest) -> User:
    return cast("User", request.user)
