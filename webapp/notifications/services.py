"""Telling people something, and what they can do with what they were told."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models.functions import Now
from django.template.defaultfilters import truncatechars
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from webapp.jobs import events
from webapp.notifications.models import Notification
from webapp.teams.policies import can_view

if TYPE_CHECKING:
    from webapp.accounts.models import User
    from webapp.jobs.models import Job

Kind = Notification.Kind
_LONGEST = 300
_LONGEST_TITLE = 60


def notify(
    user: User,
    kind: Notification.Kind,
    text: str,
    *,
    url: str = "",
    about: str = "",
    actor: User | None = None,
    mail: bool = False,
) -> Notification | None:
    """Tell `user` a sentence, on every page they have open and in their list; returns what was written.

    Nobody is told what they did themselves (`actor`), and the same thing (`kind` and `about`) is told only once; then
    the answer is None. `url` is a path on this site. With `mail` an e-mail follows soon, where the person has an
    address and wants it. Part of the transaction it is called in: what is rolled back is not told.
    """
    if actor is not None and actor.pk == user.pk:
        return None
    if url and not (url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)):
        raise ValueError(f"a notification leads to a path on this site, not to {url!r}")
    values = {"text": truncatechars(text, _LONGEST), "url": url, "mail_due": mail and wants_mail(user)}
    with transaction.atomic():
        if about:
            row, created = Notification.objects.get_or_create(user=user, kind=kind, about=about, defaults=values)
            if not created:
                return None
        else:
            row = Notification.objects.create(user=user, kind=kind, **values)
        _tell(user.pk, row.pk)
    return row


def job_ended(job: Job) -> None:
    """Tell whoever asked for `job` that it ended, when it took so long that they may look elsewhere by now.

    A job that a reviewer turned down is always told. Cancelled jobs are not: somebody was there to cancel them.
    """
    rejected = job.error_code == "rejected"
    if job.finished_at is None or not job.is_fill or (job.status == "cancelled" and not rejected):
        return
    seconds = (job.finished_at - job.created_at).total_seconds()
    if not rejected and seconds < settings.NOTICES.job_seconds:
        return
    if not can_view(job.owner, job.picture):  # they left the team meanwhile
        return
    after_minutes = settings.NOTICES.job_mail_minutes
    notify(
        job.owner,
        Kind.JOB,
        _sentence_about(job, rejected=rejected),
        url=reverse("editor", args=[job.picture_id]),
        about=str(job.pk),
        mail=bool(after_minutes) and seconds >= 60 * after_minutes,
    )


def mark_read(user: User | AnonymousUser, ids: Collection[UUID] | None = None) -> int:
    """Mark some of a person's notifications as read, all of them without `ids`; returns how many are left unread."""
    rows = Notification.objects.visible_to(user).unread()
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    if rows.update(read_at=Now()) and user.pk is not None:
        _tell(user.pk, None)
    return unread_count(user)


def unread_count(user: User | AnonymousUser) -> int:
    """How many notifications a person has not read."""
    return int(Notification.objects.visible_to(user).unread().count())


def wants_mail(user: User) -> bool:
    """Whether e-mails about what happens may go to `user`: an address is there, and they did not say no."""
    return bool(user.email) and user.mail_notices and user.is_active and not user.is_guest


def clear_old(days: int) -> int:
    """Remove notifications that were read more than `days` days ago; how many there were."""
    removed, _ = Notification.objects.filter(read_at__lt=timezone.now() - timedelta(days=days)).delete()
    return removed


def _tell(user_id: UUID, notification_id: UUID | None) -> None:
    transaction.on_commit(lambda: events.user_notified(user_id, notification_id), robust=True)


def _sentence_about(job: Job, *, rejected: bool) -> str:
    from webapp.jobs.payloads import model_title

    title, model = truncatechars(job.picture.title, _LONGEST_TITLE), model_title(job.model)
    if rejected:
        return f"{model} on “{title}” was not approved: {job.error}"
    if job.status == "failed":
        return f"{model} could not fill “{title}”: {job.error}"
    return f"{model} has filled “{title}”."
