"""Runs units of evaluations in one process: a photo with all its holes and models, or the report at the end."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
import zipfile
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction

from inpainting.catalog import CatalogError
from inpainting.evaluation.cases import PlannedPhoto
from inpainting.evaluation.commands import write_report
from inpainting.evaluation.contestants import parse_contestants
from inpainting.evaluation.features import Viewer
from inpainting.evaluation.protocols import SIZES, ProtocolError, Size, get_protocol, size_text
from inpainting.evaluation.report.page import report_body
from inpainting.evaluation.run import Evaluation as Run
from inpainting.evaluation.store import Store
from inpainting.files import UsageError
from inpainting.imaging import PhotoError
from inpainting.models.base import Cancelled, FillError
from webapp.errors import Refusal
from webapp.evaluations import rights, services, states
from webapp.evaluations.models import Evaluation, EvaluationFile, Unit
from webapp.photos.files import new_files, open_file, remove_file, write_file
from workers import shutdown
from workers.rest import rest_while_drained

if TYPE_CHECKING:
    from inpainting.engine import Engine

logger = logging.getLogger(__name__)

_UNEXPECTED = "Something went wrong while working on this. It was noted for the people who run this site."
_REPORT_FILES = {
    "report.html": "text/html; charset=utf-8",
    "summary.json": "application/json",
    "rows.csv": "text/csv; charset=utf-8",
    "rows.parquet": "application/vnd.apache.parquet",
    "table.tex": "text/plain; charset=utf-8",
}
BODY = "body.html"


class EvaluationRunner:
    """One process's share in evaluations; it uses the engine that fills photos."""

    def __init__(self, engine: Engine, worker: str, device: str) -> None:
        # The same numbers as on the command line, on whatever worker.
        self._engine, self._worker, self._device = engine.in_single_precision(), worker, device
        self._viewer: Viewer | None = None

    def run_next(self) -> Unit | None:
        """Claim the next unit and run it to its end; None when nothing waits or the worker rests."""
        if not rest_while_drained(self._worker):
            return None
        unit = states.claim_next(worker=self._worker)
        if unit is not None:
            self._run(unit)
        return unit

    def _run(self, unit: Unit) -> None:
        with Pulse(unit) as pulse:
            try:
                if unit.kind == Unit.Kind.REPORT:
                    self._make_report(unit, pulse)
                else:
                    self._evaluate_photo(unit, pulse)
            except Cancelled:
                if pulse.told_to_stop:
                    _settle(states.hand_back, unit)
            except states.Lost:
                logger.info("Unit %s was cancelled or moved; its result is dropped.", unit.pk)
            except Refusal as refusal:
                if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
                    # Nothing is wrong with the unit: the sweep takes it back in a while, and it is tried again.
                    logger.error("Unit %s is left to be tried again: %s", unit.pk, refusal.message)
                else:
                    _settle(states.fail, unit, refusal.message)
            except (FillError, PhotoError, CatalogError, ProtocolError, UsageError) as error:
                _settle(states.fail, unit, str(error))
            except Exception:
                logger.exception("Unit %s failed unexpectedly.", unit.pk)
                _settle(states.fail, unit, _UNEXPECTED)

    def _evaluate_photo(self, unit: Unit, pulse: Pulse) -> None:
        """Fill and measure all cases of one photo, and keep rows and results as one archive."""
        with tempfile.TemporaryDirectory(prefix="reweave-evaluation-") as folder:
            run = self._new_run(unit.evaluation, Path(folder), pulse)
            run.add_photo(_planned(unit, Path(folder)))
            if run.outcome.skipped:
                raise PhotoError(run.outcome.skipped[0]["why"])
            # Results at full size are hundreds of megabytes: from file to file, never as a whole in memory.
            with _packed(Path(folder)).open("rb") as archive, new_files(), transaction.atomic():
                write_file(unit.outcome, ".zip", archive)
                states.finish(unit, outcome=unit.outcome.name)

    def _make_report(self, unit: Unit, pulse: Pulse) -> None:
        """Bring the rows of all photos together; what the units computed is found there and not computed again."""
        evaluation = unit.evaluation
        photos = list(evaluation.units.filter(kind=Unit.Kind.PHOTO).order_by("position"))
        teams: set[str] = set()
        with tempfile.TemporaryDirectory(prefix="reweave-report-") as folder:
            run = self._new_run(evaluation, Path(folder), pulse)
            for each in photos:
                if each.state == Unit.State.FAILED:
                    run.outcome.skipped.append({"photo": each.name, "why": each.error})
                    continue
                try:
                    photo = _planned(each, Path(folder))
                    teams.update(rights.teams_of(each))
                except Refusal as refusal:
                    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
                        raise
                    # Whoever asked was in the picture's team when it was measured, and is not any more.
                    run.outcome.skipped.append({"photo": each.name, "why": refusal.message})
                    continue
                with open_file(each.outcome) as stream, zipfile.ZipFile(stream) as archive:
                    archive.extractall(folder)  # of our own making
                run.add_photo(photo)
            if not run.outcome.cases:
                raise UsageError("No photo could be evaluated, so there is nothing to report.")
            pulse.say("Writing the report", 0.9)
            summary = run.summary(
                title=evaluation.title,
                settings=settings_of(evaluation),
                device=self._device,
                votes=services.blind_votes(evaluation),
            )
            files = _report_files(run, summary, Path(folder))
        with new_files(), transaction.atomic():
            evaluation.files.all().delete()
            for name, content_type, data in files:
                row = EvaluationFile(evaluation=evaluation, name=name, content_type=content_type)
                write_file(row.file, f".{name.rpartition('.')[2]}", data)
                row.save(force_insert=True)
            states.finish(unit)
            states.complete(evaluation, summary, teams=sorted(teams))
        for each in photos:  # the report has all that is shown
            if each.outcome:
                name = each.outcome.name or ""
                Unit.objects.filter(pk=each.pk).update(outcome="")
                remove_file(each.outcome.storage, name)

    def _new_run(self, evaluation: Evaluation, folder: Path, pulse: Pulse) -> Run:
        if self._viewer is None:
            self._viewer = Viewer(self._device)
        contestants = parse_contestants(evaluation.methods)
        parts = len(get_protocol(evaluation.protocol).parts)
        total = max(1, parts * len(contestants))
        return Run(
            Store(folder / "store"),
            self._engine,
            self._viewer,
            contestants,
            seed=evaluation.seed,
            told=lambda what, done: pulse.say(what, min(1.0, done / total)),
        )


