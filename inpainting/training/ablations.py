"""The papers' ablations, at any scale: variants of a recipe that are trained alike and compared picture by picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from inpainting.evaluation.features import Viewer
from inpainting.evaluation.statistics import Difference, paired_difference
from inpainting.training.checkpoints import CheckpointError, load_checkpoint, unpack_modules
from inpainting.training.pack import PackError, PhotoPack
from inpainting.training.recipe import Recipe
from inpainting.training.recipes import RecipeError, make_recipe
from inpainting.training.trainer import Plan, Trainer
from inpainting.training.validation import Scores, fill_cases, look, scores, validation_cases
from inpainting.weights.cards import COLUMNS


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train a model."""

    name: str
    """Also its folder's name."""
    title: str
    switches: Mapping[str, str]


WHOLE = Variant("whole", "Everything as published", {})
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "tta": (
        Variant("soft", "Weighted sum of all patches instead of the hard swap", {"attention": "soft"}),
        Variant("plain", "Without the normalisation by (1 + R)", {"normalise": "no"}),
    ),
    "tmad": (
        Variant("weighted", "Weighted sum of the memory instead of the best k", {"retrieval": "weighted"}),
        Variant("undistributed", "Without the patch-distribution loss", {"distribution": "no"}),
    ),
    "lbp": (
        Variant("unguided", "Without the predicted pattern as guidance", {"guidance": "no"}),
        Variant("inter", "Without attention within the hole", {"attention": "known"}),
        Variant("single", "Without the multi-level loss", {"multilevel": "0"}),
    ),
}
"""What each paper takes away from its model, beside the model as it is."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """How the variants of a model did on the same pictures after the same training."""

    model: str
    size: str
    plan: Plan
    pictures: int
    switches: Mapping[str, str]
    """What was set for all variants alike."""
    means: dict[str, dict[str, float]]
    """Variant → metric → mean."""
    gaps: dict[str, dict[str, Difference]]
    """Variant → metric → variant minus whole."""

    def as_markdown(self) -> str:
        """A table with a line on how it came about."""
        metrics = [name for name in COLUMNS if name in self.means[WHOLE.name]]
        headings = [COLUMNS[name][0] for name in metrics]
        lines = ["| | " + " | ".join(headings) + " |", "|---" * (len(metrics) + 1) + "|"]
        for variant in (WHOLE, *VARIANTS[self.model]):
            cells = []
            for name in metrics:
                text = f"{self.means[variant.name][name]:.3f}"
                cells.append(text if variant is WHOLE else f"{text} ({self.gaps[variant.name][name]})")
            lines.append(f"| {variant.title} | " + " | ".join(cells) + " |")
        stages = ", ".join(f"{side} px for {share:.0%}" for side, share in self.plan.curriculum)
        switches = ", ".join(f"{key}={value}" for key, value in self.switches.items()) or "the defaults"
        lines += [
            "",
            f"`{self.model}`, size `{self.size}`; each variant {self.plan.steps:,} steps of {self.plan.batch} pictures "
            f"({stages}) from the same seed, switches: {switches}. {self.pictures} validation photos at "
            f"{self.plan.validation_side} px. In brackets the paired difference from the first line, with its 95 % "
            "interval.",
        ]
        return "\n".join(lines) + "\n"

    def as_json(self) -> str:
        """The same figures for machines."""
        facts = {
            "model": self.model,
            "size": self.size,
            "steps": self.plan.steps,
            "batch": self.plan.batch,
            "curriculum": self.plan.curriculum,
            "seed": self.plan.seed,
            "switches": dict(self.switches),
            "side": self.plan.validation_side,
            "pictures": self.pictures,
            "scores": self.means,
            "difference": {
                variant: {name: [gap.mean, gap.low, gap.high] for name, gap in row.items()}
                for variant, row in self.gaps.items()
            },
        }
        return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"


def ablate(
    model: str,
    pack: PhotoPack,
    plan: Plan,
    out: Path,
    device: torch.device,
    *,
    size: str = "small",
    switches: Mapping[str, str] | None = None,
    say: Callable[[str], None] = print,
) -> Ablation | None:
    """Train every variant of `model` for `plan.steps`, measure them, write `out/ablation.md` and `.json`.

    What `out` already holds of an earlier call is taken up. `switches` hold for all variants. Returns None after
    Ctrl-C. Raises `RecipeError` for a model without ablations or a plan without a number of steps (minutes would give
    the quicker variants more training), `PackError` without validation photos, `CheckpointError` when `out` holds a
    different comparison.
    """
    if model not in VARIANTS:
        raise RecipeError(f"There are no ablations of {model!r}; there are of {', '.join(VARIANTS)}.")
    if plan.steps is None:
        raise RecipeError("Variants are compared after the same number of steps: give --steps.")
    cases = validation_cases(pack, plan.validation_side, most=plan.validation_photos)
    if not cases:
        raise PackError("The pack has no validation photos to compare the variants on.")
    common = dict(switches or {})
    viewer = Viewer(published=False)
    seen = [viewer.see(case.photo, case.hole) for case in cases]
    found: dict[str, Scores] = {}
    for variant in (WHOLE, *VARIANTS[model]):
        recipe = make_recipe(model, size, {**common, **variant.switches})
        say(f"{variant.title}:")
        if not _train(recipe, pack, plan, out / variant.name, device, say):
            return None
        results = fill_cases(cases, partial(recipe.predict, recipe.generators), device)
        found[variant.name] = scores(cases, results) | look(viewer, seen, results)
    ablation = Ablation(
        model=model,
        size=size,
        plan=plan,
        pictures=len(cases),
        switches=common,
        means={name: {metric: float(np.mean(row)) for metric, row in table.items()} for name, table in found.items()},
        gaps={
            variant.name: {
                metric: paired_difference(row, found[WHOLE.name][metric]) for metric, row in found[variant.name].items()
            }
            for variant in VARIANTS[model]
        },
    )
    (out / "ablation.md").write_text(ablation.as_markdown(), encoding="utf-8")
    (out / "ablation.json").write_text(ablation.as_json(), encoding="utf-8")
    return ablation


def _train(
    recipe: Recipe, pack: PhotoPack, plan: Plan, out: Path, device: torch.device, say: Callable[[str], None]
) -> bool:
    """Bring the run in `out` to its end and its averaged weights into `recipe`; False when it was interrupted."""
    last = out / "last"
    trainer = Trainer(recipe, pack, plan, out, device)
    if last.exists():
        _, facts = load_checkpoint(last)
        if facts["recipe"] != recipe.wishes or facts["step"] > (plan.steps or 0):
            raise CheckpointError(f"{out} holds a run with other switches or of more steps; choose another --out.")
        trainer.resume(last)
    if trainer.step < (plan.steps or 0):
        outcome = trainer.run(say=say)
        if outcome.interrupted:
            return False
    tensors, _ = load_checkpoint(last)
    unpack_modules("average", recipe.generators, tensors)
    for module in recipe.generators.values():
        module.eval()
    return True
