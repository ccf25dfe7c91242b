"""From a run to shipped weights: half-precision safetensors, measured through the engine, with a model card."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from inpainting.catalog import GRAIN, WEIGHTS_DIR, get_entry
from inpainting.engine import Engine
from inpainting.evaluation.features import Viewer
from inpainting.evaluation.measures import LEAST_PICTURES_FOR_INTERVALS
from inpainting.evaluation.peers import PEERS
from inpainting.evaluation.statistics import Difference, paired_difference
from inpainting.imaging import Photo
from inpainting.training.checkpoints import CheckpointError, load_checkpoint, unpack_modules
from inpainting.training.pack import PhotoPack
from inpainting.training.recipe import Recipe
from inpainting.training.recipes import make_recipe
from inpainting.training.validation import (
    RGB,
    Case,
    Scores,
    fill_cases,
    folder_cases,
    look,
    scores,
    sheet,
    validation_cases,
)
from inpainting.weights.loading import WeightsError, read_weights, write_weights

SIDE = 256
_LARGEST_FILE = 8 * 1000 * 1000
_SLACK_DB = 0.05
"""What weights may be worse by than those that they replace; rounding to half precision is far below it."""
_BETTER_WHEN = {"psnr": 1, "ssim": 1, "l1": -1, "lite0_distance": -1}
_UNITS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "l1": "L1 (%)", "lite0_distance": "Lite0 distance"}


@dataclass(frozen=True, slots=True)
class Measured:
    """A model and its classical peers on the same validation pictures."""

    pictures: int
    side: int
    hole: str
    ours: dict[str, float]
    peers: dict[str, dict[str, float]]
    gaps: dict[str, dict[str, Difference]]
    """Per peer and metric: ours minus theirs."""
    alone: dict[str, float] | None = None
    """Ours without the photo's grain, which the engine adds to it; None where it adds none."""

    def beats(self, peer: str, metric: str) -> bool:
        """Whether we are better than `peer` with 95 % confidence; never on fewer than 20 pictures."""
        gap = self.gaps[peer][metric]
        if self.pictures < LEAST_PICTURES_FOR_INTERVALS:
            return False
        return (gap.low > 0) if _BETTER_WHEN[metric] > 0 else (gap.high < 0)

    def as_json(self) -> dict[str, Any]:
        """For the machine-readable half of the card."""
        return {
            "pictures": self.pictures,
            "side": self.side,
            "hole": self.hole,
            "scores": self.ours,
            "without_grain": self.alone,
            "peers": self.peers,
            "difference": {
                peer: {name: [gap.mean, gap.low, gap.high] for name, gap in row.items()}
                for peer, row in self.gaps.items()
            },
        }


