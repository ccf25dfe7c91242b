"""From the training command to exported weights, as a person on their own photos would do it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from inpainting.catalog import WEIGHTS_DIR
from inpainting.cli import main
from inpainting.evaluation.peers import PEERS
from inpainting.evaluation.statistics import Difference
from inpainting.models.lbp_networks import LBPConfig, LBPInpainter
from inpainting.training.checkpoints import CheckpointError, load_checkpoint, save_checkpoint, unpack_modules
from inpainting.training.cli import add_commands
from inpainting.training.export import Measured, export
from inpainting.training.pack import PhotoPack
from inpainting.training.recipes import make_recipe
from inpainting.training.validation import fill_cases, folder_cases, scores, validation_cases
from inpainting.weights.loading import WeightsError, load_into, read_weights

ROOT = Path(__file__).parents[2]


def command(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "inpainting", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=280, check=False, cwd=cwd, env=environment)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short LBP run on thirty photos, started and resumed from the command line."""
    home = tmp_path_factory.mktemp("home")
    photos = home / "holiday"
    photos.mkdir()
    for number in range(30):
        coarse = np.random.default_rng(number).integers(0, 255, (6, 8, 3)).astype(np.uint8)
        cv2.imwrite(str(photos / f"photo-{number}.jpg"), cv2.resize(coarse, (300, 270), interpolation=cv2.INTER_CUBIC))
    common = ["train", "lbp", "--out", "runs/mine", "--resolution", 64, "--batch", 4, "--threads", 1]
    first = command(*common, "--photos", "holiday", "--steps", 3, cwd=home)
    assert first.returncode == 0, first.stderr
    assert "Training lbp (small) on" in first.stdout
    again = command(*common, "--photos", "holiday", "--steps", 5, cwd=home)
    assert again.returncode == 2
    assert "already holds a run" in again.stderr
    resumed = command(*common, "--photos", "holiday", "--steps", 5, "--resume", cwd=home)
    assert resumed.returncode == 0, resumed.stderr
    assert "5 steps" in resumed.stdout
    return home / "runs" / "mine"


@pytest.fixture(autouse=True)
def _one_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring all classical methods takes most of an export's time and is not what these tests are about."""
    monkeypatch.setattr("inpainting.training.export.PEERS", {"Telea": PEERS["Telea"]})


@pytest.mark.slow
def test_exported_weights_give_the_figures_of_their_card(run: Path, tmp_path: Path) -> None:
    pack = PhotoPack(run / "pack")
    path = export(run, pack, checkpoint="last", out=tmp_path, say=lambda text: None)
    assert path.stat().st_size < 8_000_000
    card = json.loads((tmp_path / "lbp.json").read_text(encoding="utf-8"))
    assert card["steps"] == 5
    assert card["photos"] == pack.groups("train")

    weights = read_weights(path)
    network = LBPInpainter(LBPConfig.from_metadata(weights.metadata))
    load_into(network, weights)
    cases = validation_cases(pack, 256)
    recipe = make_recipe("lbp", "small")
    results = fill_cases(
        cases, lambda damaged, masks: recipe.predict({"generator": network.eval()}, damaged, masks), torch.device("cpu")
    )
    again = scores(cases, results)
    assert set(card["validation"]["scores"]) == {*again, "lite0_distance"}
    for metric, values in again.items():
        figure = card["validation"]["scores"][metric]
        assert values.mean() == pytest.approx(figure, rel=2e-3)  # the card's weights were not yet halved

    text = (tmp_path / "lbp.md").read_text(encoding="utf-8")
    assert "holiday" in text
    assert f"{card['validation']['peers']['Telea']['psnr']:.3f}" in text
    assert len(cases) == card["validation"]["pictures"] == 6
    assert "6 photos are too few to call any difference certain" in text
    assert (tmp_path / "lbp.jpg").stat().st_size > 10_000


def test_few_pictures_beat_nobody_for_certain() -> None:
    better = Difference(mean=1.0, low=0.5, high=1.5)
    for pictures, certain in ((19, False), (20, True)):
        measured = Measured(pictures, 256, "", {}, {}, {"Telea": {"psnr": better, "l1": better}})
        assert measured.beats("Telea", "psnr") == certain
        assert not measured.beats("Telea", "l1")


