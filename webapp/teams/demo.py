"""A site full of people, teams and pictures, to look around in and to measure with.

The pictures are details of the sample photos, and their versions are real: holes are filled by Telea's method, some
also by PatchMatch, with the same library calls that the models `telea` and `patchmatch` make, timed and proved.
Nothing of it is drawn by hand.
"""

from __future__ import annotations

import hashlib
import io
import random
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone
from PIL import Image

from inpainting.evaluation.peers import PEERS, Peer
from inpainting.imaging import BoolMask, Photo, decode, decode_mask, encode
from inpainting.imaging.composite import prove
from webapp.accounts.models import User
from webapp.notifications.models import Notification
from webapp.photos import services
from webapp.photos.models import Picture, Version
from webapp.photos.samples import Sample, all_samples
from webapp.teams.models import Activity, ComputeUse, Invitation, Membership, Role, Team

PEOPLE = {
    "olive": ("Olive", "Weaver"),
    "edgar": ("Edgar", "Dyer"),
    "rita": ("Rita", "Spinner"),
    "victor": ("Victor", "Fuller"),
    "otto": ("Otto", "Carder"),
    "ines": ("Ines", "Tailor"),
}
ADMIN = "ada"
TEAMS: dict[str, dict[str, Role]] = {
    "Museum archive": {"olive": Role.OWNER, "edgar": Role.EDITOR, "rita": Role.REVIEWER, "victor": Role.VIEWER},
    "Street photo club": {"otto": Role.OWNER, "edgar": Role.EDITOR, "ines": Role.EDITOR, "olive": Role.REVIEWER},
    "Family album": {"ines": Role.OWNER, "victor": Role.EDITOR},
}
Kind = Notification.Kind
_PARTS = ("detail", "corner", "close-up", "wide", "left half", "right half", "before cleaning", "scan")
_SIDES = (360, 420, 480)
_RADIUS, _PATCH = 5, 11
"""Of Telea's method and of PatchMatch, as `inpainting.evaluation.peers` calls them; the patch is a side in pixels."""
_DAYS = 120


