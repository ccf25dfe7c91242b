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

from inpainting.cli import main
from inpainting.models.lbp_networks import LBPConfig, LBPInpainter
from inpainting.training.cli import add_commands
from inpainting.training.export import export
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
    assert "Not** better" in text  # five steps beat nobody
    assert (tmp_path / "lbp.jpg").stat().st_size > 10_000


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