def test_a_card_can_show_photos_that_may_be_passed_on(tmp_path: Path) -> None:
    shown = np.zeros((90, 120, 3), np.uint8)
    shown[:, 40:] = 200
    cv2.imwrite(str(tmp_path / "b.png"), shown)
    cv2.imwrite(str(tmp_path / "a.png"), 255 - shown)
    first, second = folder_cases(tmp_path, 64)
    assert (first.name, second.name) == ("a.png", "b.png")
    assert first.photo.shape == (64, 64, 3)
    assert 0.1 <= first.hole.mean() <= 0.4
    assert first.photo[32, 60, 0] == 55


def test_a_run_can_begin_with_the_shipped_weights(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "lbp", "--pack", str(run / "pack"), "--resolution", "64", "--batch", "2", "--device", "cpu"]
    words += ["--validation-photos", "1", "--set", "warm_up=1", "--set", "first_stage=0"]
    fresh, tuned = str(tmp_path / "fresh"), str(tmp_path / "tuned")
    assert main([*words, "--out", fresh, "--steps", "1"], more=add_commands) == 0
    assert main([*words, "--out", tuned, "--steps", "1", "--start", "shipped"], more=add_commands) == 0
    assert main([*words, "--out", tuned, "--steps", "2", "--resume"], more=add_commands) == 0
    shipped = read_weights(WEIGHTS_DIR / "lbp.safetensors")
    for out, begun in ((tmp_path / "fresh", ""), (tmp_path / "tuned", shipped.sha256)):
        tensors, facts = load_checkpoint(out / "last")
        assert facts["started_from"] == begun
        for part in ("generator", "average"):
            recipe = make_recipe("lbp", "small")
            unpack_modules(part, recipe.generators, tensors)
            gaps = [
                (value - shipped.tensors[name]).abs().max().item()
                for name, value in recipe.generators["generator"].state_dict().items()
            ]
            assert (max(gaps) < 1e-3) == bool(begun)  # two of Adam's steps move a weight by at most 4e-4

    capsys.readouterr()
    other = str(tmp_path / "other")
    for start, switch, sentence in (
        ("shipped", "guidance=no", "lbp.safetensors was trained with another guidance (on)"),
        ("absent.safetensors", "seam=yes", "absent.safetensors cannot be read"),
    ):
        asked = [*words, "--out", other, "--steps", "1", "--start", start, "--set", switch]
        assert main(asked, more=add_commands) == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.slow
def test_better_weights_stay_unless_told_otherwise(run: Path, tmp_path: Path) -> None:
    pack, out = PhotoPack(run / "pack"), tmp_path / "weights"
    for _ in range(2):  # what is as good as what is there may replace it
        path = export(run, pack, checkpoint="last", out=out, say=lambda text: None)
    good = path.read_bytes()
    tensors, facts = load_checkpoint(run / "last")
    generator = torch.Generator().manual_seed(0)
    for name in [name for name in tensors if name.startswith("average/") and tensors[name].ndim == 4]:
        tensors[name] += torch.randn(tensors[name].shape, generator=generator)
    save_checkpoint(tmp_path / "ruined" / "last", tensors, facts)
    with pytest.raises(CheckpointError, match="do better on the same photos"):
        export(tmp_path / "ruined", pack, checkpoint="last", out=out, say=lambda text: None)
    assert path.read_bytes() == good
    export(tmp_path / "ruined", pack, checkpoint="last", out=out, replace=True, say=lambda text: None)
    assert path.read_bytes() != good


@pytest.mark.slow
def test_a_changed_file_is_not_loaded(run: Path, tmp_path: Path) -> None:
    path = export(run, PhotoPack(run / "pack"), checkpoint="last", out=tmp_path, say=lambda text: None)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="damaged or was changed"):
        read_weights(path)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("train gram --photos . --out x", "cannot be trained"),
        ("train lbp --out x", "Name folders with --photos"),
        ("train lbp --photos absent --out x", "There is no folder absent"),
        ("train lbp --photos . --out x --curriculum big", "wants resolutions and shares"),
        ("train lbp --photos . --out x --set guidance=maybe", "yes or no"),
        ("train lbp --photos . --out x --set guidance", "wants KEY=VALUE"),
        ("train lbp --photos . --out x --device tpu", "must be auto, cpu or cuda"),
        ("weights export absent", "is not a photo pack"),
        ("weights add vgg19 absent.pth", "cannot be read"),
    ],
)
def test_wrong_wishes_are_answered_with_a_sentence(
    words: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split(), more=add_commands) == 2
    assert sentence in capsys.readouterr().err
