"""Variants of a model, trained alike and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from inpainting.cli import main
from inpainting.training.ablations import VARIANTS, WHOLE, Ablation, ablate
from inpainting.training.checkpoints import CheckpointError, load_checkpoint
from inpainting.training.cli import add_commands
from inpainting.training.pack import PhotoPack
from inpainting.training.recipes import RecipeError, make_recipe
from inpainting.training.trainer import Plan
from tests.inpainting.small_packs import small_pack

SWITCHES = {"warm_up": "1", "features": "no"}


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
