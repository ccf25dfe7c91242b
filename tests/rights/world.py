"""The world that the table of rights is tried in: a person's picture, a team's picture, and everybody who may ask."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from allauth.account.internal.userkit import user_id_to_str
from django.conf import settings
from django.test import Client
from django.utils import timezone

from inpainting.imaging import Photo, decode, decode_mask, encode
from tests.rights.table import modules
from tests.webapp.material import MAP, WEBP, mask_file, photo_file
from webapp.accounts.models import User
from webapp.jobs import states
from webapp.jobs.batches import submit_batch
from webapp.jobs.models import Job
from webapp.jobs.previews import publish_preview
from webapp.jobs.services import submit_job
from webapp.notifications.models import Notification
from webapp.notifications.services import Kind, notify
from webapp.photos import services
from webapp.photos.drafts import save_draft
from webapp.photos.findings import NewOverlay, NewSourceMap
from webapp.photos.models import Version
from webapp.teams.invitations import invite
from webapp.teams.models import Membership, Role, Team

PREVIEW = 7
MARKS = {"own": "mark-of-the-person", "team": "mark-of-the-team"}
"""Words in the titles of what is not for everybody's eyes: whoever may not see it must not meet them anywhere."""

Things = dict[str, Any]


@dataclass
class World:
    """`people` by the names of `table.PEOPLE`; `things` by subject, under the names that addresses use."""

    people: dict[str, User] = field(default_factory=dict)
    things: dict[str, Things] = field(default_factory=lambda: {"own": {}, "team": {}, "site": {}})

    sessions: dict[str, str] = field(default_factory=dict)

    def client(self, who: str) -> Client:
        """A browser of that person, who has just given their password."""
        client = Client()
        if who != "visitor":
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[who]
        return client

    def sign_everybody_in(self) -> None:
        """One session for each, made once: what a request does to it is undone with all it did."""
        for who, user in self.people.items():
            client = Client()
            client.force_login(user)
            session = client.session
            given = {"method": "password", "at": time.time() + 3600, "reauthenticated": True}
            session["account_authentication_methods"] = [given]
            session["account_authentication_methods_user"] = user_id_to_str(user)
            session.save()
            self.sessions[who] = client.cookies[settings.SESSION_COOKIE_NAME].value

    def seen_by(self, who: str) -> frozenset[str]:
        """The subjects that somebody may see at all."""
        seen = {"own"} if who == "person" else set()
        return frozenset(seen | ({"team"} if who in {"viewer", "reviewer", "editor", "owner"} else set()))


def build() -> World:
    """Make everything; inside a transaction that is rolled back at the end."""
    world = World()
    for name in ("stranger", "elsewhere", "viewer", "reviewer", "editor", "owner", "person"):
        world.people[name] = User.objects.create_user(name, f"{name}@example.org", "a fine long password")
    world.people["guest"] = User.objects.create(username="guest-of-the-table", is_guest=True)
    world.people["staff"] = User.objects.create_superuser("staff", "staff@example.org", "a fine long password")
    other = Team.objects.create(name="Elsewhere")
    Membership.objects.create(team=other, user=world.people["elsewhere"], role=Role.OWNER)
    team = Team.objects.create(name=f"Weavers {MARKS['team']}")
    for role in Role:
        Membership.objects.create(team=team, user=world.people[role.value], role=role)
    world.things["own"] = _things(world.people["person"], None)
    world.things["team"] = _things(world.people["editor"], team)
    _furnish_team(world, team)
    for module in modules():
        if hasattr(module, "furnish"):
            module.furnish(world)
    world.sign_everybody_in()
    return world


def _things(owner: User, team: Team | None) -> Things:
    mark = MARKS["own" if team is None else "team"]
    data = photo_file(seed=5 if team is None else 6)
    picture = services.add_picture(owner, f"{mark}.jpg", data, team=team)
    upload = picture.versions.get()
    result = _result(upload)
    save_draft(owner, result, mask_file(box=(1, 1, 5, 5)))
    mask = services.add_mask(upload, mask_file(box=(3, 3, 9, 9)))
    job, _ = submit_job(owner, upload, mask, model="telea", params={})
    batch, _ = submit_batch(owner, result, result.mask, models=["telea"])
    publish_preview(job.pk, PREVIEW, b"\x89PNG preview", [0, 0, 8, 8])
    done, _ = submit_job(owner, upload, mask, model="telea", params={"radius": 3})
    states.succeed(states.begin(done, worker="fill@here.1"), timings={}, result_id=result.pk)
    note = notify(owner, Kind.JOB, f"{mark} is ready.", url=f"/pictures/{picture.pk}/edit")
    assert isinstance(note, Notification)
    return {
        "picture": picture,
        "version": result,
        "picture_id": picture.pk,
        "version_id": result.pk,
        "mask_id": result.mask_id,
        "job_id": job.pk,
        "done_job_id": done.pk,
        "batch_id": batch.pk,
        "overlay_id": result.overlays.get().pk,
        "sources_id": result.sources.get().pk,
        "notification_id": note.pk,
        "n": PREVIEW,
    }


def _furnish_team(world: World, team: Team) -> None:
    things = world.things["team"]
    invitation, token = invite(team, by=world.people["owner"], role="viewer", days=3)
    things |= {
        "team": team,
        "team_id": team.pk,
        "invitation_id": invitation.pk,
        "token": token,
        "membership_id": Membership.objects.get(team=team, user=world.people["viewer"]).pk,
    }
    world.things["site"] |= {"token": token}
    Job.objects.filter(pk=things["job_id"]).update(created_at=timezone.now() - timedelta(minutes=1))


def _result(source: Version) -> Version:
    """A result as a worker stores it, with an overlay and a source map."""
    photo = decode(services.read_version(source))
    mask = services.add_mask(source, mask_file(source.width, source.height))
    hole = decode_mask(services.read_mask(mask), width=source.width, height=source.height)
    values = photo.pixels.copy()
    values[hole] = 128
    return services.add_result(
        source=source,
        mask=mask,
        png=encode(Photo(values, photo.icc, photo.exif, photo.format), "PNG"),
        width=source.width,
        height=source.height,
        model="telea",
        params={},
        seed=7,
        timings={},
        proof={"known_pixels": int(np.count_nonzero(~hole)), "changed_pixels": 0},
        notes={},
        overlays=[NewOverlay("known", "Known pixels", (0, 0, 40, 40), WEBP)],
        sources=[NewSourceMap((0, 0, 40, 40), MAP.width, MAP.height, 7, MAP.data)],
    )
