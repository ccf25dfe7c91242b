"""Notifications by e-mail. The rows say what is due, so that a mail server that is away loses nothing."""

from __future__ import annotations

import logging
import smtplib

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F

from webapp.notifications.models import Notification
from webapp.notifications.services import wants_mail

logger = logging.getLogger(__name__)

MOST_TRIES = 5
_MOST_AT_ONCE = 50


def send_due() -> int:
    """Send what is due, oldest first; returns how many were sent. Safe to run in several processes at a time."""
    sent = 0
    rows = Notification.objects.filter(mail_due=True).select_related("user").order_by("created_at")
    for row in rows[:_MOST_AT_ONCE]:
        # Whoever counts the try up has it; what is not sent stays due for the next round.
        mine = Notification.objects.filter(pk=row.pk, mail_due=True, mail_tries=row.mail_tries)
        if mine.update(mail_tries=F("mail_tries") + 1):
            sent += _send(row)
    return sent


def _send(row: Notification) -> bool:
    done = False
    if row.read_at is None and wants_mail(row.user):
        link = f"\n\n{settings.SITE_URL}{row.url}" if row.url else ""
        try:
            send_mail(
                f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{row.text}"[:150],
                f"{row.text}{link}\n",
                None,
                [row.user.email],
            )
            done = True
        except (smtplib.SMTPException, OSError) as error:
            logger.warning("A notification could not be mailed (try %d): %s", row.mail_tries + 1, error)
            if row.mail_tries + 1 < MOST_TRIES:
                return False
    Notification.objects.filter(pk=row.pk).update(mail_due=False)
    return done