def export(
    run: Path,
    pack: PhotoPack,
    *,
    checkpoint: str = "best",
    out: Path = WEIGHTS_DIR,
    show: Path | None = None,
    replace: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Write weights and card of `run` to `out`; returns the weights file.

    The card's picture is made of the photos in the folder `show`, or else of validation photos: a card that is passed
    on needs photos that may be. The averaged (EMA) weights of `checkpoint` (``best`` or ``last``) are taken. Measured
    are the written file's own results on the pack's validation photos. Weights in `out` that do better on these stay,
    unless `replace`. Raises `CheckpointError` with a sentence.
    """
    tensors, facts = load_checkpoint(run / checkpoint)
    wishes = facts["recipe"]
    recipe = make_recipe(wishes["model"], wishes["size"], wishes["switches"])
    unpack_modules("average", recipe.generators, tensors)
    cases = validation_cases(pack, recipe.side or SIDE, box=recipe.hole_box)
    if not cases:
        raise CheckpointError("The pack has no validation photos to measure the weights on.")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{recipe.key}.safetensors"
    say(f"Measuring on {len(cases)} validation photos at {cases[0].photo.shape[0]} px …")
    if path.is_file() and not replace:
        _keep_the_better(path, recipe, cases)
    sha256 = write_weights(path, recipe.export(recipe.generators), recipe.metadata())
    if path.stat().st_size > _LARGEST_FILE:
        say(f"Warning: {path.name} has {path.stat().st_size / 1e6:.1f} MB; shipped files are to stay under 8 MB.")
    in_use = out == WEIGHTS_DIR and recipe.hole_box is None and get_entry(recipe.key).trained
    results = _engine_fills(recipe.key, cases, {}) if in_use else _predicted(recipe, cases)
    alone = _engine_fills(recipe.key, cases, {GRAIN.name: 0}) if in_use else None
    measured = measure(cases, results, alone)
    _write_card(out, path, recipe, facts, measured, sha256)
    if show is not None:
        cases = folder_cases(show, cases[0].photo.shape[0], box=recipe.hole_box)
        results = _engine_fills(recipe.key, cases, {}) if in_use else _predicted(recipe, cases)
    cv2.imwrite(
        str(out / f"{recipe.key}.jpg"), sheet(cases, results, most=8)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82]
    )
    return path


def measure(cases: list[Case], results: list[RGB], alone: list[RGB] | None = None) -> Measured:
    """Scores of `results` and of every classical peer on `cases`, with paired 95 % intervals.

    `alone` are the results without grain, where `results` have some.

    The perceptual distance (`inpainting.evaluation.features`) is among them unless its network is missing.
    """
    viewer = Viewer(published=False)
    seen = [viewer.see(case.photo, case.hole) for case in cases]
    ours = scores(cases, results) | look(viewer, seen, results)
    peers: dict[str, dict[str, float]] = {}
    gaps: dict[str, dict[str, Difference]] = {}
    for name, peer in PEERS.items():
        fills = [peer(_damaged(case), case.hole) for case in cases]
        theirs = scores(cases, fills) | look(viewer, seen, fills)
        peers[name] = _means(theirs)
        gaps[name] = {metric: paired_difference(ours[metric], theirs[metric]) for metric in ours}
    shares = [float(case.hole.mean()) for case in cases]
    hole = f"{min(shares):.0%} to {max(shares):.0%} of the picture"
    bare = None if alone is None else _means(scores(cases, alone) | look(viewer, seen, alone))
    return Measured(len(cases), cases[0].photo.shape[0], hole, _means(ours), peers, gaps, bare)


def _engine_fills(model: str, cases: list[Case], params: Mapping[str, Any]) -> list[RGB]:
    """What people get of the weights that the engine uses."""
    engine = Engine("cpu")
    fills = (engine.fill(Photo(case.photo), case.hole, model=model, params=params) for case in cases)
    return [np.asarray(fill.photo.pixels, np.uint8) for fill in fills]


def _predicted(recipe: Recipe, cases: list[Case]) -> list[RGB]:
    """The networks' own fills, without the engine around them."""
    for module in recipe.generators.values():
        module.eval()
    return fill_cases(
        cases, lambda images, masks: recipe.predict(recipe.generators, images, masks), torch.device("cpu")
    )


def _keep_the_better(path: Path, recipe: Recipe, cases: list[Case]) -> None:
    """Raise `CheckpointError` when the weights in `path` fill `cases` better than `recipe`'s networks."""
    before = copy.deepcopy(recipe)
    try:
        before.start_from(read_weights(path))
    except WeightsError:
        return  # another network, or a damaged file: nothing to compare with
    old, new = (float(scores(cases, _predicted(one, cases))["psnr"].mean()) for one in (before, recipe))
    if old > new + _SLACK_DB:
        raise CheckpointError(
            f"{path.name} already holds weights that do better on the same photos (PSNR {old:.2f} dB; the run's "
            f"{new:.2f} dB), so nothing was written. Train on, or add --replace to take the run's all the same."
        )


def _damaged(case: Case) -> RGB:
    damaged = case.photo.copy()
    damaged[case.hole] = 0
    return damaged


def _means(values: Scores) -> dict[str, float]:
    return {name: float(column[np.isfinite(column)].mean()) for name, column in values.items()}


def _write_card(
    out: Path, path: Path, recipe: Recipe, facts: Mapping[str, Any], measured: Measured, sha256: str
) -> None:
    minutes, plan = facts["seconds"] / 60, facts["plan"]
    metrics = [name for name in _UNITS if name in measured.ours]
    card = {
        "model": recipe.key,
        **{key: value for key, value in recipe.metadata().items() if key != "model"},
        "sha256": sha256,
        "bytes": path.stat().st_size,
        "steps": facts["step"],
        "pictures": facts["pictures"],
        "minutes": round(minutes, 1),
        "device": facts["device"],
        "photos": facts["sets"],
        "switches": facts["recipe"]["switches"],
        "started_from": facts.get("started_from", ""),
        "validation": measured.as_json(),
    }
    (out / f"{recipe.key}.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    stages = ", ".join(f"{side} px for {share:.0%}" for side, share in plan["curriculum"])
    lines = [
        f"# {path.name}",
        "",
        f"Weights of `{recipe.key}`, size `{recipe.size}`, {path.stat().st_size / 1e6:.1f} MB in half precision.",
        "",
        "## Training",
        "",
        f"- {facts['step']:,} steps of {plan['batch']} pictures, {facts['pictures']:,} in all; {minutes:.0f} minutes "
        f"on {facts['device']}",
        f"- Curriculum: {recipe.side} px" if recipe.side else f"- Curriculum: {stages}",
        *([f"- Began with weights of sha256 `{facts['started_from'][:16]}…`"] if facts.get("started_from") else []),
        f"- Switches: {', '.join(f'{k}={v}' for k, v in facts['recipe']['switches'].items()) or 'the defaults'}",
        "- Photos: " + ", ".join(f"{name} ({count})" for name, count in facts["sets"].items()),
        "- Licences of the photos: see the table in docs/training.md. No weights of others went into this file.",
        "",
        f"## Measured on {measured.pictures} validation photo{'' if measured.pictures == 1 else 's'}",
        "",
        f"{measured.side} × {measured.side} px, holes of {measured.hole}, known pixels pasted back, whole picture. "
        "In brackets the 95 % interval of the paired difference, ours minus theirs. The Lite0 distance is "
        "described in docs/evaluation.md.",
        "",
        "| | " + " | ".join(_UNITS[name] for name in metrics) + " |",
        "|---|" + "---|" * len(metrics),
        f"| **{recipe.key}** | " + " | ".join(f"**{measured.ours[name]:.3f}**" for name in metrics) + " |",
    ]
    if measured.alone is not None:
        cells = [f"{measured.alone[name]:.3f}" for name in metrics]
        lines.append(f"| {recipe.key} without the photo's grain (`{GRAIN.name}=0`) | " + " | ".join(cells) + " |")
    for peer, values in measured.peers.items():
        cells = [f"{values[name]:.3f} ({measured.gaps[peer][name]})" for name in metrics]
        lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    lost = [
        f"{peer} in {_UNITS[name]}" for peer in measured.peers for name in metrics if not measured.beats(peer, name)
    ]
    verdict = (
        "Better than every classical method above in every column, with 95 % confidence."
        if not lost
        else f"**Not** better with 95 % confidence than: {', '.join(lost)}. It needs longer training."
    )
    if measured.pictures < LEAST_PICTURES_FOR_INTERVALS:
        counted = "1 photo is" if measured.pictures == 1 else f"{measured.pictures} photos are"
        verdict = f"{counted} too few to call any difference certain, and the intervals are too narrow."
    lines += ["", verdict, "", f"![Damaged, filled, true]({recipe.key}.jpg)", ""]
    (out / f"{recipe.key}.md").write_text("\n".join(lines), encoding="utf-8")
