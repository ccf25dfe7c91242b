"""Evaluations on the site: what goes in, who sees what, whose turn it is, two reports beside each other."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from tests.webapp.material import body_of, photo_file
from webapp.accounts.models import User
from webapp.errors import Refusal
from webapp.evaluations import services, states
from webapp.evaluations.comparison import compare
from webapp.evaluations.models import Evaluation, EvaluationFile, Unit
from webapp.evaluations.sweep import sweep
from webapp.evaluations.uploads import NewPhoto, gather
from webapp.photos.files import new_files, write_file
from webapp.photos.models import Picture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("with_redis")]

Start = Callable[..., Evaluation]


@pytest.fixture
def start() -> Start:
    def make(owner: User, photos: int = 2, **wishes: Any) -> Evaluation:
        given = [NewPhoto(f"{number}.jpg", photo_file("JPEG", seed=number)) for number in range(photos)]
        wanted: dict[str, Any] = {
            "title": "", "protocol": "centre-128", "size": "256", "seed": 0, "models": ["telea"]
        } | wishes  # fmt: skip
        return services.start_evaluation(owner, given, **wanted)

    return make


def archive(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return out.getvalue()


def summary(values: list[float], *, holes: str = "h", name: str = "telea", title: str = "Telea") -> dict[str, Any]:
    """What a report of one model and one measure amounts to, one photo a value."""
    cases = [{"id": f"c{n}", "sha256": f"photo{n}", "hole_sha256": f"{holes}{n}"} for n in range(len(values))]
    mean = sum(values) / len(values)
    return {
        "contestants": [{"name": name, "title": title}],
        "cases": cases,
        "value_cases": [case["id"] for case in cases],
        "values": {"psnr": {name: values}},
        "overall": {"psnr": {name: {"mean": mean}}},
        "measures": ["psnr"],
        "not_computed": {},
        "photos": len(values),
        "settings": {"seed": 0},
        "environment": {"libraries": {"torch": "1"}},
    }


def test_photos_come_as_files_archives_pictures_and_samples(ada: User, picture: Picture) -> None:
    zipped = archive(
        {
            "holiday/a.jpg": photo_file("JPEG"),
            "../../etc/b.png": photo_file("PNG"),
            "notes.txt": b"no photo",
            "__MACOSX/._a.jpg": b"no photo either",
            ".hidden.jpg": b"nor this",
        }
    )
    found = gather(
        ada,
        files=[("set.zip", zipped), ("a.jpg", photo_file("JPEG", seed=3))],
        chosen=[str(picture.pk)],
        sample_names=["kite"],
    )
    assert [photo.name for photo in found] == ["b.png", "a.jpg", "a (2).jpg", "beach day.jpg", "kite.jpg"]


@pytest.mark.parametrize(
    ("files", "status", "sentence"),
    [
        ([], 422, "Choose at least one photo"),
        ([("a.jpg", b"text")], 422, "a.jpg"),
        ([("a.zip", b"PK\x03\x04 broken")], 422, "zip archive"),
        ([("a.zip", archive({"readme.txt": b"x"}))], 422, "Choose at least one photo"),
        ([("a.png", photo_file("PNG", width=20, height=200))], 422, "at least 32"),
    ],
)
def test_what_is_no_photo_is_refused(ada: User, files: list[tuple[str, bytes]], status: int, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence) as refusal:
        gather(ada, files=files, chosen=[], sample_names=[])
    assert refusal.value.status == status


def test_archives_that_would_burst_are_refused_unread(ada: User, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES = 200_000
    bomb = archive({"zeros.png": bytes(3_000_000)})
    assert len(bomb) < 10_000
    with pytest.raises(Refusal, match="too big"):
        gather(ada, files=[("bomb.zip", bomb)], chosen=[], sample_names=[])
    settings.EVALUATION_MAX_PHOTOS = 2
    many = archive({f"{number}.png": photo_file("PNG") for number in range(3)})
    with pytest.raises(Refusal, match="at most 2 photos"):
        gather(ada, files=[("many.zip", many)], chosen=[], sample_names=[])


def test_pictures_of_others_cannot_be_evaluated(bob: User, picture: Picture) -> None:
    for wanted in (str(picture.pk), "not an id"):
        with pytest.raises(Refusal) as refusal:
            gather(bob, files=[], chosen=[wanted], sample_names=[])
        assert refusal.value.status == 404


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({"protocol": "squares"}, "Holes can be drawn by"),
        ({"size": "1024"}, "256, 512, full"),
        ({"seed": -1}, "whole number"),
        ({"models": []}, "at least one model"),
        ({"models": ["magic"]}, "no model"),
        ({"models": ["telea:radius=99"]}, "between 1 and 15"),
        ({"models": ["lbp"]}, "weights are missing"),
    ],
)
def test_wishes_that_cannot_be_fulfilled(
    ada: User, start: Start, wishes: dict[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if wishes.get("models") == ["lbp"]:
        monkeypatch.setattr("inpainting.model_entry.WEIGHTS_DIR", __import__("pathlib").Path("/nowhere"))
    with pytest.raises(Refusal, match=sentence):
        start(ada, **wishes)
    assert not Evaluation.objects.exists()


def test_the_form_starts_an_evaluation_with_its_parameters(as_ada: Client, ada: User) -> None:
    assert b"Irregular, five bins" in as_ada.get(reverse("evaluations:new")).content
    answer = as_ada.post(
        reverse("evaluations:new"),
        {
            "photos": [SimpleUploadedFile("x.jpg", photo_file("JPEG")), SimpleUploadedFile("y.png", photo_file("PNG"))],
            "samples": ["kite"],
            "protocol": "object",
            "size": "512",
            "seed": "7",
            "models": ["telea", "mean-colour"],
            "param:telea:radius": "9",
            "param:patchmatch:patch_size": "5",
        },
    )
    evaluation = Evaluation.objects.get(owner=ada)
    assert answer.headers["Location"] == reverse("evaluations:detail", args=[evaluation.pk])
    assert evaluation.methods == ["telea:radius=9", "mean-colour"]
    assert (evaluation.protocol, evaluation.size, evaluation.seed) == ("object", "512", 7)
    assert evaluation.title == "Object-like, 10–40 % of 3 photos"
    assert list(evaluation.units.values_list("kind", flat=True)) == ["photo"] * 3 + ["report"]
    page = as_ada.get(reverse("evaluations:detail", args=[evaluation.pk])).content.decode()
    assert "0 of 3 photos measured" in page
    assert "hx-get" in page
    assert evaluation.title in as_ada.get(reverse("evaluations:list")).content.decode()


def test_a_refused_form_keeps_what_was_filled_in(as_ada: Client) -> None:
    answer = as_ada.post(
        reverse("evaluations:new"),
        {"title": "My <test>", "protocol": "object", "size": "256", "seed": "1", "models": ["telea"]},
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Choose at least one photo" in page
    assert "My &lt;test&gt;" in page
    assert 'value="object" required checked' in page


def test_visitors_become_guests_only_when_they_start_one(client: Client) -> None:
    assert client.get(reverse("evaluations:list")).status_code == 200
    assert not User.objects.exists()
    wishes = {"samples": ["kite"], "protocol": "object", "size": "256", "seed": "0", "models": ["telea"]}
    client.post(reverse("evaluations:new"), wishes)
    assert Evaluation.objects.get().owner.is_guest


def test_nobody_else_sees_or_touches_it(as_bob: Client, ada: User, start: Start) -> None:
    evaluation = start(ada)
    for name in ("detail", "progress"):
        assert as_bob.get(reverse(f"evaluations:{name}", args=[evaluation.pk])).status_code == 404
    for name in ("cancel", "again", "share", "delete"):
        assert as_bob.post(reverse(f"evaluations:{name}", args=[evaluation.pk])).status_code == 404
        assert as_bob.get(reverse(f"evaluations:{name}", args=[evaluation.pk])).status_code == 405
    one = {"one": evaluation.pk, "other": evaluation.pk}
    assert as_bob.get(reverse("evaluations:compare"), one).status_code == 404
    assert evaluation.title not in as_bob.get(reverse("evaluations:list")).content.decode()
    evaluation.refresh_from_db()
    assert evaluation.state == "running"


def done(evaluation: Evaluation, numbers: dict[str, Any] | None = None) -> Evaluation:
    """As the worker leaves a finished one."""
    with new_files():
        for name, kind, data in (
            ("body.html", "text/html", b"<p>The report.</p>"),
            ("rows.csv", "text/csv", b"case\n"),
            ("plot.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ):
            row = EvaluationFile(evaluation=evaluation, name=name, content_type=kind)
            write_file(row.file, f".{name.rpartition('.')[2]}", data)
            row.save()
    Unit.objects.filter(evaluation=evaluation).update(state="done")
    states.complete(evaluation, numbers or summary([20.0]))
    evaluation.refresh_from_db()
    return evaluation


def test_a_finished_report_can_be_read_downloaded_shared_and_taken_back(
    as_ada: Client, client: Client, ada: User, start: Start
) -> None:
    evaluation = start(ada, title="Mine & yours")
    assert as_ada.post(reverse("evaluations:share", args=[evaluation.pk])).status_code == 409
    done(evaluation)
    page = reverse("evaluations:detail", args=[evaluation.pk])
    assert "<p>The report.</p>" in as_ada.get(page).content.decode()
    download = as_ada.get(f"{page}files/rows.csv")
    assert "attachment" in download.headers["Content-Disposition"]
    assert body_of(download) == b"case\n"
    plot = as_ada.get(f"{page}files/plot.svg")
    assert body_of(plot).startswith(b"<svg")
    assert "sandbox" in plot.headers["Content-Security-Policy"]
    assert plot.headers["X-Content-Type-Options"] == "nosniff"
    assert as_ada.get(f"{page}files/secret.txt").status_code == 404
    assert client.get(f"{page}files/rows.csv").status_code == 404
    as_ada.post(reverse("evaluations:share", args=[evaluation.pk]), {"share": "on"})
    evaluation.refresh_from_db()
    link = reverse("evaluations:shared", args=[evaluation.share_token])
    seen = client.get(link)
    assert "<p>The report.</p>" in seen.content.decode()
    assert seen.headers["Referrer-Policy"] == "no-referrer"
    assert ada.username not in seen.content.decode()
    assert body_of(client.get(f"{link}files/plot.svg")).startswith(b"<svg")
    assert link in as_ada.get(page).content.decode()
    as_ada.post(reverse("evaluations:share", args=[evaluation.pk]), {"share": "off"})
    assert client.get(link).status_code == 404
    assert client.get(f"{link}files/plot.svg").status_code == 404
    assert client.get(reverse("evaluations:shared", args=["None"])).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_deleting_removes_every_file(as_ada: Client, ada: User, start: Start, media: Callable[[], list[str]]) -> None:
    evaluation = done(start(ada))
    assert len(media()) == 2 + 3
    as_ada.post(reverse("evaluations:delete", args=[evaluation.pk]))
    assert media() == []
    assert not Evaluation.objects.exists()


def test_running_again_asks_for_the_same(as_ada: Client, ada: User, start: Start) -> None:
    first = done(start(ada, seed=5, models=["telea:radius=9"]))
    as_ada.post(reverse("evaluations:again", args=[first.pk]))
    second = Evaluation.objects.exclude(pk=first.pk).get()
    assert (second.methods, second.seed, second.protocol) == (first.methods, 5, first.protocol)
    names = [list(each.units.values_list("name", flat=True)) for each in (first, second)]
    assert names[0] == names[1]


def test_a_person_has_enough_with_two_under_way(ada: User, start: Start) -> None:
    start(ada)
    second = start(ada)
    with pytest.raises(Refusal, match="2 unfinished evaluations") as refusal:
        start(ada)
    assert refusal.value.status == 429
    services.cancel_evaluation(second)
    start(ada)


def test_people_take_turns_and_the_report_comes_last(ada: User, bob: User, start: Start) -> None:
    mine, theirs = start(ada, photos=3), start(bob, photos=1)
    claimed = []
    for _ in range(4):
        unit = states.claim_next(worker="w:1")
        assert unit is not None
        claimed.append((unit.evaluation_id, unit.kind))
        states.finish(unit)
    # Ada's first photo, then Bob's only one, then whoever's turn it is; never a report before its photos.
    assert claimed[:2] == [(mine.pk, "photo"), (theirs.pk, "photo")]
    assert (theirs.pk, "report") in claimed[2:]
    rest = [states.claim_next(worker="w:1") for _ in range(2)]
    assert [unit.kind for unit in rest if unit is not None] == ["photo"]  # the report waits for the one running
    assert rest[0] is not None
    states.finish(rest[0])
    last = states.claim_next(worker="w:1")
    assert last is not None
    assert (last.kind, last.evaluation_id) == ("report", mine.pk)


def test_a_cancelled_evaluation_stops_where_it_is(as_ada: Client, ada: User, start: Start) -> None:
    evaluation = start(ada)
    unit = states.claim_next(worker="w:1")
    assert unit is not None
    states.sign_of_life(unit, stage="telea", fraction=0.5)
    as_ada.post(reverse("evaluations:cancel", args=[evaluation.pk]))
    with pytest.raises(states.Lost):
        states.sign_of_life(unit, stage="telea", fraction=0.6)
    assert states.claim_next(worker="w:1") is None
    evaluation.refresh_from_db()
    assert evaluation.state == "cancelled"
    with pytest.raises(states.Lost):
        states.complete(evaluation, {})
    assert "was cancelled" in as_ada.get(reverse("evaluations:detail", args=[evaluation.pk])).content.decode()


def test_two_workers_never_have_the_same_unit(ada: User, start: Start) -> None:
    start(ada, photos=1)
    unit = states.claim_next(worker="w:1")
    assert unit is not None
    assert states.claim_next(worker="w:2") is None
    stale = Unit.objects.get(pk=unit.pk)
    states.take_back(unit)
    again = states.claim_next(worker="w:2")
    assert again is not None
    assert (again.pk, again.attempt) == (unit.pk, 2)
    with pytest.raises(states.Lost):
        states.finish(stale)  # the first worker comes back from the dead


def test_the_sweep_takes_back_what_fell_silent_and_gives_up_in_the_end(
    ada: User, start: Start, settings: Settings
) -> None:
    evaluation = start(ada, photos=1)
    long_ago = timezone.now() - timedelta(seconds=settings.JOBS.stale_after + 5)
    for attempt in range(1, settings.JOBS.max_attempts + 1):
        unit = states.claim_next(worker="w:1")
        assert unit is not None
        assert unit.attempt == attempt
        assert sweep()[0] == 0  # it is alive
        Unit.objects.filter(pk=unit.pk).update(heartbeat_at=long_ago)
        assert sweep()[0] == 1
    unit = evaluation.units.get(kind="photo")
    assert (unit.state, unit.attempt) == ("failed", settings.JOBS.max_attempts)
    assert "gave up" in unit.error
    assert states.claimable().get().kind == "report"  # which says that there is nothing to report


def test_two_reports_are_paired_by_photo_and_hole() -> None:
    base = [20.0 + number / 10 for number in range(30)]
    found = compare(summary(base), summary([value + 0.5 for value in base]))
    line = found.sections[0].lines[0]
    assert found.shared == 30
    assert line.gap == "+0.50 (+0.50 to +0.50)"
    assert line.verdict == "better"
    assert not found.too_few
    assert found.differences == []
    worse = compare(summary([value + 0.5 for value in base]), summary(base))
    assert worse.sections[0].lines[0].verdict == "worse"


def test_reports_without_common_holes_or_with_few_photos_say_so() -> None:
    base = [20.0, 21.0, 22.0]
    apart = compare(summary(base), summary(base, holes="other"))
    assert (apart.shared, apart.sections[0].lines[0].gap) == (0, "")
    few = compare(summary(base), summary([value + 1 for value in base]))
    assert few.too_few
    assert few.sections[0].lines[0].verdict == ""
    strangers = compare(summary(base), summary(base, name="lbp", title="LBP"))
    assert (strangers.sections, strangers.only_one, strangers.only_other) == ([], ["Telea"], ["LBP"])


def test_the_page_of_two_reports(as_ada: Client, ada: User, start: Start) -> None:
    one, other = done(start(ada, title="Before")), done(start(ada, title="After"), summary([25.0]))
    page = as_ada.get(reverse("evaluations:compare"), {"one": one.pk, "other": other.pk}).content.decode()
    assert "+5.00 (+5.00 to +5.00)" in page
    assert "too few to call a difference certain" in page
    assert as_ada.get(reverse("evaluations:compare"), {"one": one.pk, "other": "x"}).status_code == 404
    running = start(ada)
    assert as_ada.get(reverse("evaluations:compare"), {"one": one.pk, "other": running.pk}).status_code == 409


def test_a_guests_evaluations_move_to_the_account(start: Start, ada: User) -> None:
    from webapp.accounts.services import claim_guest

    guest = User.objects.create(username="guest-1", is_guest=True)
    evaluation = start(guest)
    assert claim_guest(guest, ada)
    evaluation.refresh_from_db()
    assert evaluation.owner == ada
