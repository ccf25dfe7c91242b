"""The order of models as measured: read from cards beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inpainting import catalog, model_entry
from inpainting.catalog import offered, standings
from inpainting.standing import read_standings

TITLES = {"tta": "TTA-Net", "lbp": "LBP", "patchmatch": "PatchMatch", "telea": "Telea"}
NETWORKS = {"tta", "lbp"}
PEERS = {
    "PatchMatch": {"psnr": 25.7, "ssim": 0.856, "l1": 2.17},
    "Telea": {"psnr": 25.5, "ssim": 0.868, "l1": 2.12},
    "biharmonic": {"psnr": 25.3, "ssim": 0.875, "l1": 2.2},
}


def write_card(folder: Path, model: str, psnr: float, ssim: float, l1: float, **setting: Any) -> None:
    scores = {"psnr": psnr, "ssim": ssim, "l1": l1}
    validation = {"pictures": 134, "side": 256, "scores": scores, "peers": PEERS} | setting
    (folder / f"{model}.json").write_text(json.dumps({"model": model, "validation": validation}))


def test_the_highest_psnr_ranks_first(tmp_path: Path) -> None:
    write_card(tmp_path, "tta", 27.0, 0.9, 1.8)
    write_card(tmp_path, "lbp", 24.9, 0.85, 2.5)
    found = read_standings(tmp_path, NETWORKS, TITLES)
    assert sorted(found, key=lambda key: found[key].rank) == ["tta", "patchmatch", "telea", "lbp"]
    assert found["tta"].rank == 1
    assert found["lbp"].rank == 4
    assert found["patchmatch"].scores["psnr"] == 25.7
    assert (found["lbp"].pictures, found["lbp"].side) == (134, 256)
    assert found["lbp"].sentence == "Place 4 of 4 on 134 photos that no model had seen: 24.9 dB PSNR."


def test_the_perceptual_distance_decides_where_it_was_measured(tmp_path: Path) -> None:
    peers = {"PatchMatch": {"psnr": 25.7, "lite0_distance": 0.2}, "Telea": {"psnr": 26.5, "lite0_distance": 0.4}}
    scores = {"psnr": 25.0, "lite0_distance": 0.3}
    write_card(tmp_path, "lbp", 0, 0, 0, peers=peers, scores=scores)
    found = read_standings(tmp_path, NETWORKS, TITLES)
    assert {key: standing.rank for key, standing in found.items()} == {"patchmatch": 1, "lbp": 2, "telea": 3}


def test_what_does_not_compare_or_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    write_card(tmp_path, "lbp", 24.9, 0.85, 2.5)
    write_card(tmp_path, "tta", 27.0, 0.9, 1.8, side=128)
    write_card(tmp_path, "mnps", 29.0, 0.95, 1.1)  # its card is about the content network alone
    (tmp_path / "checksums.json").write_text('{"lbp.safetensors": "00"}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "odd.json").write_text("[]")
    assert set(read_standings(tmp_path, NETWORKS, TITLES)) == {"lbp", "patchmatch", "telea"}


def test_no_cards_no_standings(tmp_path: Path) -> None:
    assert read_standings(tmp_path, NETWORKS, TITLES) == {}


def test_the_studio_offers_models_as_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_entry, "WEIGHTS_DIR", tmp_path)
    monkeypatch.setattr(catalog, "WEIGHTS_DIR", tmp_path)
    assert next(entry.key for entry in offered()) == "patchmatch"
    write_card(tmp_path, "lbp", 24.9, 0.85, 2.5)
    assert standings() == {}, "a card without its weights says nothing"
    (tmp_path / "lbp.safetensors").write_bytes(b"weights")
    titles = {entry.key: entry.title for entry in catalog.ENTRIES}
    assert {"PatchMatch", "Telea"} <= set(titles.values()), "the peers on the cards are found by these titles"
    assert [entry.key for entry in offered()] == ["patchmatch", "telea", "lbp", "gram", "mnps"]
    write_card(tmp_path, "lbp", 27.0, 0.9, 1.8)
    assert next(entry.key for entry in offered()) == "lbp"
