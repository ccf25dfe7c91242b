"""People: accounts and the guests that may become one."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """An account. A guest is an account bound to one browser session, without password or e-mail."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    is_guest = models.BooleanField(default=False)
    mail_notices = models.BooleanField(
        "E-mail me when a long job ends", default=True, help_text="Notifications on the site come either way."
    )

    def __str__(self) -> str:
        return "Guest" if self.is_guest else (self.get_full_name() or self.username)
