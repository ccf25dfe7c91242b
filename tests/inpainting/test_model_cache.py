"""Models kept within a limit of memory, and crops made smaller on demand."""

from __future__ import annotations

import numpy as np
import pytest

from inpainting import catalog
from inpainting.catalog import ModelEntry
from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.model_cache import weight_bytes
from inpainting.models.base import FillModel, OutOfMemory
from tests.inpainting.probe_models import Heavy


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for key, name in (("one", "Heavy"), ("two", "Heavy"), ("three", "Heavy"), ("light", "Recording")):
        entry = ModelEntry(
            key=key,
            title=key,
            summary="",
            cost="instant",
            factory=f"tests.inpainting.probe_models:{name}",
            needs_torch=False,
        )
        monkeypatch.setitem(catalog._BY_KEY, key, entry)
    return ["one", "two", "three"]


def fill(engine: Engine, model: str, side: int = 48) -> None:
    photo = Photo(np.full((side, side, 3), 100, np.uint8))
    hole = np.zeros((side, side), np.bool_)
    hole[20:28, 20:28] = True
    engine.fill(photo, hole, model=model)


def test_the_model_used_longest_ago_goes_first(models: list[str]) -> None:
    engine = Engine("cpu", model_memory=2 * Heavy.BYTES)
    for key in ("one", "two", "one"):
        fill(engine, key)
    assert engine.models.sizes() == {"two": Heavy.BYTES, "one": Heavy.BYTES}
    fill(engine, "three")
    assert list(engine.models.sizes()) == ["one", "three"]
    fill(engine, "light")
    assert engine.models.sizes() == {"one": Heavy.BYTES, "three": Heavy.BYTES, "light": 0}


def test_one_model_is_kept_even_above_the_limit(models: list[str]) -> None:
    engine = Engine("cpu", model_memory=1000)
    for key in models:
        fill(engine, key)
    assert list(engine.models.sizes()) == ["three"]


def test_without_a_limit_everything_is_kept(models: list[str]) -> None:
    engine = Engine("cpu")
    loaded = {}
    for key in (*models, *models):
        fill(engine, key)
        loaded.setdefault(key, engine.models.get(key, lambda: pytest.fail("loaded twice")))
    assert list(engine.models.sizes()) == models


def test_weights_under_two_names_count_once() -> None:
    heavy = Heavy(catalog.get_entry("telea"))
    assert weight_bytes(heavy) == Heavy.BYTES


def test_crops_are_brought_down_to_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ModelEntry(
        key="hungry",
        title="Hungry",
        summary="",
        cost="instant",
        factory="tests.inpainting.probe_models:Hungry",
        needs_torch=True,
    )
    monkeypatch.setitem(catalog._BY_KEY, entry.key, entry)
    photo = Photo(np.random.default_rng(0).integers(0, 255, (700, 900, 3), np.uint8))
    hole = np.zeros((700, 900), np.bool_)
    hole[50:650, 50:850] = True
    engine = Engine("cpu")
    with pytest.raises(OutOfMemory, match="memory"):
        engine.fill(photo, hole, model="hungry")
    engine.largest_crop = 256
    result = engine.fill(photo, hole, model="hungry")
    model: FillModel = engine.models.get("hungry", lambda: pytest.fail("it was loaded before"))
    assert {max(job.mask.shape) for job in model.jobs} == {256}  # type: ignore[attr-defined]
    assert result.proof["changed_pixels"] == 0
    engine.largest_crop = None
    with pytest.raises(OutOfMemory):
        engine.fill(photo, hole, model="hungry")
