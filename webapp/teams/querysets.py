"""Who may see which team, its members, its invitations and its feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from webapp.accounts.models import User


def teams_of(user: User | AnonymousUser) -> models.QuerySet[Any, Any]:
    """Ids of the teams that `user` is a member of, for use inside other queries."""
    from webapp.teams.models import Membership

    rows = Membership.objects.order_by()
    return (rows.filter(user=user) if user.is_authenticated else rows.none()).values("team")


class TeamQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Teams that `user` is a member of."""
        return self.filter(pk__in=teams_of(user))

    def with_role(self, user: User | AnonymousUser) -> Self:
        """`visible_to`, each with the role of `user` in it as `my_role`."""
        from webapp.teams.models import Membership

        mine = Membership.objects.filter(team=models.OuterRef("pk"), user=user.pk)
        return self.visible_to(user).annotate(my_role=models.Subquery(mine.values("role")[:1])).order_by("name", "id")


class _OfTeam(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What belongs to the teams that `user` is a member of."""
        return self.filter(team__in=teams_of(user))


class MembershipQuerySet(_OfTeam):
    pass


class ActivityQuerySet(_OfTeam):
    pass


class InvitationQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: User | AnonymousUser) -> Self:
        """Invitations of the teams that `user` owns."""
        from webapp.teams.models import Role

        if not user.is_authenticated:
            return self.none()
        return self.filter(team__memberships__user=user, team__memberships__role=Role.OWNER)

    def open(self) -> Self:
        """Those that still let somebody in."""
        by_link = models.Q(email="") | models.Q(uses=0)
        return self.filter(by_link, revoked_at=None, expires_at__gt=Now())
