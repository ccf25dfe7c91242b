"""What the demo's reviewers said: verdicts, threads of comments that point at spots, and blind votes."""

from __future__ import annotations

from datetime import datetime, timedelta

from webapp.accounts.models import User
from webapp.photos.models import Version
from webapp.reviews.models import Ballot, Comment, Verdict
from webapp.reviews.votes import pair_key
from webapp.teams.activity import record
from webapp.teams.demo import Demo, fill_again
from webapp.teams.models import Activity, Membership
from webapp.teams.policies import REVIEW

_REMARKS = (
    "The edge of the hole still shows here.",
    "Good; I cannot find where it was.",
    "The grain is gone in this part. Could you try another model?",
    "Please look at this corner again before it is printed.",
    "The texture repeats a little, but at this size nobody will see it.",
)
_RIVALS = 3
"""How many results of a team are filled once more, by another model."""
_ANSWERS = ("I will try a smaller mask.", "Agreed.", "Done in the next version.", "That was so on the original, too.")


def furnish(demo: Demo) -> None:
    """Every other result of a team gets a verdict, every third a thread; most threads are answered."""
    for place, version in enumerate(result for result in demo.results if result.picture.team_id is not None):
        members = Membership.objects.filter(team=version.picture.team_id, role__in=REVIEW).select_related("user")
        reviewers = [member.user for member in members]
        if place % 2 == 0:
            _decide(demo, version, demo.chance.choice(reviewers))
        if place % 3 == 0:
            _talk(demo, version, reviewers)
    _vote(demo)


def _vote(demo: Demo) -> None:
    """Some results get a rival. Of each team's, all but one were judged, so that there is something left to vote on."""
    for team in demo.teams.values():
        members = Membership.objects.filter(team=team, role__in=REVIEW).select_related("user").order_by("joined_at")
        voters = [member.user for member in members]
        ours = [result for result in demo.results if result.picture.team_id == team.pk]
        for place, result in enumerate(ours[:_RIVALS]):
            rival = fill_again(demo, result, result.picture.owner)
            if rival is None:
                return
            for voter in voters if place else ():
                _cast(demo, voter, result, rival)


def _cast(demo: Demo, voter: User, result: Version, rival: Version) -> None:
    first, second = demo.chance.sample([result, rival], 2)
    at = _later(demo, rival)
    choice = demo.chance.choices(["patchmatch", "telea", ""], weights=(6, 3, 2))[0]
    side = {first.model: Ballot.Choice.FIRST, second.model: Ballot.Choice.SECOND}.get(choice, Ballot.Choice.NEITHER)
    Ballot.objects.create(
        voter=voter,
        picture=result.picture,
        first=first,
        second=second,
        pair=pair_key(first.pk, second.pk),
        choice=side,
        cast_at=at,
    )
    _note(result, Activity.Kind.VOTED, voter, at, "")


def _decide(demo: Demo, version: Version, reviewer: User) -> None:
    state = Verdict.State.APPROVED if demo.chance.random() < 0.65 else Verdict.State.CHANGES
    at = _later(demo, version)
    Verdict.objects.create(picture=version.picture, version=version, reviewer=reviewer, state=state, decided_at=at)
    _note(version, Activity.Kind.REVIEWED, reviewer, at, Verdict.State(state).label)


def _talk(demo: Demo, version: Version, people: list[User]) -> None:
    first, second = demo.chance.sample(people, 2)
    at = _later(demo, version)
    x, y = demo.chance.uniform(0, version.width), demo.chance.uniform(0, version.height)
    remark = Comment.objects.create(version=version, author=first, text=demo.chance.choice(_REMARKS), x=x, y=y)
    Comment.objects.filter(pk=remark.pk).update(created_at=at)
    _note(version, Activity.Kind.COMMENTED, first, at, "")
    if demo.chance.random() < 0.7:
        answer = f"@{first.username} {demo.chance.choice(_ANSWERS)}"
        reply = Comment.objects.create(version=version, author=second, thread=remark, text=answer)
        reply.mentions.set([first])
        Comment.objects.filter(pk=reply.pk).update(created_at=at + timedelta(minutes=7))


def _later(demo: Demo, version: Version) -> datetime:
    version.refresh_from_db(fields=["created_at"])
    return version.created_at + timedelta(minutes=demo.chance.randrange(1, 9))


def _note(version: Version, kind: Activity.Kind, who: User, at: datetime, detail: str) -> None:
    record(version.picture.team, kind, who, picture=version.picture, detail=detail)
    Activity.objects.filter(picture=version.picture, kind=kind).update(at=at)
