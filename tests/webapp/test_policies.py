"""Roles: what each may do with a team's pictures, and that nobody else finds them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from tests.webapp.material import mask_file, photo_file
from tests.webapp.teams import make_team, one_of_each, person
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs.models import Job
from webapp.jobs.services import submit_job
from webapp.photos import services
from webapp.photos.models import Mask, Picture, Version
from webapp.teams import policies
from webapp.teams.models import Activity, Membership, Role, Team

pytestmark = pytest.mark.django_db

RULES = [policies.can_view, policies.can_review, policies.can_edit, policies.can_delete, policies.can_share]
MAY = {
    "owner": {"can_view", "can_review", "can_edit", "can_delete", "can_share"},
    "editor": {"can_view", "can_review", "can_edit", "can_delete", "can_share"},
    "reviewer": {"can_view", "can_review"},
    "viewer": {"can_view"},
    "outsider": set(),
}


@pytest.fixture
def people() -> dict[str, User]:
    return one_of_each()


@pytest.fixture
def team(people: dict[str, User]) -> Team:
    return make_team(**{name: user for name, user in people.items() if name != "outsider"})


@pytest.fixture
def shared(people: dict[str, User], team: Team) -> Picture:
    return services.add_picture(people["editor"], "shared.jpg", photo_file(), team=team)


@pytest.mark.parametrize("who", MAY)
def test_what_each_role_may_do(who: str, people: dict[str, User], shared: Picture) -> None:
    user = people[who]
    assert {rule.__name__ for rule in RULES if rule(user, shared)} == MAY[who]
    seen = who != "outsider"
    assert Picture.objects.visible_to(user).exists() is seen
    assert Version.objects.visible_to(user).exists() is seen
    assert policies.can_add(user, shared.team) is (who in ("owner", "editor"))
    assert policies.can_manage(user, shared.team_id) is (who == "owner")
    assert policies.can_vote(user, shared.team_id) is (who in ("owner", "editor", "reviewer"))
    rights = policies.rights(user, shared)
    assert {f"can_{name}" for name, given in rights.items() if given} == MAY[who] - {"can_view"}


def test_nobody_means_nobody(shared: Picture) -> None:
    for rule in RULES:
        assert not rule(AnonymousUser(), shared)
    staff = User.objects.create_superuser("root", "root@example.org", "a fine long password")
    for rule in RULES:
        assert not rule(staff, shared)
    assert not Picture.objects.visible_to(staff).exists()


def test_a_persons_own_picture_is_theirs_alone(people: dict[str, User], team: Team) -> None:
    mine = services.add_picture(people["viewer"], "mine.jpg", photo_file())
    for who, user in people.items():
        assert {rule(user, mine) for rule in RULES} == {who == "viewer"}
        assert set(policies.rights(user, mine).values()) == {who == "viewer"}


def test_who_created_a_picture_of_a_team_loses_it_by_leaving(people: dict[str, User], shared: Picture) -> None:
    creator = people["editor"]
    Membership.objects.filter(user=creator).delete()
    assert not any(rule(creator, shared) for rule in RULES)
    assert not Picture.objects.visible_to(creator).exists()
    assert not Picture.objects.owned_by(creator).exists()


def test_whoever_sees_a_picture_twice_finds_it_once(people: dict[str, User], shared: Picture) -> None:
    """Owner by creation and member of several teams: rows must not be doubled by joins."""
    make_team("Others", owner=people["editor"])
    services.add_picture(people["editor"], "own.jpg", photo_file(seed=2))
    assert Picture.objects.visible_to(people["editor"]).count() == 2
    assert Picture.objects.visible_to(people["editor"]).for_cards().count() == 2


def test_roles_that_may_not_change_a_picture_get_a_sentence(people: dict[str, User], shared: Picture) -> None:
    for who in ("reviewer", "viewer"):
        with pytest.raises(Refusal, match="role in this team") as refused:
            policies.require(policies.can_edit, people[who], shared)
        assert refused.value.status == 403
    with pytest.raises(Refusal) as refused:
        policies.require(policies.can_edit, people["outsider"], shared)
    assert refused.value.status == 404


def test_jobs_follow_the_picture(people: dict[str, User], shared: Picture) -> None:
    version = shared.versions.get()
    mask = services.add_mask(version, mask_file())
    with pytest.raises(Refusal, match="role in this team"):
        submit_job(people["viewer"], version, mask, model="telea", params={})
    job, _ = submit_job(people["editor"], version, mask, model="telea", params={})
    for who, user in people.items():
        assert Job.objects.visible_to(user).exists() is (who != "outsider")
        assert Mask.objects.visible_to(user).exists() is (who != "outsider")
        assert policies.can_cancel(user, job) is (who in ("owner", "editor"))


def test_adding_for_a_team_needs_the_role_and_is_told_in_the_feed(people: dict[str, User], team: Team) -> None:
    with pytest.raises(Refusal, match="role in this team"):
        services.add_picture(people["reviewer"], "no.jpg", photo_file(), team=team)
    picture = services.add_picture(people["editor"], "yes.jpg", photo_file(), team=team)
    entry = Activity.objects.get()
    assert (entry.kind, entry.picture, entry.subject) == (Activity.Kind.PICTURE_ADDED, picture, "yes")
    assert str(entry) == "editor added yes"


def test_a_team_has_one_owner(team: Team) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(team=team, user=person("second"), role=Role.OWNER)


def test_uploads_stop_at_the_teams_quota(people: dict[str, User], team: Team, shared: Picture) -> None:
    used = shared.versions.get().bytes
    data = photo_file(seed=3)
    Team.objects.update(storage_quota=used + len(data) - 1)
    team.refresh_from_db()
    with pytest.raises(Refusal, match="Weavers take up") as refused:
        services.add_picture(people["editor"], "big.jpg", data, team=team)
    assert refused.value.status == 413
    assert Picture.objects.count() == 1
    Team.objects.update(storage_quota=used + len(data))
    team.refresh_from_db()
    services.add_picture(people["editor"], "fits.jpg", data, team=team)
