"""Where an evaluation's photos come from: galleries by right, full size by measure, archives that are damaged."""

from __future__ import annotations

import io
import os
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.webapp.material import body_of, photo_file
from tests.webapp.teams import make_team
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.evaluations import rights, services, states
from webapp.evaluations.models import Evaluation, EvaluationFile, Unit
from webapp.evaluations.uploads import MINE, NewPhoto, gather
from webapp.galleries.services import throw_away
from webapp.photos import services as pictures
from webapp.photos.files import new_files, write_file
from webapp.photos.models import Picture
from webapp.teams.models import Membership, Role, Team

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_redis")]


@pytest.fixture
def team(ada: User, bob: User) -> Team:
    """Ada's, in which Bob looks; with two pictures."""
    made = make_team(owner=ada, viewer=bob)
    for number in range(2):
        pictures.add_picture(ada, f"wall {number}.jpg", photo_file("JPEG", seed=number), team=made)
    return made


def evaluate(owner: User, photos: list[NewPhoto], **wishes: Any) -> Evaluation:
    wanted = {"title": "", "protocol": "centre-128", "size": "256", "seed": 0, "models": ["telea"]} | wishes
    return services.start_evaluation(owner, photos, **wanted)


def finished(evaluation: Evaluation) -> Evaluation:
    with new_files():
        for name, kind in (("body.html", "text/html"), ("rows.csv", "text/csv")):
            row = EvaluationFile(evaluation=evaluation, name=name, content_type=kind)
            write_file(row.file, f".{name.rpartition('.')[2]}", b"<p>The report.</p>")
            row.save()
    states.complete(evaluation, {"cases": []})
    evaluation.refresh_from_db()
    return evaluation


def test_a_gallery_is_evaluated_as_it_stands_each_picture_once(
    bob: User, team: Team, media: Callable[[], list[str]], settings: Settings
) -> None:
    newest = Picture.objects.filter(team=team).latest("changed_at")
    before = media()
    found = gather(bob, galleries=[str(team.pk)], chosen=[str(newest.pk)])
    assert [photo.name for photo in found] == ["wall 1.jpg", "wall 0.jpg"]
    evaluation = evaluate(bob, found)
    assert evaluation.teams == [str(team.pk)]
    assert media() == before  # nothing is copied
    assert rights.read_photo(evaluation.units.get(name="wall 1.jpg")) == photo_file("JPEG", seed=1)
    settings.EVALUATION_MAX_PHOTOS = 1
    assert [photo.name for photo in gather(bob, galleries=[str(team.pk)])] == ["wall 1.jpg"]


def test_galleries_of_others_and_what_lies_in_the_trash_are_not_found(ada: User, bob: User, team: Team) -> None:
    stranger = User.objects.create_user("eve", "eve@example.org", "a fine long password")
    some = Picture.objects.filter(team=team)[0]
    for wanted in ({"galleries": [str(team.pk)]}, {"galleries": ["nonsense"]}, {"chosen": [str(some.pk)]}):
        with pytest.raises(Refusal) as refusal:
            gather(stranger, **wanted)
        assert refusal.value.status == 404
    with pytest.raises(Refusal, match="at least one photo"):
        gather(bob, galleries=[MINE])
    photos = gather(bob, galleries=[str(team.pk)])
    with pytest.raises(Refusal, match="in no gallery of yours"):
        evaluate(stranger, photos)
    throw_away(ada, [each.pk for each in Picture.objects.filter(team=team)])
    with pytest.raises(Refusal, match="at least one photo"):
        gather(bob, galleries=[str(team.pk)])
    with pytest.raises(Refusal, match="in no gallery of yours"):
        evaluate(bob, photos)
    assert not Evaluation.objects.exists()


def test_the_form_offers_galleries_that_one_may_see(as_bob: Client, team: Team) -> None:
    make_team("Strangers")
    hidden = make_team("Elsewhere")
    pictures.add_picture(hidden.members.get(), "secret.jpg", photo_file("JPEG"), team=hidden)
    page = as_bob.get(reverse("evaluations:new")).content.decode()
    assert re.search(rf'name="galleries" value="{team.pk}">\s*<span>All 2 pictures', page)
    assert "wall 0" in page
    assert "secret" not in page
    assert "Full size" in page
    wishes = {"protocol": "object", "size": "full", "seed": "0", "models": ["telea"], "galleries": [str(team.pk)]}
    as_bob.post(reverse("evaluations:new"), wishes)
    evaluation = Evaluation.objects.get()
    assert (evaluation.size, evaluation.units.filter(kind="photo").count()) == ("full", 2)
    refused = as_bob.post(reverse("evaluations:new"), {**wishes, "galleries": [str(hidden.pk)]})
    assert refused.status_code == 404
    assert Evaluation.objects.count() == 1


