"""What the engine says about batches, and that each photo of one keeps its own seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from inpainting.catalog import get_entry
from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.models.base import FillInput
from inpainting.models.tta import TTAFill
from tests.inpainting.pictures import disc, texture


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_each_photo_of_a_batch_has_its_own_seed() -> None:
    """TTA-Net's quick search draws candidates: with another seed it finds other textures."""
    mask = disc(96, 96, center=(48, 40), radius=16)
    model = TTAFill(get_entry("tta"))
    network, sizes = model.network, []

    def watched(images: torch.Tensor, *args: Any, **options: Any) -> Any:
        sizes.append(len(images))
        return network(images, *args, **options)

    model.network = watched  # type: ignore[assignment]
    image = texture(96, 96).astype(np.float32) / 255
    jobs = [FillInput(image, mask, {"search": "quick"}, seed, lambda step: None) for seed in (1, 2)]
    together = model.fill_batch(jobs)
    assert sizes == [2], "other seeds are no reason for another pass"
    for job, output in zip(jobs, together, strict=True):
        alone = model.fill(job)
        assert alone.sources is not None
        assert output.sources is not None
        assert (alone.sources == output.sources).mean() > 0.99
        assert np.abs(alone.image - output.image).mean() < 1 / 255


def test_the_seeds_reach_the_photos() -> None:
    mask = disc(64, 64, center=(32, 32), radius=8)
    items = [(Photo(texture(64, 64)), mask)] * 2
    both = Engine("cpu").fill_batch(items, model="patchmatch", seed=[3, 9])
    for seed, result in zip((3, 9), both, strict=True):
        alone = Engine("cpu").fill(*items[0], model="patchmatch", seed=seed)
        assert np.array_equal(alone.photo.pixels, result.photo.pixels)


def test_what_is_worth_computing_together() -> None:
    engine = Engine("cpu")
    assert [engine.useful_batch(key) for key in ("telea", "lbp", "tta", "tmad")] == [0, 1, 1, 1]
    for key, number in (("lbp", 8), ("tta", 8), ("tmad", 4)):
        engine.models.get(key, lambda: pytest.fail("it was loaded before")).device = "cuda"
        assert engine.useful_batch(key) == number


def test_crop_shapes_are_those_that_the_model_gets() -> None:
    mask = np.zeros((900, 1200), np.bool_)
    mask[50:80, 50:80] = True
    mask[550:800, 800:1100] = True
    engine = Engine("cpu")
    given: list[tuple[int, int]] = []
    engine.useful_batch("telea")
    telea = engine.models.get("telea", lambda: pytest.fail("it was loaded before"))
    telea.working_side = 512
    fill = telea.fill

    def watched(job: FillInput) -> Any:
        given.append(job.mask.shape)  # type: ignore[arg-type]
        return fill(job)

    telea.fill = watched  # type: ignore[method-assign]
    engine.fill(Photo(texture(900, 1200)), mask, model="telea")
    assert engine.crop_shapes("telea", mask) == tuple(given)
    assert len(given) == 2
    assert given[0] == (256, 256)
    assert max(given[1]) == 512
