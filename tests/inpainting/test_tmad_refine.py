"""T-MAD's patch network after other models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inpainting import catalog, model_entry
from inpainting.catalog import CatalogError, ModelEntry, get_entry, offer_refinement
from inpainting.engine import Engine
from inpainting.imaging.photo import Photo
from inpainting.models.base import FillError, FillInput, FillModel, FillOutput, Step
from inpainting.models.refine import RefinedModel, refine, shared_refiner
from inpainting.models.tmad import TMAD, checkpoint
from inpainting.models.tmad.refiner import PatchRefiner
from inpainting.weights.loading import write_weights
from tests.inpainting.tmad_scenes import TINY, assert_sound, box, job, photo


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class GreyFill(FillModel):
    """A whole model, if a dull one."""

    working_side = 300

    def fill(self, job: FillInput) -> FillOutput:
        job.on_step(Step("start", 0.0))
        image = job.image.copy()
        image[job.mask] = 0.5
        job.on_step(Step("end", 1.0, preview=image))
        return FillOutput(image, notes={"colour": "grey"})


@pytest.fixture
def refiner() -> PatchRefiner:
    torch.manual_seed(0)
    return PatchRefiner(TMAD(TINY))


def test_refinement_keeps_the_model_and_adds_its_textures(refiner: PatchRefiner) -> None:
    inner = GreyFill(get_entry("telea"))
    wrapped = RefinedModel(inner, refiner)
    assert (wrapped.entry, wrapped.working_side) == (inner.entry, 300)
    steps: list[Step] = []
    mask = box(90, 110, 30, 30, 70, 71)
    crop = job(mask, on_step=steps.append)
    output = wrapped.fill(crop)
    assert_sound(output, crop)
    assert output.image[mask].std() > 0
    assert output.notes == {"colour": "grey", "refined": True}
    assert [overlay.name for overlay in output.overlays] == ["unrefined", "retrieved", "memory"]
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    direct = refine(crop.image, mask, inner.fill(crop).image, refiner=refiner)
    np.testing.assert_allclose(direct, output.image, atol=1e-6)


def test_refinement_leaves_alone_what_it_cannot_refine(refiner: PatchRefiner) -> None:
    mask = np.ones((64, 64), dtype=np.bool_)
    mask[0] = False
    inner = GreyFill(get_entry("telea"))
    crop = [job(mask), job(np.zeros((9, 12), dtype=np.bool_))]
    for output, plain in zip(RefinedModel(inner, refiner).fill_batch(crop), inner.fill_batch(crop), strict=True):
        assert np.array_equal(output.image, plain.image)
        assert output.notes["refined"] is False
        assert output.overlays == []


def test_refinement_refuses_pictures_that_do_not_fit(refiner: PatchRefiner) -> None:
    with pytest.raises(FillError, match="must have the same size"):
        refine(photo(40, 40), box(40, 40, 1, 1, 9, 9), photo(40, 41), refiner=refiner)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalogue in which T-MAD's weights exist."""
    torch.manual_seed(0)
    network = TMAD(TINY)
    write_weights(tmp_path / "tmad.safetensors", network.state_dict(), checkpoint.describe(network, "tiny"))
    for module in (model_entry, checkpoint):
        monkeypatch.setattr(module, "WEIGHTS_DIR", tmp_path)
    plain = (_without_refine(entry) for entry in catalog.ENTRIES)
    monkeypatch.setattr(catalog, "_BY_KEY", {entry.key: entry for entry in offer_refinement(tuple(plain))})
    shared_refiner.cache_clear()
    yield
    shared_refiner.cache_clear()


def _without_refine(entry: ModelEntry) -> ModelEntry:
    return replace(entry, params=tuple(param for param in entry.params if param.name != "refine"))


@pytest.mark.usefixtures("trained")
def test_engine_refines_on_request() -> None:
    pixels = np.rint(photo(150, 170) * 255).astype(np.uint8)
    mask = box(150, 170, 60, 60, 95, 100)
    engine = Engine("cpu")
    plain, none, refined = (
        engine.fill(Photo(pixels), mask, model="telea", params=params)
        for params in (None, {"refine": "none"}, {"refine": "psnet"})
    )
    assert np.array_equal(plain.photo.pixels, none.photo.pixels)
    assert (plain.photo.pixels[mask] != refined.photo.pixels[mask]).any()
    assert np.array_equal(refined.photo.pixels[~mask], pixels[~mask])
    assert refined.notes["refined"] is True
    assert [overlay.name for overlay in refined.overlays] == ["unrefined", "retrieved", "memory"]
    assert refined.sources
    with pytest.raises(CatalogError, match="must be one of none, psnet"):
        engine.fill(Photo(pixels), mask, model="telea", params={"refine": "more"})
    with pytest.raises(CatalogError, match="no parameter refine"):
        engine.fill(Photo(pixels), mask, model="tmad", params={"refine": "psnet"})


@pytest.mark.usefixtures("trained")
def test_engine_fills_with_tmad() -> None:
    pixels = np.rint(photo(300, 200) * 65535).astype(np.uint16)
    mask = box(300, 200, 30, 60, 75, 100) | box(300, 200, 260, 0, 300, 30)
    result = Engine("cpu").fill(Photo(pixels), mask, model="tmad", seed=4)
    assert np.array_equal(result.photo.pixels[~mask], pixels[~mask])
    assert result.proof == {"known_pixels": int((~mask).sum()), "changed_pixels": 0}
    assert result.notes["size"] == "tiny"
    assert {overlay.name for overlay in result.overlays} == {"coarse", "retrieved", "memory"}
    again = Engine("cpu").fill(Photo(pixels), mask, model="tmad", seed=4)
    assert np.array_equal(again.photo.pixels, result.photo.pixels)


def test_catalogue_offers_refinement_once_the_weights_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = tuple(_without_refine(entry) for entry in catalog.ENTRIES)
    monkeypatch.setattr(model_entry, "WEIGHTS_DIR", tmp_path)
    assert offer_refinement(plain) == plain
    with pytest.raises(CatalogError, match="no parameter refine"):
        offer_refinement(plain)[0].parse_params({"refine": "psnet"})
    (tmp_path / "tmad.safetensors").touch()
    for entry in offer_refinement(plain):
        if entry.key == "tmad":
            assert "refine" not in entry.parse_params({})
        else:
            assert entry.parse_params({"refine": "psnet"})["refine"] == "psnet"
            assert entry.parse_params({})["refine"] == "none"


@pytest.mark.usefixtures("trained")
def test_the_refiner_counts_as_a_loaded_model_and_can_be_dropped() -> None:
    pixels = np.rint(photo(80, 90) * 255).astype(np.uint8)
    mask = box(80, 90, 30, 30, 50, 52)
    engine = Engine("cpu", model_memory=1000)
    engine.fill(Photo(pixels), mask, model="telea", params={"refine": "psnet"})
    assert engine.models.sizes()["tmad"] > 1000
    engine.fill(Photo(pixels), mask, model="telea")
    assert list(engine.models.sizes()) == ["telea"]
