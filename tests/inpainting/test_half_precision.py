"""16-bit arithmetic is used where it leaves results as they are, and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch

from inpainting import catalog
from inpainting.catalog import ModelEntry, get_entry
from inpainting.engine import Engine, FillError
from inpainting.half_precision import TOLERANCE, computing, difference_on_check, precision_for, settle
from inpainting.imaging import Photo
from inpainting.models.base import FillInput, FillModel, FillOutput, Step
from inpainting.models.lbp import LBPFill
from tests.inpainting.pictures import disc, texture


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


class Product(FillModel):
    """Fills with a product of matrices that is 0.5 in any precision, times `gain` times what 16 bits cut off of 1/3."""

    lower_precision = True
    gain = 0.0
    breaks = False

    def fill(self, job: FillInput) -> FillOutput:
        third = torch.full((1, 1), 1 / 3) @ torch.ones(1, 1)
        if self.breaks and third.dtype != torch.float32:
            raise RuntimeError("\"some_kernel\" not implemented for 'BFloat16'")
        job.on_step(Step("product", 1.0))
        value = 0.5 + self.gain * (third.float().item() - 1 / 3)
        return FillOutput(np.full_like(job.image, value))


def product(**attributes: Any) -> Product:
    model = Product(get_entry("telea"))
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def test_what_stays_the_same_is_computed_in_16_bits(caplog: pytest.LogCaptureFixture) -> None:
    model = product(gain=1.0)
    with caplog.at_level(logging.INFO):
        settle(model, "bf16")
    assert model.precision == "bf16"
    with computing(model):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert "of 255 steps" in caplog.text


@pytest.mark.parametrize("trouble", [{"gain": 100.0}, {"gain": float("inf")}, {"breaks": True}])
def test_what_does_not_stays_at_32_bits_and_the_log_says_so(
    trouble: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model = product(**trouble)
    settle(model, "bf16")
    assert model.precision == "fp32"
    assert "fp32 is used" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def test_only_networks_that_are_run_once_are_asked() -> None:
    model = product()
    model.lower_precision = False
    settle(model, "bf16")
    assert model.precision == "fp32"
    assert not get_loaded("telea").lower_precision


def get_loaded(key: str) -> FillModel:
    engine = Engine("cpu")
    engine.working_side(key)
    return engine.models.get(key, lambda: pytest.fail("it was loaded before"))


def test_automatic_means_full_precision_on_a_processor() -> None:
    assert precision_for("auto", "cpu") == "fp32"
    assert precision_for("fp16", "cpu") == "fp16"
    with pytest.raises(FillError, match="no precision 'fp8'"):
        precision_for("fp8", "cuda")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_check_measures_real_networks(precision: Any) -> None:
    model = LBPFill(get_entry("lbp"))
    difference = difference_on_check(model, precision)
    assert 0 < difference < TOLERANCE
    assert model.precision == "fp32", "measuring changes nothing"


def test_the_engine_fills_in_16_bits_and_says_so() -> None:
    mask = disc(96, 96, center=(48, 48), radius=14)
    photo = Photo(texture(96, 96))
    exact, lower = (
        Engine("cpu", precision=precision).fill(photo, mask, model="lbp", allow_untrained=True)
        for precision in ("fp32", "bf16")
    )
    assert "precision" not in exact.notes
    assert lower.notes["precision"] == "bf16"
    assert np.array_equal(lower.photo.pixels[~mask], photo.pixels[~mask])
    difference = np.abs(lower.photo.pixels[mask].astype(int) - exact.photo.pixels[mask])
    assert 0 < difference.mean() <= 255 * TOLERANCE


def test_one_engine_may_compute_exactly_beside_another(caplog: pytest.LogCaptureFixture) -> None:
    mask = disc(96, 96, center=(48, 48), radius=14)
    photo = Photo(texture(96, 96))
    engine = Engine("cpu", precision="bf16")
    with caplog.at_level(logging.INFO):
        notes = [
            each.fill(photo, mask, model="lbp", allow_untrained=True).notes.get("precision")
            for each in (engine, engine.in_single_precision(), engine)
        ]
    assert notes == ["bf16", None, "bf16"]
    assert caplog.text.count("is used") == 1, "it is checked once"
    assert engine.in_single_precision().models is engine.models


def test_a_model_that_is_loaded_again_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ModelEntry(
        key="product",
        title="Product",
        summary="",
        cost="fast",
        factory="tests.inpainting.test_half_precision:Product",
    )
    monkeypatch.setitem(catalog._BY_KEY, entry.key, entry)
    engine = Engine("cpu", precision="bf16")
    engine.working_side("product")
    engine.models.clear()
    engine.working_side("product")
    assert engine.models.get("product", lambda: pytest.fail("it was loaded before")).precision == "bf16"
