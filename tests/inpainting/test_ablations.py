"""Variants of a model, trained alike and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from inpainting.cli import main
from inpainting.training.ablations import VARIANTS, WHOLE, Ablation, Variant, ablate
from inpainting.training.batches import BatchSource
from inpainting.training.checkpoints import CheckpointError, load_checkpoint
from inpainting.training.cli import add_commands
from inpainting.training.pack import PhotoPack
from inpainting.training.recipe import Clock, Recipe, Updater
from inpainting.training.recipes import RecipeError, make_recipe
from inpainting.training.trainer import Plan
from tests.inpainting.small_packs import small_pack

SWITCHES = {"warm_up": "1", "features": "no"}
ONLY_LOSSES = {"undistributed", "single"}
"""Variants whose networks are the whole model's."""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> PhotoPack:
    torch.set_num_threads(1)
    return small_pack(tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("pack"))


def plan(steps: int | None = 2) -> Plan:
    minutes = None if steps else 1.0
    return Plan(batch=2, steps=steps, minutes=minutes, curriculum=((32, 1.0),), validation_side=32)


def compare(pack: PhotoPack, out: Path, steps: int | None = 2, **more: str) -> Ablation:
    ablation = ablate("tta", pack, plan(steps), out, torch.device("cpu"), size="tiny", switches=SWITCHES | more)
    assert ablation is not None
    return ablation


@pytest.fixture(scope="module")
def done(pack: PhotoPack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ablation]:
    out = tmp_path_factory.mktemp("ablation")
    return out, compare(pack, out)


@pytest.mark.parametrize("model", VARIANTS)
def test_every_variant_is_another_recipe_than_the_whole(model: str) -> None:
    whole = make_recipe(model, "small").wishes["switches"]
    assert whole == WHOLE.switches
    for variant in VARIANTS[model]:
        assert make_recipe(model, "small", variant.switches).wishes["switches"] == variant.switches != {}


@pytest.mark.parametrize(
    ("model", "variant"),
    [pytest.param(model, one, id=f"{model}-{one.name}") for model in VARIANTS for one in VARIANTS[model]],
)
def test_every_variant_takes_something_away(model: str, variant: Variant, pack: PhotoPack) -> None:
    """Either the same weights fill the same hole differently, or the same fill is judged by other losses."""
    batch = BatchSource(pack, 2, seed=0).at(0, 32 if model == "tta" else 64)
    whole, changed = (plain_recipe(model, switches) for switches in (WHOLE.switches, variant.switches))
    for name, module in changed.generators.items():
        mine, theirs = module.state_dict(), whole.generators[name].state_dict()
        shared = {key for key, value in mine.items() if key in theirs and theirs[key].shape == value.shape}
        module.load_state_dict(mine | {key: theirs[key] for key in shared})
    for name, critic in changed.critics.items():
        critic.load_state_dict(whole.critics[name].state_dict())
    with torch.no_grad():
        fills = [one.predict(one.generators, batch.damaged, batch.masks) for one in (whole, changed)]
    assert torch.equal(*fills) == (variant.name in ONLY_LOSSES)
    judged = []
    for one in (whole, changed):
        torch.manual_seed(0)
        judged.append(one.step(batch, Clock(0, 0.0, batch.masks.shape[-1]), Unmoved()))
    assert judged[0] != judged[1]


def plain_recipe(model: str, switches: Mapping[str, str]) -> Recipe:
    """Past every warm-up from its first step on, with networks that do not start as the plain surface they add to."""
    torch.manual_seed(0)
    stage = {"tta": {}, "tmad": {"coarse_stage": "0"}, "lbp": {"first_stage": "0"}}[model]
    recipe = make_recipe(
        model, "tiny" if model == "tta" else "small", {"warm_up": "0", "features": "no", **stage, **switches}
    )
    for module in recipe.generators.values():
        module.eval()
        for parameter in module.parameters():
            parameter.data.add_(torch.randn(parameter.shape) * 0.05)
    return recipe


class Unmoved(Updater):
    """Nobody learns."""

    def __call__(self, player: str, loss: torch.Tensor) -> None:
        assert loss.isfinite()

    def autocast(self) -> torch.autocast:
        return torch.autocast("cpu", enabled=False)


def test_variants_are_trained_alike_and_told_as_differences_from_the_whole(done: tuple[Path, Ablation]) -> None:
    out, ablation = done
    names = [WHOLE.name, *(variant.name for variant in VARIANTS["tta"])]
    assert list(ablation.means) == names
    for name in names:
        _, facts = load_checkpoint(out / name / "last")
        assert facts["step"] == 2
    for name, row in ablation.gaps.items():
        for metric, gap in row.items():
            assert gap.mean == pytest.approx(
                ablation.means[name][metric] - ablation.means[WHOLE.name][metric], abs=1e-9
            )
    written = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    assert written["scores"] == ablation.means
    assert written["switches"] == SWITCHES
    table = (out / "ablation.md").read_text(encoding="utf-8")
    for variant in VARIANTS["tta"]:
        assert f"| {variant.title} | {ablation.means[variant.name]['psnr']:.3f} (" in table
    assert "2 steps of 2 pictures" in table


def test_what_is_trained_is_not_trained_again(done: tuple[Path, Ablation], pack: PhotoPack) -> None:
    out, ablation = done
    states = {path: path.stat().st_mtime_ns for path in out.glob("*/last/*")}
    assert states
    assert compare(pack, out).means == ablation.means
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/last/*")} == states


def test_a_folder_of_another_comparison_is_refused(done: tuple[Path, Ablation], pack: PhotoPack) -> None:
    out, _ = done
    with pytest.raises(CheckpointError, match="other switches"):
        compare(pack, out, learning_rate="1e-3")
    with pytest.raises(CheckpointError, match="more steps"):
        compare(pack, out, steps=1)


def test_minutes_would_not_be_fair(pack: PhotoPack, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="give --steps"):
        compare(pack, tmp_path, steps=None)


def test_the_command_prints_the_table_and_refuses_with_a_sentence(
    done: tuple[Path, Ablation], pack: PhotoPack, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, ablation = done
    asked = ["ablate", "tta", "--pack", str(pack.folder), "--size", "tiny", "--curriculum", "32:1", "--device", "cpu"]
    asked += ["--validation-side", "32", "--batch", "2", "--set", "warm_up=1", "--set", "features=no"]
    assert main([*asked, "--steps", "2", "--out", str(out)], more=add_commands) == 0
    assert ablation.as_markdown() in capsys.readouterr().out
    assert main([*asked, "--out", str(tmp_path)], more=add_commands) == 2
    assert "give --steps" in capsys.readouterr().err
    asked[1] = "mnps"
    assert main([*asked, "--steps", "2", "--out", str(tmp_path)], more=add_commands) == 2
    assert "no ablations of 'mnps'" in capsys.readouterr().err
