"""The list of notifications, and the way on from each."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from webapp.errors import not_found
from webapp.notifications.models import Notification
from webapp.notifications.services import mark_read

_PAGE_SIZE = 30


@require_safe
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """Everything a person was told, latest first."""
    rows = Notification.objects.visible_to(request.user)
    found = Paginator(rows, _PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "notifications/list.html", {"page": found})


@require_safe
@login_required
def follow(request: HttpRequest, notification_id: UUID) -> HttpResponse:
    """Mark one as read and go where it leads."""
    row: Notification | None = Notification.objects.visible_to(request.user).filter(pk=notification_id).first()
    if row is None:
        raise not_found()
    mark_read(request.user, [row.pk])
    return redirect(row.url or "notifications:list")


@require_POST
@login_required
def read_all(request: HttpRequest) -> HttpResponse:
    """Mark all as read."""
    mark_read(request.user)
    messages.success(request, "All notifications are marked as read.")
    return redirect("notifications:list")