def test_a_report_is_closed_to_who_leaves_the_team(as_bob: Client, bob: User, team: Team) -> None:
    evaluation = finished(evaluate(bob, gather(bob, galleries=[str(team.pk)])))
    page = reverse("evaluations:detail", args=[evaluation.pk])
    assert "The report." in as_bob.get(page).content.decode()
    assert body_of(as_bob.get(f"{page}files/rows.csv")) == b"<p>The report.</p>"
    Membership.objects.filter(user=bob).delete()
    answer = as_bob.get(page).content.decode()
    assert "The report." not in answer
    assert "not in any more" in answer
    refused = as_bob.get(f"{page}files/rows.csv")
    assert refused.status_code == 403
    assert "not in any more" in refused.content.decode()
    both = {"one": evaluation.pk, "other": evaluation.pk}
    assert as_bob.get(reverse("evaluations:compare"), both).status_code == 403
    with pytest.raises(Refusal, match="in no gallery of yours"):
        services.run_again(evaluation, bob)
    team.delete()
    assert "The report." not in as_bob.get(page).content.decode()


def test_a_link_shows_a_team_s_pictures_only_while_its_maker_may_share_them(
    as_bob: Client, client: Client, bob: User, team: Team
) -> None:
    evaluation = finished(evaluate(bob, gather(bob, galleries=[str(team.pk)])))
    share = reverse("evaluations:share", args=[evaluation.pk])
    assert as_bob.post(share, {"share": "on"}).status_code == 403
    Membership.objects.filter(user=bob).update(role=Role.EDITOR)
    as_bob.post(share, {"share": "on"})
    evaluation.refresh_from_db()
    link = reverse("evaluations:shared", args=[evaluation.share_token])
    assert client.get(link).status_code == 200
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    assert client.get(link).status_code == 404
    assert client.get(f"{link}files/rows.csv").status_code == 404


def test_full_size_is_bounded_by_what_there_is_to_fill(ada: User, settings: Settings) -> None:
    settings.EVALUATION_FULL_MEGAPIXELS = 1
    photos = [NewPhoto("a.png", photo_file("PNG", width=400, height=500))]  # 0.2 megapixels, five holes
    assert evaluate(ada, photos, size="full", protocol="irregular").size == "full"
    with pytest.raises(Refusal, match="2 million pixels to fill and measure"):
        evaluate(ada, photos, size="full", protocol="irregular", models=["telea", "patchmatch"])
    assert evaluate(ada, photos, protocol="irregular", models=["telea", "patchmatch"]).size == "256"


def test_stray_files_of_evaluations_are_swept_and_others_stay(
    ada: User, media: Callable[[], list[str]], settings: Settings
) -> None:
    evaluation = finished(evaluate(ada, [NewPhoto("a.png", photo_file("PNG"))]))
    unit = evaluation.units.get(kind="photo")
    with new_files():
        write_file(unit.outcome, ".zip", b"rows and results")
    Unit.objects.filter(pk=unit.pk).update(outcome=unit.outcome.name)
    kept = media()
    assert {name.split("/")[0] for name in kept} == {"unit", "evaluationfile"}
    for name in ("unit/aa/stray.zip", "evaluationfile/bb/stray.svg"):
        path = Path(settings.MEDIA_ROOT) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"nobody's")
    long_ago = time.time() - 25 * 3600
    for name in media():
        os.utime(Path(settings.MEDIA_ROOT) / name, (long_ago, long_ago))
    call_command("clear_files", stdout=io.StringIO())
    assert media() == kept


def _refusal_of(owner: User, data: bytes) -> Refusal | None:
    """How an archive is refused; None where its photo is read, which is as it was then."""
    try:
        found = gather(owner, files=[("a.zip", data)])
    except Refusal as refusal:
        return refusal
    return None if found[0].data == photo_file("PNG", width=40, height=40) else Refusal("changed", "Another photo.")


@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_with_damaged_data_is_refused_in_a_sentence(ada: User, packing: int) -> None:
    """Sixty bytes of the packed data are turned around, one at a time; headers and directory say that all is well."""
    out = io.BytesIO()
    photo = photo_file("PNG", width=40, height=40)
    with zipfile.ZipFile(out, "w", packing) as archive:
        archive.writestr("a.png", photo)
        entry = archive.infolist()[0]
    whole = out.getvalue()
    assert [each.data for each in gather(ada, files=[("a.zip", whole)])] == [photo]
    start = entry.header_offset + 30 + len("a.png")
    places = range(start, start + entry.compress_size, max(1, entry.compress_size // 60))
    answers = []
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        answers.append(_refusal_of(ada, bytes(damaged)))
    # A few bytes say nothing about the photo, such as the number of the program that packed it.
    refused = [each for each in answers if each is not None]
    assert len(refused) > 0.9 * len(places)
    assert {(each.code, each.status) for each in refused} == {("bad_zip", 422)}
    assert {each.message for each in refused} <= {"a.zip cannot be read as a zip archive.", "a.zip is damaged."}


def test_an_archive_with_a_name_that_is_no_text_is_refused(ada: User) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ä.png", photo_file("PNG"))
    broken = out.getvalue().replace("ä.png".encode(), b"\xff\xfe.png")
    with pytest.raises(Refusal, match="cannot be read as a zip archive"):
        gather(ada, files=[("a.zip", broken)])
