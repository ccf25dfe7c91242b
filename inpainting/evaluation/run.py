"""An evaluation of a folder of photos: fill, measure, keep, continue after an interruption, write the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inpainting.engine import Engine
from inpainting.evaluation.cases import Case, PlannedPhoto
from inpainting.evaluation.contestants import Contestant
from inpainting.evaluation.environment import environment
from inpainting.evaluation.features import Seen, Viewer
from inpainting.evaluation.frechet import Features
from inpainting.evaluation.measuring import Row, run_case, truth_values, warm_up
from inpainting.evaluation.protocols import ProtocolError
from inpainting.evaluation.store import Store, recipe_of
from inpainting.evaluation.summary import summarise
from inpainting.files import UsageError
from inpainting.imaging import PhotoError

Told = Callable[[str, float], None]
"""Hears what is being done and how many fills are done (with a fraction for the one under way)."""


@dataclass(slots=True)
class Outcome:
    """All that was measured, in order."""

    contestants: list[Contestant]
    cases: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    filled: int = 0
    """How many fills this run computed; the others were there."""
    metric_seconds: float = 0.0
    truth_seconds: float = 0.0
    """Spent on looking at the truths, once a case."""
    fill_seconds: float = 0.0


class Evaluation:
    """One evaluation into one folder.

    Args:
        store: where everything goes.
        contestants: who is compared.
        seed: of the models; holes are drawn by their own.
        say: hears a sentence about each photo that cannot be evaluated.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        viewer: Viewer,
        contestants: Sequence[Contestant],
        *,
        seed: int,
        allow_untrained: bool = False,
        told: Told | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.store, self._engine, self._viewer, self._seed = store, engine, viewer, seed
        self._allow_untrained = allow_untrained
        self._told: Told = told or (lambda _what, _done: None)
        self._say: Callable[[str], None] = say or (lambda _text: None)
        self._warm: set[str] = set()
        self._done = 0
        self.outcome = Outcome(list(contestants), missing=dict(viewer.missing), checksums=dict(viewer.checksums))

    def add_photo(self, photo: PlannedPhoto) -> None:
        """Evaluate every case of one photo; one that cannot be read is noted and left out for everybody."""
        try:
            for case in photo.cases():
                self.add_case(case)
        except (PhotoError, ProtocolError, OSError) as error:
            why = f"{error.strerror}." if isinstance(error, OSError) and error.strerror else str(error)
            self.outcome.skipped.append({"photo": photo.path.name, "why": why})
            self._say(f"{photo.path}: {why}")

    def add_case(self, case: Case) -> None:
        """Fill and measure one case with every contestant that has not done so before."""
        if any(known["id"] == case.id for known in self.outcome.cases):
            return  # the same photo under another name
        contestants = self.outcome.contestants
        recipes = {
            each.name: recipe_of(case, each, seed=self._seed, missing=self._viewer.missing) for each in contestants
        }
        kept = {each.name: self.store.row(case, each, recipes[each.name]) for each in contestants}
        if all(kept.values()):
            facts = self.store.case_facts(case.id)
        else:
            started = time.perf_counter()
            seen = self._viewer.see(case.truth, case.hole)
            self.outcome.truth_seconds += time.perf_counter() - started
            facts = {**case.facts(), **truth_values(case)}
            self.store.add_case(case, facts, seen.cells, seen.inception)
            for each in contestants:
                if kept[each.name] is None:
                    kept[each.name] = self._fill(case, each, recipes[each.name], seen)
                self._done += 1
                self._told(case.photo, self._done)
        self.outcome.cases.append({key: value for key, value in facts.items() if key != "revision"})
        for name, row in kept.items():
            if row is not None:
                self.outcome.rows[case.id, name] = row
        self._done = len(self.outcome.cases) * len(contestants)
        self._told(case.photo, self._done)

    def summary(self, *, title: str, settings: Mapping[str, Any], device: str, votes: Any = None) -> dict[str, Any]:
        """The JSON summary; raises `UsageError` when no photo could be evaluated."""
        outcome = self.outcome
        if not outcome.cases:
            raise UsageError("No photo could be evaluated, so there is nothing to report.")
        rows = {key: {"values": row.values, "error": row.error} for key, row in outcome.rows.items()}
        failed = {case for (case, _name), row in outcome.rows.items() if row.error}
        complete = [str(case["id"]) for case in outcome.cases if case["id"] not in failed]
        cells, inception = self._features(complete)
        facts = environment(device)
        facts["weights"] = {
            **{name: sha for each in outcome.contestants for name, sha in each.weights.items()},
            **outcome.checksums,
        }
        return summarise(
            title=title,
            settings=settings,
            environment=facts,
            contestants=[each.as_json() for each in outcome.contestants],
            cases=outcome.cases,
            rows=rows,
            cells=cells,
            inception=inception,
            missing=outcome.missing,
            skipped=outcome.skipped,
            votes=votes,
        )

    def _fill(self, case: Case, contestant: Contestant, recipe: str, seen: Seen) -> Row:
        if contestant.name not in self._warm:
            self._told(f"loading {contestant.name}", self._done)
            warm_up(self._engine, contestant, allow_untrained=self._allow_untrained)
            self._warm.add(contestant.name)
        row, result = run_case(
            self._engine,
            self._viewer,
            seen,
            contestant,
            case,
            seed=self._seed,
            on_step=lambda progress: self._told(f"{case.photo}: {contestant.name}", self._done + progress.fraction),
            allow_untrained=self._allow_untrained,
        )
        if row.error:
            self._say(f"{case.photo}, {contestant.name}: {row.error}")
        self.store.keep(row, contestant, recipe, result)
        self.outcome.filled += 1
        self.outcome.metric_seconds += row.metric_seconds
        self.outcome.fill_seconds += row.values.get("seconds") or 0.0
        return row

    def _features(
        self, complete: Sequence[str]
    ) -> tuple[dict[str, tuple[Features, Features]], dict[str, tuple[Features, Features]]]:
        truths = [self.store.truth_features(case_id) for case_id in complete]
        cells: dict[str, tuple[Features, Features]] = {}
        inception: dict[str, tuple[Features, Features]] = {}
        if not complete:
            return cells, inception
        true_cells = np.concatenate([pair[0] for pair in truths])
        seen = [pair[1] for pair in truths if pair[1] is not None]
        for each in self.outcome.contestants:
            rows = [self.outcome.rows[case_id, each.name] for case_id in complete]
            cells[each.name] = (true_cells, np.concatenate([row.cells for row in rows]))
            looked = [row.inception for row in rows if row.inception is not None]
            if seen and len(looked) == len(complete):
                inception[each.name] = (np.concatenate(seen), np.concatenate(looked))
        return cells, inception
