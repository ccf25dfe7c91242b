"""Filling one case with one contestant and measuring the result."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpainting.engine import Engine
from inpainting.evaluation import metrics
from inpainting.evaluation.cases import Case
from inpainting.evaluation.contestants import Contestant
from inpainting.evaluation.features import Seen, Viewer
from inpainting.evaluation.frechet import Features
from inpainting.evaluation.peers import REFERENCES
from inpainting.imaging import Photo, PhotoError
from inpainting.models.base import FillError
from inpainting.results import Progress

RGB = NDArray[np.uint8]
REVISION = 1
"""Raised whenever a measure's definition changes, so that old rows are not mixed with new ones."""
_WARM_SIDE = 64


@dataclass(slots=True)
class Row:
    """What was measured of one contestant on one case; `error` instead where it could not fill it."""

    case: str
    contestant: str
    values: dict[str, float | None] = field(default_factory=dict)
    """By measure; None where it is not defined for this picture."""
    error: str = ""
    cells: Features = field(default_factory=lambda: np.zeros((0, 240), np.float32))
    inception: Features | None = None
    metric_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As kept between runs; features are packed exactly."""
        return {
            "case": self.case,
            "contestant": self.contestant,
            "values": {key: _finite_text(value) for key, value in self.values.items()},
            "error": self.error,
            "cells": pack(self.cells),
            "inception": None if self.inception is None else pack(self.inception),
            "metric_seconds": self.metric_seconds,
        }

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Row:
        """The other way round."""
        return cls(
            case=given["case"],
            contestant=given["contestant"],
            values={key: None if value is None else float(value) for key, value in given["values"].items()},
            error=given["error"],
            cells=unpack(given["cells"]),
            inception=None if given["inception"] is None else unpack(given["inception"]),
            metric_seconds=given["metric_seconds"],
        )


def fill_case(
    engine: Engine,
    contestant: Contestant,
    case: Case,
    *,
    seed: int,
    on_step: Callable[[Progress], None] | None = None,
    allow_untrained: bool = False,
) -> tuple[RGB, float]:
    """The filled photo (H, W, 3) and the seconds it took. Raises `FillError` with a sentence."""
    damaged = case.damaged()
    started = time.perf_counter()
    if contestant.is_reference:
        result = REFERENCES[contestant.key][2](damaged, case.hole)
    else:
        filled = engine.fill(
            Photo(damaged),
            case.hole,
            model=contestant.key,
            params=contestant.params,
            seed=seed,
            on_step=on_step,
            allow_untrained=allow_untrained,
        )
        result = np.asarray(filled.photo.pixels, np.uint8)
    return result, time.perf_counter() - started


def warm_up(engine: Engine, contestant: Contestant, *, allow_untrained: bool = False) -> None:
    """Load a contestant's weights and code on a tiny picture, so that the first case's time is like the others'."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (_WARM_SIDE, _WARM_SIDE, 3), dtype=np.uint8)
    hole = np.zeros((_WARM_SIDE, _WARM_SIDE), np.bool_)
    hole[28:36, 28:36] = True
    case = Case("warm-up", "", "", "", truth, hole)
    fill_case(engine, contestant, case, seed=0, allow_untrained=allow_untrained)


def measure_case(viewer: Viewer, seen: Seen, contestant: Contestant, case: Case, result: RGB, seconds: float) -> Row:
    """All per-picture measures of one result."""
    started = time.perf_counter()
    looked = viewer.look(result, seen)
    values: dict[str, float | None] = {
        "l1_mean": metrics.l1_mean(case.truth, result),
        "l1_hole": metrics.l1_hole(case.truth, result, case.hole),
        "psnr": metrics.psnr(case.truth, result),
        "psnr_hole": metrics.psnr_hole(case.truth, result, case.hole),
        **metrics.similarities(case.truth, result),
        "lite0_distance": looked.lite0_distance,
        "lpips": looked.lpips,
        "seam_error": metrics.seam_error(case.truth, result, case.hole),
        "total_variation": metrics.total_variation(result),
        "known_error": metrics.known_error(case.truth, result, case.hole),
        "seconds": seconds,
    }
    row = Row(case.id, contestant.name, values, "", looked.cells, looked.inception)
    row.metric_seconds = time.perf_counter() - started
    return row


def run_case(
    engine: Engine,
    viewer: Viewer,
    seen: Seen,
    contestant: Contestant,
    case: Case,
    *,
    seed: int,
    on_step: Callable[[Progress], None] | None = None,
    allow_untrained: bool = False,
) -> tuple[Row, RGB | None]:
    """Fill and measure; a case that the contestant refuses gives a row with its sentence and no picture."""
    try:
        result, seconds = fill_case(
            engine, contestant, case, seed=seed, on_step=on_step, allow_untrained=allow_untrained
        )
    except (FillError, PhotoError) as error:
        return Row(case.id, contestant.name, error=str(error)), None
    return measure_case(viewer, seen, contestant, case, result, seconds), result


def truth_values(case: Case) -> dict[str, float]:
    """What the truth itself has: its total variation."""
    return {"total_variation": metrics.total_variation(case.truth)}


def pack(features: Features) -> dict[str, Any]:
    """Vectors (n, d) as text, bit for bit."""
    data = base64.b64encode(zlib.compress(features.astype("<f4").tobytes(), 1)).decode()
    return {"shape": list(features.shape), "data": data}


def unpack(packed: dict[str, Any]) -> Features:
    """What `pack` packed."""
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), "<f4")
    return np.asarray(values.reshape(packed["shape"]), np.float32)


def _finite_text(value: float | None) -> float | str | None:
    """JSON knows no infinity."""
    if value is None or np.isfinite(value):
        return value
    return repr(float(value))