@dataclass
class Demo:
    """What was made; other apps add to it by a `furnish(demo)` in their module `demo`."""

    people: dict[str, User] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    results: list[Version] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """What to tell whoever made it, besides people and password."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311  # the same demo each time


def make_demo(pictures: int, password: str, tell: Callable[[str], None] = lambda line: None) -> Demo:
    """Make people, teams, `pictures` pictures and what happened to them; all or nothing."""
    demo = Demo()
    with transaction.atomic():
        _make_people(demo, password)
        _make_teams(demo)
        tell(f"{len(demo.people)} people, {len(demo.teams)} teams")
    samples = all_samples()
    photos = {sample.name: decode(sample.path.read_bytes()) for sample in samples}
    for number in range(pictures):
        sample = samples[number % len(samples)]
        _make_picture(demo, number, sample, photos[sample.name])
        if (number + 1) % 50 == 0:
            tell(f"{number + 1} pictures, {len(demo.results)} filled versions")
    with transaction.atomic():
        _make_news(demo)
        for furnish in _others():
            furnish(demo)
    return demo


def _make_people(demo: Demo, password: str) -> None:
    hashed = make_password(password)
    for name, (first, last) in {**PEOPLE, ADMIN: ("Ada", "Keeper")}.items():
        admin = name == ADMIN
        demo.people[name] = User.objects.create(
            username=name,
            email=f"{name}@example.org",
            first_name=first,
            last_name=last,
            password=hashed,
            is_staff=admin,
            is_superuser=admin,
            mail_notices=False,
        )
        EmailAddress.objects.create(user=demo.people[name], email=demo.people[name].email, verified=True, primary=True)


def _make_teams(demo: Demo) -> None:
    for name, members in TEAMS.items():
        team = Team.objects.create(name=name, storage_quota=200 * 1024 * 1024, gpu_seconds_quota=3600)
        for who, role in members.items():
            Membership.objects.create(team=team, user=demo.people[who], role=role)
        demo.teams[name] = team


def _make_picture(demo: Demo, number: int, sample: Sample, photo: Photo) -> None:
    """One detail of a sample; two in five get a hole that is filled, some of these another."""
    owner, team = _place(demo, number)
    data = _detail(photo, demo.chance)
    title = f"{sample.title}, {_PARTS[number % len(_PARTS)]} {number + 1}"
    picture = services.store_picture(owner, title, data, team)
    version = picture.versions.get()
    for _ in range(demo.chance.choice((0, 0, 0, 1, 1, 2))):
        version = _fill(demo, version, owner)
    _set_back(demo, picture, timezone.now())
    demo.pictures.append(picture)


def _place(demo: Demo, number: int) -> tuple[User, Team | None]:
    """Every third picture is a person's own, the rest go to the teams, brought by those who may."""
    if number % 3 == 0:
        return demo.people[list(PEOPLE)[number // 3 % len(PEOPLE)]], None
    name = demo.chance.choices(list(TEAMS), weights=(3, 2, 1))[0]
    editors = [who for who, role in TEAMS[name].items() if role in (Role.OWNER, Role.EDITOR)]
    return demo.people[editors[number % len(editors)]], demo.teams[name]


def _detail(photo: Photo, chance: random.Random) -> bytes:
    """A JPEG of a part of the photo, 360 to 480 pixels at its longer side."""
    pixels = photo.pixels[..., :3]
    height, width = pixels.shape[:2]
    share, shape = chance.uniform(0.35, 0.9), chance.choice(((4, 3), (3, 2), (1, 1), (3, 4)))
    wide = min(width * share, height * share * shape[0] / shape[1])
    crop_width, crop_height = int(wide), int(wide * shape[1] / shape[0])
    left, top = chance.randrange(width - crop_width + 1), chance.randrange(height - crop_height + 1)
    crop = Image.fromarray(pixels[top : top + crop_height, left : left + crop_width])
    crop.thumbnail((chance.choice(_SIDES),) * 2, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    crop.save(out, "JPEG", quality=86)
    return out.getvalue()


def _fill(demo: Demo, source: Version, owner: User) -> Version:
    """A hole like a brush makes, filled by Telea's method."""
    hole = _hole(source.height, source.width, demo.chance)
    version = _keep(demo, source, hole, "telea", {"radius": _RADIUS}, PEERS["Telea"], owner)
    demo.results.append(version)
    return version


def fill_again(demo: Demo, rival: Version, owner: User) -> Version | None:
    """The hole of `rival` filled by PatchMatch, two minutes later; None where its library is not installed."""
    if find_spec("patchmatch") is None or rival.parent is None or rival.mask is None:
        return None
    hole = decode_mask(services.read_mask(rival.mask), width=rival.width, height=rival.height)
    version = _keep(demo, rival.parent, hole, "patchmatch", {"patch_size": _PATCH}, PEERS["PatchMatch"], owner)
    rival.refresh_from_db(fields=["created_at"])
    moment = rival.created_at + timedelta(minutes=2)
    Version.objects.filter(pk=version.pk).update(created_at=moment)
    Picture.objects.filter(pk=rival.picture_id).update(changed_at=max(moment, rival.picture.changed_at))
    Activity.objects.filter(picture=rival.picture, kind=Activity.Kind.FILLED).update(at=moment)
    return version


def _keep(
    demo: Demo, source: Version, hole: BoolMask, model: str, params: dict[str, Any], fill: Peer, owner: User
) -> Version:
    """What `fill` makes of the hole, kept as a worker keeps it."""
    began = time.perf_counter()
    photo = decode(services.read_version(source))
    mask = services.keep_mask(source, hole)
    prepared = time.perf_counter()
    filled = fill(np.ascontiguousarray(photo.pixels, np.uint8), hole)
    computed = time.perf_counter()
    values = np.where(hole[..., None], filled, photo.pixels)
    png = encode(Photo(values, photo.icc, photo.exif, photo.format), "PNG")
    version = services.add_result(
        source=source,
        mask=mask,
        png=png,
        width=source.width,
        height=source.height,
        model=model,
        params=params,
        seed=int(hashlib.sha256(str(source.pk).encode()).hexdigest()[:8], 16),
        timings={
            "prepare": round(prepared - began, 4),
            "compute": round(computed - prepared, 4),
            "paste": round(time.perf_counter() - computed, 4),
        },
        proof=prove(photo.pixels, values, hole).as_dict(),
        notes={},
    )
    for spec in ("display", "thumb"):
        services.make_rendition(version, spec)
    team = source.picture.team
    if team is not None:
        seconds = time.perf_counter() - began
        ComputeUse.objects.create(team=team, job=version.pk, user=owner.pk, seconds=seconds)
        Activity.objects.create(
            team=team,
            kind=Activity.Kind.FILLED,
            actor=owner,
            actor_name=str(owner),
            picture=source.picture,
            subject=source.picture.title,
        )
    return version


def _hole(height: int, width: int, chance: random.Random) -> BoolMask:
    """A stroke of two to four bends, (height, width)."""
    canvas = np.zeros((height, width), np.uint8)
    points = [(chance.randrange(width // 6, width * 5 // 6), chance.randrange(height // 6, height * 5 // 6))]
    for _ in range(chance.randrange(2, 5)):
        x, y = points[-1]
        step = max(height, width) // 7
        points.append((x + chance.randrange(-step, step + 1), y + chance.randrange(-step, step + 1)))
    line = np.array(points, np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [line], False, 255, thickness=chance.randrange(10, 26))
    return canvas > 0


def _set_back(demo: Demo, picture: Picture, now: datetime) -> None:
    """As if it had been brought at some time within the last months."""
    brought = now - timedelta(minutes=demo.chance.randrange(10, _DAYS * 24 * 60))
    moment = brought
    Picture.objects.filter(pk=picture.pk).update(created_at=brought)
    for version in picture.versions.order_by("created_at", "id"):
        Version.objects.filter(pk=version.pk).update(created_at=moment)
        Activity.objects.filter(picture=picture).update(at=moment)
        changed, moment = moment, moment + timedelta(minutes=demo.chance.randrange(3, 9))
    Picture.objects.filter(pk=picture.pk).update(changed_at=changed)


def _make_news(demo: Demo) -> None:
    """An invitation, and things that people have not read yet; as rows, because no page is open to hear of them."""
    team, owner = demo.teams["Museum archive"], demo.people["olive"]
    Invitation.objects.create(
        team=team,
        role=Role.VIEWER,
        token_hash=hashlib.sha256(secrets.token_bytes(32)).hexdigest(),
        invited_by=owner,
        expires_at=timezone.now() + timedelta(days=30),
    )
    latest = Picture.objects.filter(team=team).order_by("-changed_at").first()
    for name in ("edgar", "rita", "victor"):
        said = [(Kind.TEAM, f"{owner} made a link to join {team}.", f"/teams/{team.pk}/")]
        if latest is not None:
            said.append((Kind.JOB, f"Telea has filled “{latest.title}”.", f"/pictures/{latest.pk}/edit"))
        for kind, text, url in said:
            Notification.objects.create(user=demo.people[name], kind=kind, text=text, url=url)


def _others() -> Iterator[Callable[[Demo], Any]]:
    """`furnish` of every other app's module `demo`."""
    for config in apps.get_app_configs():
        name = f"{config.name}.demo"
        if config.name.startswith("webapp.") and name != __name__ and find_spec(name) is not None:
            yield import_module(name).furnish
