"""Teams: making and running them, coming in and going out, and pictures moving between people and teams."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.material import mask_file, photo_file
from tests.webapp.teams import make_team, person
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.jobs import states
from webapp.jobs.services import submit_job
from webapp.notifications.models import Notification
from webapp.photos import services as photos
from webapp.photos.drafts import save_draft
from webapp.photos.models import Draft, Picture
from webapp.teams import quotas, services
from webapp.teams.models import Activity, ComputeUse, Invitation, Membership, Role, Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(ada: User, bob: User) -> Team:
    """Ada's, with Bob as an editor."""
    return make_team(owner=ada, editor=bob)


def role_of(user: User, team: Team) -> str | None:
    return Membership.objects.filter(user=user, team=team).values_list("role", flat=True).first()


def feed(team: Team) -> list[str]:
    return [str(entry) for entry in Activity.objects.filter(team=team).order_by("pk")]


class TestRunning:
    def test_making_one(self, ada: User, settings: Settings) -> None:
        settings.TEAMS = replace(settings.TEAMS, most_per_user=1, storage=5000, compute=60)
        team = services.create_team(ada, "  Red   thread ")
        assert (team.name, team.storage_quota, team.gpu_seconds_quota) == ("Red thread", 5000, 60)
        assert role_of(ada, team) == Role.OWNER
        with pytest.raises(Refusal, match="You own 1 teams"):
            services.create_team(ada, "Another")

    @pytest.mark.parametrize("name", ["", "   ", "x" * 81, "line\x00end"])
    def test_a_name_has_to_be_one(self, ada: User, name: str) -> None:
        with pytest.raises(Refusal, match="name"):
            services.create_team(ada, name)
        assert not Team.objects.exists()

    def test_guests_have_none(self) -> None:
        guest = User.objects.create(username="guest-1", is_guest=True)
        with pytest.raises(Refusal, match="account"):
            services.create_team(guest, "Guests")

    def test_roles_change_by_the_owner_only(self, team: Team, ada: User, bob: User) -> None:
        bobs = Membership.objects.get(user=bob)
        with pytest.raises(Refusal) as refused:
            services.change_role(bobs, Role.VIEWER, by=bob)
        assert refused.value.status == 403
        services.change_role(bobs, Role.VIEWER, by=ada)
        assert role_of(bob, team) == Role.VIEWER
        assert Notification.objects.get(user=bob).text == "ada made you a viewer of Weavers."
        for role in (Role.OWNER, "king"):
            with pytest.raises(Refusal, match="editor, a reviewer or a viewer"):
                services.change_role(bobs, role, by=ada)
        with pytest.raises(Refusal, match="hand the team over"):
            services.change_role(Membership.objects.get(user=ada), Role.VIEWER, by=ada)

    def test_the_owner_stays_until_somebody_else_is(self, team: Team, ada: User, bob: User) -> None:
        with pytest.raises(Refusal, match="owner cannot leave"):
            services.leave_team(team, ada)
        services.hand_over(team, Membership.objects.get(user=bob), by=ada)
        assert (role_of(ada, team), role_of(bob, team)) == (Role.EDITOR, Role.OWNER)
        services.leave_team(team, ada)
        assert role_of(ada, team) is None
        assert feed(team) == ["ada handed the team over to bob", "ada left the team"]

    def test_what_somebody_brought_stays(self, team: Team, ada: User, bob: User) -> None:
        picture = photos.add_picture(bob, "bobs.jpg", photo_file(), team=team)
        version = picture.versions.get()
        save_draft(bob, version, mask_file())
        services.remove_member(Membership.objects.get(user=bob), by=ada)
        picture.refresh_from_db()
        assert (picture.team, picture.owner) == (team, bob)
        assert not Picture.objects.visible_to(bob).exists()
        assert Picture.objects.visible_to(ada).get() == picture
        assert not Draft.objects.exists()
        assert Notification.objects.get(user=bob).text == "ada removed you from Weavers."

    def test_a_member_of_another_team_is_nobody_here(self, team: Team, bob: User) -> None:
        other = make_team("Others")
        stranger = other.memberships.get()
        with pytest.raises(Refusal) as refused:
            services.hand_over(team, stranger, by=team.memberships.get(role=Role.OWNER).user)
        assert refused.value.status == 404
        with pytest.raises(Refusal) as refused:
            services.remove_member(team.memberships.get(user=bob), by=stranger.user)
        assert refused.value.status == 404

    def test_deleting_takes_the_pictures_and_their_files(
        self, team: Team, ada: User, bob: User, media: Any, django_capture_on_commit_callbacks: Any
    ) -> None:
        photos.add_picture(bob, "bobs.jpg", photo_file(), team=team)
        assert media()
        with pytest.raises(Refusal):
            services.delete_team(team, by=bob)
        with django_capture_on_commit_callbacks(execute=True):
            services.delete_team(team, by=ada)
        assert not Picture.objects.exists()
        assert media() == []
        assert Notification.objects.get(user=bob).text == "ada deleted the team Weavers."


