"""What measuring costs beside filling: an evaluation of many pictures with quick models."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.pictures import photo_of
from bench.report import BenchError, save, shown_path, table
from inpainting.catalog import CatalogError

MODELS = "telea,navier-stokes,patchmatch"
TARGET = 0.2
"""Measuring is to take at most this share of the time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `python -m bench metrics`."""
    parser.add_argument("--photos", type=int, default=100, help="how many pictures (default 100)")
    parser.add_argument("--folder", type=Path, help="photos of your own in place of parts of the samples")
    parser.add_argument("--models", default=MODELS, help=f"as for evaluate (default {MODELS})")
    parser.add_argument("--protocol", default="irregular-20-30", help="how holes are drawn (default irregular-20-30)")


def run(chosen: argparse.Namespace) -> None:
    """Measure, print, save."""
    from inpainting.engine import Engine
    from inpainting.evaluation.cases import cases_of_folder
    from inpainting.evaluation.contestants import parse_contestants
    from inpainting.evaluation.features import Viewer
    from inpainting.evaluation.protocols import ProtocolError, get_protocol
    from inpainting.evaluation.run import Evaluation
    from inpainting.evaluation.store import Store
    from inpainting.files import UsageError

    try:
        contestants = parse_contestants(chosen.models.split(","))
        protocol = get_protocol(chosen.protocol)
        with tempfile.TemporaryDirectory(prefix="reweave-bench-") as name:
            folder = chosen.folder or _parts_of_samples(Path(name), chosen.photos)
            photos, _ = cases_of_folder(folder, size="256", protocol=protocol, masks=None, seed=0)
            store = Store(Path(name) / "report")
            evaluation = Evaluation(store, Engine("cpu"), Viewer("cpu"), contestants, seed=0)
            cpu_before = os.times()
            for photo in photos[: chosen.photos]:
                evaluation.add_photo(photo)
            cpu = _cpu_seconds(os.times()) - _cpu_seconds(cpu_before)
    except (CatalogError, ProtocolError, UsageError) as error:
        raise BenchError(str(error)) from None
    _tell(evaluation.outcome, contestants, cpu)


def _tell(outcome: Any, contestants: Any, cpu: float) -> None:
    rows = []
    for each in contestants:
        mine = [row for (_, name), row in outcome.rows.items() if name == each.name]
        fills = [row.values["seconds"] for row in mine]
        measures = [row.metric_seconds for row in mine]
        rows.append([each.title, str(len(mine)), f"{np.median(fills):.3f}", f"{np.median(measures):.3f}"])
    measuring = outcome.metric_seconds + outcome.truth_seconds
    share = measuring / max(1e-9, measuring + outcome.fill_seconds)
    print(table(["model", "pictures", "fill s (median)", "measure s (median)"], rows))
    print(
        f"Filling {outcome.fill_seconds:.1f} s, measuring {measuring:.1f} s (of it {outcome.truth_seconds:.1f} s once "
        f"a picture for the truth): {share:.0%} of the time, at most {TARGET:.0%} wanted. {cpu:.0f} s of processor."
    )
    numbers = {
        "pictures": len(outcome.cases),
        "models": [each.name for each in contestants],
        "fill_seconds": outcome.fill_seconds,
        "metric_seconds": measuring,
        "share": share,
        "target": TARGET,
        "cpu_seconds": cpu,
    }
    print(f"Saved in {shown_path(save('metrics', numbers))}.\n", flush=True)


def _parts_of_samples(folder: Path, count: int) -> Path:
    """Pictures of 320 px cut from a sample photo, no two alike."""
    place = folder / "photos"
    place.mkdir()
    wide = photo_of(3200, 3200)
    rng = np.random.default_rng(0)
    for number in range(count):
        left, top = (int(value) for value in rng.integers(0, 3200 - 320, 2))
        wide.crop((left, top, left + 320, top + 320)).save(place / f"part-{number:04d}.png")
    return place


def _cpu_seconds(times: Any) -> float:
    return float(times.user + times.system + times.children_user + times.children_system)
