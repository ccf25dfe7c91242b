"""Guests: how a visitor gets one, how it becomes part of an account, and how forgotten ones go."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth import SESSION_KEY, login
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Max, Model, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.http import HttpRequest
from django.utils import timezone

from webapp.accounts.limits import use_allowance
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.evaluations.models import Evaluation
from webapp.galleries.models import Favourite
from webapp.jobs.models import Batch, Job
from webapp.notifications.models import Notification
from webapp.photos.models import Draft, Picture
from webapp.reviews.models import Ballot, Comment, Verdict
from webapp.sharing.models import Share

_BACKEND = "django.contrib.auth.backends.ModelBackend"
MOVES_WITH_A_GUEST: tuple[tuple[type[Model], str], ...] = (
    (Picture, "owner"),
    (Draft, "owner"),
    (Job, "owner"),
    (Batch, "owner"),
    (Evaluation, "owner"),
    (Notification, "user"),
    (Favourite, "person"),
    (Comment, "author"),
    (Comment, "settled_by"),
    (Verdict, "reviewer"),
    (Ballot, "voter"),
    (Share, "creator"),
)
"""All that a guest can have. It is about the guest's own pictures, so nothing of the account can clash with it."""
# A guest's session is stored after the guest, at the end of the request; leave that moment alone.
_NEWBORN = timedelta(hours=1)


@contextmanager
def account_for(request: HttpRequest) -> Iterator[User]:
    """Whoever makes this request, as an account; a visitor becomes a guest.

    The guest exists inside the block and is bound to the session when the block ends well; when it raises, the
    guest is gone again, so that a refused upload leaves nothing behind.

    Raises `Refusal`: guests are switched off (401), or too many were made from one address (429).
    """
    user = request.user
    if user.is_authenticated:
        yield user
        if user.is_guest:
            request.session.modified = True  # prolongs the session, the only thing that holds a guest's pictures
        return
    if not settings.ALLOW_GUESTS:
        raise Refusal("sign_in_required", "Sign in first; this site does not work without an account.", status=401)
    use_allowance(
        "guest",
        get_adapter().get_client_ip(request),
        limit=settings.GUESTS_PER_HOUR,
        seconds=3600,
        message="Too many new guests from your address; wait a while, or sign in.",
    )
    guest = User(username=f"guest-{uuid.uuid4().hex}", is_guest=True)
    guest.set_unusable_password()
    guest.save(force_insert=True)
    try:
        yield guest
    except BaseException:
        guest.delete()
        raise
    csrf = {name: request.META.get(name) for name in ("CSRF_COOKIE", "CSRF_COOKIE_NEEDS_UPDATE")}
    login(request, guest, backend=_BACKEND)
    # Nobody gained a right here, so the page that just uploaded may keep using its CSRF token; login() rotated it.
    if csrf["CSRF_COOKIE"]:
        request.META.update(csrf)
        request.META["CSRF_COOKIE_NEEDS_UPDATE"] = bool(csrf["CSRF_COOKIE_NEEDS_UPDATE"])


def claim_guest(guest: User, account: User) -> bool:
    """Move everything of `guest` to `account` and remove the guest; False when it is no guest any more."""
    with transaction.atomic():
        # The lock makes an upload or a job that is just being added either come first, and move along, or fail.
        locked = User.objects.select_for_update().filter(pk=guest.pk, is_guest=True).first()
        if locked is None or account.is_guest:
            return False
        for model, who in MOVES_WITH_A_GUEST:
            model._default_manager.filter(**{who: locked}).update(**{who: account})
        locked.delete()
    return True


def is_first_account(user: User) -> bool:
    """Whether nobody but guests was here before `user`."""
    first = User.objects.filter(is_guest=False).order_by("date_joined", "pk").first()
    return first is not None and first.pk == user.pk


def forgotten_guests(days: int) -> QuerySet[User]:
    """Guests that nobody can reach any more (no session), and those that did nothing for `days` days."""
    now = timezone.now()
    last_active = Greatest(
        "date_joined", Coalesce("last_login", "date_joined"), Coalesce(Max("pictures__changed_at"), "date_joined")
    )
    guests = User.objects.filter(is_guest=True, date_joined__lt=now - _NEWBORN).annotate(last_active=last_active)
    idle = guests.filter(last_active__lt=now - timedelta(days=days))
    reachable = _accounts_with_session()
    lost = [pk for pk in guests.values_list("pk", flat=True) if str(pk) not in reachable]
    return User.objects.filter(pk__in={*lost, *idle.values_list("pk", flat=True)})


def clear_guests(days: int) -> int:
    """Remove forgotten guests with their pictures, jobs and files; how many there were."""
    removed = 0
    for pk in list(forgotten_guests(days).values_list("pk", flat=True)):
        with transaction.atomic():
            guest = User.objects.select_for_update().filter(pk=pk, is_guest=True).first()
            if guest is not None:
                guest.delete()
                removed += 1
    return removed


def _accounts_with_session() -> set[str]:
    live = Session.objects.filter(expire_date__gt=timezone.now())
    decoded = (session.get_decoded() for session in live.iterator())
    return {data[SESSION_KEY] for data in decoded if SESSION_KEY in data}