class TestMoving:
    def test_in_and_out(self, team: Team, ada: User, bob: User, picture: Picture) -> None:
        before = picture.changed_at
        assert services.move_pictures(ada, [picture.pk], team) == 1
        picture.refresh_from_db()
        assert (picture.team, picture.owner, picture.changed_at) == (team, ada, before)
        assert Picture.objects.visible_to(bob).get() == picture
        assert not Picture.objects.owned_by(ada).exists()
        save_draft(ada, picture.versions.get(), mask_file())
        assert services.move_pictures(bob, [picture.pk], None) == 1
        picture.refresh_from_db()
        assert (picture.team, picture.owner) == (None, bob)
        assert not Picture.objects.visible_to(ada).exists()
        assert not Draft.objects.exists()
        assert feed(team) == ["ada moved in beach day", "bob moved out beach day"]
        assert services.move_pictures(bob, [picture.pk], None) == 0

    @pytest.mark.parametrize("role", [Role.REVIEWER, Role.VIEWER])
    def test_not_without_the_right(self, role: Role, team: Team, ada: User, bob: User, picture: Picture) -> None:
        Membership.objects.filter(user=bob).update(role=role)
        services.move_pictures(ada, [picture.pk], team)
        with pytest.raises(Refusal) as refused:
            services.move_pictures(bob, [picture.pk], None)
        assert refused.value.status == 403
        own = photos.add_picture(bob, "own.jpg", photo_file(seed=4))
        with pytest.raises(Refusal) as refused:
            services.move_pictures(bob, [own.pk], team)
        assert refused.value.status == 403

    def test_not_what_one_does_not_see_and_not_where_one_is_not(self, ada: User, bob: User, picture: Picture) -> None:
        for who, to in ((bob, None), (ada, make_team("Others"))):
            with pytest.raises(Refusal) as refused:
                services.move_pictures(who, [picture.pk], to)
            assert refused.value.status == 404

    def test_all_or_none(self, team: Team, ada: User, bob: User, picture: Picture) -> None:
        his = photos.add_picture(bob, "his.jpg", photo_file(seed=4))
        with pytest.raises(Refusal):
            services.move_pictures(ada, [picture.pk, his.pk], team)
        picture.refresh_from_db()
        assert picture.team is None

    def test_only_where_there_is_room(self, team: Team, ada: User, picture: Picture) -> None:
        size = picture.versions.get().bytes
        Team.objects.update(storage_quota=size - 1)
        team.refresh_from_db()
        with pytest.raises(Refusal, match="take up") as refused:
            services.move_pictures(ada, [picture.pk], team)
        assert refused.value.status == 413
        Team.objects.update(storage_quota=size)
        assert services.move_pictures(ada, [picture.pk], team) == 1


class TestQuotas:
    def test_what_jobs_take_is_counted_for_the_team(self, team: Team, bob: User) -> None:
        version = photos.add_picture(bob, "his.jpg", photo_file(), team=team).versions.get()
        mask = photos.add_mask(version, mask_file())
        job, _ = submit_job(bob, version, mask, model="telea", params={})
        running = states.begin(job, worker="fill@here.1")
        type(job).objects.update(started_at=timezone.now() - timedelta(seconds=90))
        running.refresh_from_db()
        states.succeed(running, timings={})
        assert quotas.compute_of(team).used == pytest.approx(90, abs=20)
        Picture.objects.all().delete()  # which does not give the time back
        assert quotas.compute_of(team).used == pytest.approx(90, abs=20)

    def test_no_more_jobs_when_it_is_used_up_until_the_window_moves_on(self, team: Team, bob: User) -> None:
        version = photos.add_picture(bob, "his.jpg", photo_file(), team=team).versions.get()
        mask = photos.add_mask(version, mask_file())
        now = timezone.now()
        for days, seconds in ((31, 500), (29, 40), (1, 70)):
            ComputeUse.objects.create(
                team=team, job=version.pk, user=bob.pk, seconds=seconds, ended_at=now - timedelta(days=days)
            )
        Team.objects.update(gpu_seconds_quota=100)
        back = timezone.localtime(now + timedelta(days=1))
        with pytest.raises(Refusal, match=f"110 of 100 seconds.*on {back.day} {back:%B}") as refused:
            submit_job(bob, version, mask, model="telea", params={})
        assert refused.value.status == 429
        Team.objects.update(gpu_seconds_quota=111)
        version.picture.refresh_from_db()
        submit_job(bob, type(version).objects.get(), mask, model="telea", params={})

    def test_a_persons_own_room(self, ada: User, picture: Picture, team: Team, settings: Settings) -> None:
        settings.STORAGE_PER_USER = picture.versions.get().bytes + 10
        with pytest.raises(Refusal, match="Your pictures take up") as refused:
            photos.add_picture(ada, "more.jpg", photo_file(seed=4))
        assert refused.value.status == 413
        photos.add_picture(ada, "more.jpg", photo_file(seed=4), team=team)  # that is the team's room

    def test_an_upload_without_room_is_refused_by_the_api_before_anything_is_stored(
        self, team: Team, as_ada: Client, media: Any
    ) -> None:
        from django.core.files.uploadedfile import SimpleUploadedFile

        Team.objects.update(storage_quota=100)
        answer = as_ada.post("/api/pictures", {"file": SimpleUploadedFile("a.jpg", photo_file()), "team": str(team.pk)})
        assert answer.status_code == 413
        assert answer.json()["code"] == "no_room"
        assert re.search(r"take up 0 bytes of 100 bytes, and this needs .+ more", answer.json()["message"])
        assert media() == []