class Pulse:
    """Signs of life of a running unit from a thread of its own, and the unit's order to stop."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._stage, self._fraction = "", 0.0
        self._lost = False
        self.told_to_stop = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(5.0)

    def say(self, stage: str, fraction: float) -> None:
        """Note how far it is; raises `Cancelled` when it must not go on."""
        self._stage, self._fraction = stage, fraction
        if self._lost or self.told_to_stop:
            raise Cancelled("this unit must not go on")

    def _beat(self) -> None:
        every = min(1.0, settings.JOBS.heartbeat)
        next_at = 0.0
        while not self._ended.wait(settings.JOBS.poll):
            deadline = shutdown.deadline()
            if deadline is not None and time.monotonic() >= deadline:
                self.told_to_stop = True
            if time.monotonic() < next_at:
                continue
            next_at = time.monotonic() + every
            try:
                states.sign_of_life(self._unit, stage=self._stage, fraction=self._fraction)
            except states.Lost:
                self._lost = True
                break
            except Exception:
                # The database is away; as long as it is, the sweep may take the unit back, which is right.
                logger.exception("No sign of life of unit %s could be given.", self._unit.pk)
                connection.close()
        connection.close()


def settings_of(evaluation: Evaluation) -> dict[str, Any]:
    """As the command line writes them into its summary."""
    protocol = get_protocol(evaluation.protocol)
    return {
        "size": evaluation.size,
        "size_text": size_text(_size_of(evaluation)),
        "protocol": protocol.key,
        "holes_text": protocol.title,
        "holes_description": protocol.description,
        "seed": evaluation.seed,
        "votes_text": "cast in the studio, on all pictures with rival results and not only on those of this report",
    }


def _planned(unit: Unit, folder: Path) -> PlannedPhoto:
    """The unit's photo as a file under its own name."""
    place = folder / "photos" / f"{unit.position:05d}"
    place.mkdir(parents=True, exist_ok=True)
    path = place / unit.name.replace("/", "_").replace("\0", "_")
    path.write_bytes(rights.read_photo(unit))
    evaluation = unit.evaluation
    protocol = get_protocol(evaluation.protocol)
    return PlannedPhoto(path.stem, path, _size_of(evaluation), protocol, None, evaluation.seed)


def _size_of(evaluation: Evaluation) -> Size:
    return next(size for size in SIZES if size == evaluation.size)


def _packed(folder: Path) -> Path:
    """The store below `folder` as an archive beside it; PNG files do not get smaller."""
    packed = folder / "outcome.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted((folder / "store").rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return packed


def _report_files(run: Run, summary: dict[str, Any], folder: Path) -> list[tuple[str, str, bytes]]:
    """Name, type and content of each file: those of the command line, and the parts of the site's page."""
    slugs = {each.name: each.slug for each in run.outcome.contestants}
    files: list[tuple[str, str, bytes]] = []

    def add_file(name: str, data: bytes, kind: str) -> str:
        files.append((name, kind, data))
        return f"files/{name}"  # beside the page, whether it is the owner's or the shared one

    body = report_body(summary, lambda case, name: run.store.read_picture(case, slugs.get(name, name)), add_file)
    files.append((BODY, "text/html; charset=utf-8", body.encode()))
    write_report(run.store, run, summary)
    files += [(name, kind, (run.store.folder / name).read_bytes()) for name, kind in _REPORT_FILES.items()]
    return files


def _settle(change: Any, unit: Unit, *details: str) -> None:
    try:
        change(unit, *details)
    except states.Lost:
        logger.info("Unit %s was moved by somebody else before it ended here.", unit.pk)
