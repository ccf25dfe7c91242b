"""Blind votes: two results of one hole without names, which one is better, and what comes of all votes.

Both results must fill the same mask of the same version by different models. Which one comes first is drawn anew for
each person, and neither the page nor the pictures' addresses say which model made which.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from webapp.errors import Refusal
from webapp.photos.models import Picture, Version
from webapp.reviews.models import Ballot
from webapp.teams import policies
from webapp.teams.activity import record
from webapp.teams.models import Activity, Team

if TYPE_CHECKING:
    from webapp.accounts.models import User

_MOST_HOLES = 200
"""Looked through for a pair; the newest ones. One more votes again when these are done."""


@dataclass(frozen=True, slots=True)
class Tally:
    """All votes between two models, in alphabetical order of their keys."""

    model: str
    other: str
    wins: int
    """Votes for `model`."""
    losses: int
    """Votes for `other`."""
    ties: int
    """“No difference”."""

    @property
    def votes(self) -> int:
        """How many were cast."""
        return self.wins + self.losses + self.ties


def draw_ballot(voter: User, *, team: Team | None = None, picture: Picture | None = None) -> Ballot | None:
    """The next pair that `voter` has not judged, or None when there is none left.

    Out of `picture`, of the pictures of `team`, or (without both) of the person's own. One that was drawn and not
    cast comes again, in the same order. Raises `Refusal` (403) when their role does not cover voting.
    """
    rows = _candidates(voter, team, picture)
    open_ballot: Ballot | None = (
        Ballot.objects.visible_to(voter).filter(choice="", picture__in=rows).order_by("drawn_at").first()
    )
    if open_ballot is not None:
        return open_ballot
    done = set(Ballot.objects.filter(voter=voter, picture__in=rows).values_list("pair", flat=True))
    for one, other in _pairs(rows):
        pair = pair_key(one.pk, other.pk)
        if pair in done:
            continue
        first, second = (one, other) if secrets.randbelow(2) else (other, one)
        try:
            with transaction.atomic():
                return Ballot.objects.create(
                    voter=voter, picture_id=first.picture_id, first=first, second=second, pair=pair
                )
        except IntegrityError:  # drawn in another window at this moment
            return Ballot.objects.get(voter=voter, pair=pair)
    return None


def cast(voter: User, ballot: Ballot, choice: str) -> Ballot:
    """Say which one is better, once. Raises `Refusal`: 422 for another choice, 409 when it was cast already."""
    policies.require(policies.can_review, voter, ballot.picture)
    if choice not in Ballot.Choice.values:
        raise Refusal("bad_choice", f"“choice” must be one of: {', '.join(Ballot.Choice.values)}.", status=422)
    with transaction.atomic():
        now = timezone.now()
        if not Ballot.objects.filter(pk=ballot.pk, voter=voter, choice="").update(choice=choice, cast_at=now):
            raise Refusal("already_cast", "You have voted on this pair already.", status=409)
        record(ballot.picture.team_id, Activity.Kind.VOTED, voter, picture=ballot.picture)
    ballot.choice, ballot.cast_at = choice, now
    return ballot


def tallies(ballots: QuerySet[Ballot] | None = None) -> list[Tally]:
    """Wins of each pair of models over all votes, or those in `ballots`; the pair with most votes first.

    What an evaluation report reads. Votes are counted each for themselves, whoever cast them.
    """
    rows = Ballot.objects.cast() if ballots is None else ballots.exclude(choice="")
    counted = rows.order_by().values_list("first__model", "second__model", "choice").annotate(Count("pk"))
    results: dict[tuple[str, str], Counter[str]] = {}
    for first, second, choice, number in counted:
        model, other = sorted((first, second))
        winner = {Ballot.Choice.FIRST: first, Ballot.Choice.SECOND: second}.get(choice, "")
        results.setdefault((model, other), Counter())[winner] += number
    found = [
        Tally(model=model, other=other, wins=votes[model], losses=votes[other], ties=votes[""])
        for (model, other), votes in results.items()
    ]
    return sorted(found, key=lambda tally: (-tally.votes, tally.model, tally.other))


def scores_of(versions: Iterable[Version]) -> dict[UUID, tuple[int, int]]:
    """For each version that was voted on: how often it was chosen, and how many votes it was in."""
    ids = [version.pk for version in versions]
    rows = Ballot.objects.cast().filter(Q(first__in=ids) | Q(second__in=ids))
    scores: dict[UUID, tuple[int, int]] = {}
    for first, second, choice in rows.values_list("first", "second", "choice"):
        for version, side in ((first, Ballot.Choice.FIRST), (second, Ballot.Choice.SECOND)):
            won, votes = scores.get(version, (0, 0))
            scores[version] = (won + (choice == side), votes + 1)
    return {pk: scores[pk] for pk in ids if pk in scores}


def pair_key(one: UUID, other: UUID) -> str:
    """The same for two versions, whichever is named first."""
    return ":".join(sorted((str(one), str(other))))


def _candidates(voter: User, team: Team | None, picture: Picture | None) -> QuerySet[Any]:
    rows = Picture.objects.visible_to(voter)
    if picture is not None:
        policies.require(policies.can_review, voter, picture)
        return rows.filter(pk=picture.pk)
    if team is None:
        return rows.filter(team=None)
    if not policies.can_vote(voter, team):
        raise policies.forbidden()
    return rows.filter(team=team)


def _pairs(pictures: QuerySet[Any]) -> list[tuple[Version, Version]]:
    """Every pair of results of one hole by two models, in a random order; the latest result of each model counts."""
    filled = Version.objects.filter(picture__in=pictures, parent__isnull=False, mask__isnull=False)
    several = (
        filled.order_by()
        .values("parent", "mask")
        .annotate(models=Count("model", distinct=True), newest=Max("created_at"))
        .filter(models__gt=1)
        .order_by("-newest")
        .values_list("parent", "mask")
    )
    holes = list(several[:_MOST_HOLES])
    rows = filled.filter(parent__in={parent for parent, _ in holes}, mask__in={mask for _, mask in holes})
    by_hole: dict[tuple[Any, Any], dict[str, Version]] = {}
    for version in rows.order_by("created_at", "id"):
        by_hole.setdefault((version.parent_id, version.mask_id), {})[version.model] = version
    pairs = [pair for results in by_hole.values() for pair in combinations(results.values(), 2)]
    random.SystemRandom().shuffle(pairs)
    return pairs
