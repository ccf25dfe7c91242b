"""A team with one member of each role, for tests of who may do what."""

from __future__ import annotations

from webapp.accounts.models import User
from webapp.teams.models import Membership, Role, Team


def person(name: str) -> User:
    return User.objects.create_user(name, f"{name}@example.org", "a fine long password")


def make_team(name: str = "Weavers", **people: User) -> Team:
    """`people` by role: ``make_team(owner=ada, viewer=bob)``; an owner is made up where none is given."""
    team = Team.objects.create(name=name)
    people.setdefault("owner", person(f"owner-of-{name.lower().replace(' ', '-')}"))
    for role, user in people.items():
        Membership.objects.create(team=team, user=user, role=Role(role))
    return team


def one_of_each() -> dict[str, User]:
    """A person for each role, and one for none: ``outsider``."""
    return {name: person(name) for name in [*Role.values, "outsider"]}
