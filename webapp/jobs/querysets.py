"""Which jobs and batches a person may see, and which workers are alive."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.functions import Now

from webapp.photos.querysets import seen_by

if TYPE_CHECKING:
    from webapp.accounts.models import User

ACTIVE = ("held", "queued", "running")


class JobQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Jobs that `user` may watch: those on pictures that they may open, whoever asked for them."""
        return self.filter(seen_by(user, "picture")) if user.is_authenticated else self.none()

    def active(self) -> Self:
        """Jobs that have not ended."""
        return self.filter(status__in=ACTIVE)


class BatchQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Batches that `user` may watch: those on pictures that they may open, whoever asked for them."""
        return self.filter(seen_by(user, "picture")) if user.is_authenticated else self.none()


class WorkerQuerySet(models.QuerySet[Any]):
    def alive(self) -> Self:
        """Processes that gave a sign of life lately, by the database's clock, which wrote it."""
        return self.filter(seen_at__gte=Now() - timedelta(seconds=settings.JOBS.stale_after))
