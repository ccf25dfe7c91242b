"""How a picture stands with its reviewers: what the newest verdict on any of its versions says."""

from __future__ import annotations

from django.db.models import OuterRef, Subquery

from webapp.reviews.models import Verdict

OPEN = "open"
"""No verdict yet."""


def newest_state(picture: str) -> Subquery:
    """The state of the newest verdict, for a query whose rows name their picture's id `picture`; NULL without one."""
    verdicts = Verdict.objects.filter(picture=OuterRef(picture)).order_by("-decided_at", "-id")
    return Subquery(verdicts.values("state")[:1])
