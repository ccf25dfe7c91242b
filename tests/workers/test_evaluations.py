"""Evaluations by workers: the same numbers as the command line, whatever happens on the way."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.files.storage import FileSystemStorage
from django.utils import timezone
from pyarrow import parquet

from inpainting.engine import Engine
from inpainting.evaluation.cases import cases_of_folder
from inpainting.evaluation.contestants import parse_contestants
from inpainting.evaluation.features import Viewer
from inpainting.evaluation.protocols import get_protocol
from inpainting.evaluation.run import Evaluation as Run
from inpainting.evaluation.store import Store
from tests.webapp.material import photo_file
from tests.webapp.teams import make_team
from tests.workers.conftest import RedisServer, painted, photo_png, started_worker
from tests.workers.processes import wait_until
from webapp.accounts.models import User
from webapp.evaluations import dispatch, services, states
from webapp.evaluations.models import Evaluation, Unit
from webapp.evaluations.sweep import sweep
from webapp.evaluations.uploads import MINE, NewPhoto, gather
from webapp.photos import services as pictures
from webapp.photos.files import read_file
from webapp.photos.models import Picture
from webapp.reviews.models import Ballot
from webapp.teams.models import Membership
from workers import shutdown
from workers.evaluations import EvaluationRunner, Pulse

METHODS = ["telea", "navier-stokes"]


def start(owner: User, photos: dict[str, bytes], protocol: str = "centre-120") -> Evaluation:
    given = [NewPhoto(name, data) for name, data in photos.items()]
    return services.start_evaluation(owner, given, title="Test", protocol=protocol, size="256", seed=3, models=METHODS)


def photos(count: int) -> dict[str, bytes]:
    return {f"photo {number}.png": photo_png(96, seed=number) for number in range(count)}


def content(evaluation: Evaluation, name: str) -> bytes:
    return read_file(evaluation.files.get(name=name).file)


def numbers(evaluation: Evaluation) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(content(evaluation, "rows.csv").decode()))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def _away(*args: object) -> None:
    raise EndpointConnectionError(endpoint_url="http://bucket.example.org")


def by_the_library(folder: Path, given: dict[str, bytes], protocol: str) -> dict[str, Any]:
    """The same evaluation without site and workers."""
    (folder / "photos").mkdir()
    for name, data in given.items():
        (folder / "photos" / name).write_bytes(data)
    planned, _ = cases_of_folder(folder / "photos", size="256", protocol=get_protocol(protocol), masks=None, seed=3)
    run = Run(Store(folder / "store"), Engine("cpu"), Viewer(published=False), parse_contestants(METHODS), seed=3)
    for photo in planned:
        run.add_photo(photo)
    return run.summary(title="Test", settings={}, device="cpu")


@pytest.mark.real
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("redis_server")
class TestInThisProcess:
    def test_a_report_is_made_with_the_numbers_of_the_library(self, user: User, tmp_path: Path) -> None:
        given = {**photos(2), "broken.png": b"\x89PNG\r\n\x1a\n and nothing more"}
        evaluation = start(user, given)
        runner = EvaluationRunner(Engine("cpu"), "here:1", "cpu")
        kinds = []
        while (unit := runner.run_next()) is not None:
            kinds.append(unit.kind)
        assert kinds == ["photo", "photo", "photo", "report"]
        evaluation.refresh_from_db()
        assert (evaluation.state, evaluation.error) == ("done", "")
        summary = evaluation.summary
        assert summary is not None
        wanted = by_the_library(tmp_path, photos(2), "centre-120")
        for key in ("psnr", "ssim", "l1_hole", "lite0_distance", "seam_error"):
            assert summary["overall"][key] == wanted["overall"][key]
        assert [each["photo"] for each in summary["skipped"]] == ["broken.png"]
        assert json.loads(content(evaluation, "summary.json"))["overall"] == json.loads(json.dumps(summary["overall"]))
        assert len(numbers(evaluation)) == 2 * 2
        table = parquet.read_table(io.BytesIO(content(evaluation, "rows.parquet")))
        assert [str(value) for value in table["psnr"].to_pylist()] == [row["psnr"] for row in numbers(evaluation)]
        body = content(evaluation, "body.html").decode()
        # The site's policy allows nothing of this.
        assert re.findall(r"<script|<style|\sstyle=|\son\w+=|data:", body) == []
        named = set(evaluation.files.values_list("name", flat=True))
        linked = {part.split('"')[0] for part in body.split('src="files/')[1:]}
        assert linked
        assert linked <= named
        assert not Unit.objects.exclude(outcome="").exists()  # the report has all that is shown

    def test_blind_votes_are_part_of_the_report(self, user: User, other_user: User) -> None:
        version, mask = painted(user, side=64, hole=20)
        results = []
        for model in ("telea", "patchmatch"):
            made = pictures.add_result(
                source=version, mask=mask, png=photo_png(64), width=64, height=64, model=model, params={}, seed=0,
                timings={}, proof={}, notes={},
            )  # fmt: skip
            results.append(made)
        for voter, choice in ((user, "first"), (other_user, "second")):
            Ballot.objects.create(
                voter=voter, picture=version.picture, first=results[0], second=results[1], pair="p", choice=choice
            )
        wanted = services.start_evaluation(
            user, [NewPhoto("a.png", photo_png(96))], title="", protocol="object", size="256", seed=0,
            models=["telea", "patchmatch"],
        )  # fmt: skip
        assert services.blind_votes(wanted) == {("patchmatch", "telea"): (1, 0, 1)}
        wanted.owner = other_user  # who cannot see the picture, and so not its votes
        assert services.blind_votes(wanted) == {}

    def test_a_team_s_gallery_at_full_size_without_what_may_not_be_seen_any_more(
        self, user: User, other_user: User
    ) -> None:
        team = make_team(owner=other_user, viewer=user)
        for number in range(2):
            pictures.add_picture(
                other_user, f"wall {number}.png", photo_file("PNG", width=96, height=70, seed=number), team=team
            )
        pictures.add_picture(user, "mine.png", photo_file("PNG", width=96, height=70, seed=9))
        evaluation = services.start_evaluation(
            user, gather(user, galleries=[str(team.pk), MINE]), title="", protocol="centre-120", size="full", seed=0,
            models=["telea"],
        )  # fmt: skip
        runner = EvaluationRunner(Engine("cpu"), "here:1", "cpu")
        assert [runner.run_next().name for _ in range(1)] == ["wall 1.png"]
        Picture.objects.filter(title="wall 0").update(trashed_at=timezone.now())  # before its turn
        assert runner.run_next().error == ""
        failed = evaluation.units.get(name="wall 0.png")
        assert (failed.state, failed.error) == ("failed", "This picture is in no gallery of yours any more.")
        runner.run_next()
        Membership.objects.filter(user=user).delete()  # after wall 1 was measured, before the report
        runner.run_next()
        evaluation.refresh_from_db()
        assert (evaluation.state, evaluation.error, evaluation.teams) == ("done", "", [])
        assert [each["photo"] for each in evaluation.summary["skipped"]] == ["wall 1.png", "wall 0.png"]
        case = evaluation.summary["cases"][0]
        assert (case["photo"], case["width"], case["height"]) == ("mine.png", 96, 70)
        assert evaluation.summary["settings"]["size_text"] == "full size"
        assert len(evaluation.summary["cases"]) == 1

    def test_a_store_that_is_away_costs_an_attempt_and_not_the_photo(
        self, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        evaluation = start(user, photos(1))
        runner = EvaluationRunner(Engine("cpu"), "here:1", "cpu")
        with monkeypatch.context() as patched:
            patched.setattr(FileSystemStorage, "_open", _away)
            unit = runner.run_next()
        unit.refresh_from_db()
        assert (unit.state, unit.error) == ("running", "")
        states.take_back(unit)  # as the sweep does, when it gave no sign of life for a while
        while runner.run_next() is not None:
            pass
        evaluation.refresh_from_db()
        assert (evaluation.state, evaluation.summary["skipped"]) == ("done", [])

    def test_nothing_that_can_be_evaluated_is_said_in_a_sentence(self, user: User) -> None:
        evaluation = start(user, {"broken.png": b"\x89PNG\r\n\x1a\n and nothing more"})
        runner = EvaluationRunner(Engine("cpu"), "here:1", "cpu")
        while runner.run_next() is not None:
            pass
        evaluation.refresh_from_db()
        assert evaluation.state == "failed"
        assert "No photo could be evaluated" in evaluation.error

    def test_a_unit_hears_that_it_was_cancelled(self, user: User) -> None:
        evaluation = start(user, photos(1))
        unit = states.claim_next(worker="here:1")
        assert unit is not None
        with Pulse(unit) as pulse:
            pulse.say("telea", 0.1)
            states.cancel(evaluation)
            wait_until(lambda: pulse._lost, seconds=10, what="the pulse notices")
            with pytest.raises(Exception, match="must not go on"):
                pulse.say("telea", 0.2)

    def test_a_worker_told_to_stop_hands_its_unit_back(self, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
        start(user, photos(1), "irregular")
        monkeypatch.setattr(shutdown, "deadline", lambda: 0.0)
        runner = EvaluationRunner(Engine("cpu"), "here:1", "cpu")
        unit = states.claim_next(worker="here:1")
        assert unit is not None
        with Pulse(unit) as pulse:
            wait_until(lambda: pulse.told_to_stop, seconds=10, what="the pulse hears of the end")
        runner._run(unit)
        unit.refresh_from_db()
        assert (unit.state, unit.handed_back) in {("queued", 1), ("done", 0)}  # it may just have been done in time


@pytest.mark.real
@pytest.mark.django_db(transaction=True)
def test_lost_tokens_are_sent_again(user: User, redis_server: RedisServer) -> None:
    start(user, photos(3))
    redis_server.restart_empty()
    assert sweep() == (0, 3)
    assert dispatch.tokens_waiting() == 3
    assert sweep() == (0, 0)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("sweeper")
def test_a_killed_worker_costs_time_and_nothing_else(user: User, tmp_path: Path) -> None:
    given = photos(4)
    evaluation = start(user, given)
    worker = started_worker("evaluations", WORKER_WARM_UP="off")
    try:
        wait_until(lambda: Unit.objects.filter(state="done").exists(), seconds=120, what="a photo is done")
    finally:
        worker.kill()
    assert Unit.objects.filter(state="done").count() < 5
    worker = started_worker("evaluations", WORKER_WARM_UP="off")
    try:
        wait_until(
            lambda: Evaluation.objects.get(pk=evaluation.pk).state != "running", seconds=200, what="the report is done"
        )
    finally:
        worker.kill()
    evaluation.refresh_from_db()
    assert (evaluation.state, evaluation.error) == ("done", "")
    assert evaluation.summary is not None
    wanted = by_the_library(tmp_path, given, "centre-120")
    for key in ("psnr", "ssim"):
        assert evaluation.summary["overall"][key] == wanted["overall"][key]
    # The worker has one thread and this process several, so networks add up in another order.
    for name, cell in wanted["overall"]["lite0_distance"].items():
        found = evaluation.summary["overall"]["lite0_distance"][name]
        assert found["mean"] == pytest.approx(cell["mean"], rel=1e-5)