class TestPages:
    def test_the_owner_runs_the_team_by_its_page(self, as_ada: Client, bob: User) -> None:
        as_ada.post("/teams/new", {"name": "Weavers"})
        team = Team.objects.get()
        url = f"/teams/{team.pk}/"
        as_ada.post(f"{url}invite", {"way": "email", "email": "bob@example.org", "role": "viewer", "days": "3"})
        assert "http://testserver/teams/join/" in mail.outbox[0].body
        as_ada.post(f"{url}invite", {"way": "link", "role": "viewer", "days": "3"})
        page = as_ada.get(url).content.decode()
        link = re.search(r'value="http://testserver(/teams/join/[^"]+)"', page)
        assert link
        assert link[1] not in as_ada.get(url).content.decode()  # shown once
        client = Client()
        client.force_login(bob)
        client.post(link[1])
        membership = Membership.objects.get(user=bob)
        as_ada.post(f"{url}members/{membership.pk}/role", {"role": "editor"})
        assert role_of(bob, team) == "editor"
        as_ada.post(f"{url}rename", {"name": "Menders"})
        for invitation in Invitation.objects.all():
            as_ada.post(f"{url}invitations/{invitation.pk}/revoke")
        assert not Invitation.objects.open().exists()
        as_ada.post(f"{url}members/{membership.pk}/hand-over")
        assert role_of(bob, team) == "owner"
        as_ada.post(f"{url}leave")
        assert as_ada.get(url).status_code == 404
        client.post(f"{url}delete", {"name": "wrong"})
        assert Team.objects.get().name == "Menders"
        client.post(f"{url}delete", {"name": "Menders"})
        assert not Team.objects.exists()

    def test_a_refusal_is_told_on_the_page(self, as_ada: Client) -> None:
        answer = as_ada.post("/teams/new", {"name": " "}, follow=True)
        assert "A team needs a name." in answer.content.decode()

    def test_whoever_is_no_owner_finds_no_forms(self, team: Team, as_bob: Client) -> None:
        page = as_bob.get(f"/teams/{team.pk}/").content.decode()
        assert "Leave the team" in page
        for word in ("Ask people in", "Rename", "Delete", "Remove"):
            assert word not in page

    def test_guests_are_sent_to_sign_in(self) -> None:
        guest = Client()
        guest.post("/api/pictures/sample", {"name": "kite"}, content_type="application/json")
        answer = guest.get("/teams/")
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/teams/")

    def test_names_are_shown_as_text(self, as_ada: Client) -> None:
        as_ada.post("/teams/new", {"name": "<b>bold</b>"})
        for url in ("/teams/", f"/teams/{Team.objects.get().pk}/"):
            page = as_ada.get(url).content.decode()
            assert "<b>bold" not in page
            assert "&lt;b&gt;bold" in page

    def test_the_page_takes_few_queries_however_large_the_team(
        self, team: Team, as_ada: Client, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(12):
            Membership.objects.create(team=team, user=person(f"member-{number}"), role=Role.VIEWER)
            services.rename_team(team, f"Name {number}", by=team.memberships.get(role=Role.OWNER).user)
        with django_assert_max_num_queries(16):
            as_ada.get(f"/teams/{team.pk}/")
