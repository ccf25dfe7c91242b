"""What goes by itself in time: guests, files, notifications, invitations and sessions that nobody needs any more."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.utils import timezone

from webapp.accounts.services import clear_guests
from webapp.notifications.services import clear_old
from webapp.photos.files import remove_file, stray_files
from webapp.teams.models import Invitation

logger = logging.getLogger(__name__)

_INVITATIONS_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much went."""

    guests: int
    files: int
    notifications: int
    invitations: int


def tidy() -> Tidied:
    """Remove what the settings say is old enough. Safe to run at any time, in several processes too."""
    guests = clear_guests(settings.GUEST_DAYS) if settings.GUEST_DAYS else 0
    files = 0
    for storage, name in list(stray_files()):
        remove_file(storage, name)
        files += 1
    notifications = clear_old(settings.NOTICES.days) if settings.NOTICES.days else 0
    over = Invitation.objects.filter(expires_at__lt=timezone.now() - _INVITATIONS_KEPT)
    invitations, _ = over.delete()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    tidied = Tidied(guests, files, notifications, invitations)
    if any(asdict(tidied).values()):
        logger.info("Tidied up: %s", ", ".join(f"{count} {what}" for what, count in asdict(tidied).items()))
    return tidied
