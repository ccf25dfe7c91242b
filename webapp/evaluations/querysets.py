"""Who may see which evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models

if TYPE_CHECKING:
    from webapp.accounts.models import User


class EvaluationQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Evaluations that `user` may open, cancel and share: their own."""
        return self.filter(owner=user) if user.is_authenticated else self.none()

    def shared_as(self, token: str) -> Self:
        """The finished evaluation that its owner shares by this link."""
        return self.filter(share_token=token, state="done") if token else self.none()

    def unfinished(self) -> Self:
        """Those that workers still have to do with."""
        return self.filter(state="running")
