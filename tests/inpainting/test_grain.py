"""A smooth fill is given the grain of the places that it resembles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inpainting.engine import Engine
from inpainting.imaging import Photo
from inpainting.imaging.grain import add_grain
from inpainting.models.base import Cancelled
from inpainting.results import Progress

SIDE = 96


def sand_and_sky() -> NDArray[np.float32]:
    """(96, 96, 3): flat above, grainy below."""
    rng = np.random.default_rng(0)
    picture = np.full((SIDE, SIDE, 3), 0.75, np.float32)
    picture[SIDE // 2 :] = 0.4 + rng.normal(0, 0.08, (SIDE // 2, SIDE, 1))
    return picture.clip(0, 1).astype(np.float32)


def holes() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """One in the flat part, one in the grainy part."""
    flat, grainy = np.zeros((2, SIDE, SIDE), np.bool_)
    flat[10:30, 40:60] = True
    grainy[62:84, 36:60] = True
    return flat, grainy


def smooth(picture: NDArray[np.float32], flat: NDArray[np.bool_], grainy: NDArray[np.bool_]) -> NDArray[np.float32]:
    filled = picture.copy()
    filled[flat], filled[grainy] = 0.75, 0.4
    return filled


def test_grain_comes_where_the_surroundings_have_it_and_nowhere_else() -> None:
    picture, (flat, grainy) = sand_and_sky(), holes()
    filled = smooth(picture, flat, grainy)
    result = add_grain(filled, flat | grainy, 1.0, seed=0)
    assert result.dtype == np.float32
    assert np.array_equal(result[~(flat | grainy)], picture[~(flat | grainy)])
    around = cv2.dilate(grainy.astype(np.uint8), np.ones((15, 15))).astype(bool) & ~grainy
    inner = cv2.erode(grainy.astype(np.uint8), np.ones((7, 7))).astype(bool)
    assert 0.6 < result[inner].std() / picture[around].std() < 1.4
    assert abs(result[inner].mean() - 0.4) < 0.03
    assert result[flat].std() < 0.005
    half = add_grain(filled, flat | grainy, 0.5, seed=0)
    assert np.allclose(half - filled, (result - filled) / 2, atol=1e-6)


def test_large_pictures_are_compared_at_a_reduced_scale() -> None:
    """What the reduction took away comes back from the picture itself, at its own scale."""
    large = np.tile(sand_and_sky(), (1, 14, 1))[:, :1300]
    rng = np.random.default_rng(1)
    large[SIDE // 2 :] = (0.4 + rng.normal(0, 0.08, (SIDE // 2, 1300, 1))).clip(0, 1)
    mask = np.zeros(large.shape[:2], np.bool_)
    mask[62:84, 700:760] = mask[10:30, 300:340] = True
    filled = large.copy()
    filled[62:84, 700:760], filled[10:30, 300:340] = 0.4, 0.75
    heard: list[float] = []
    result = add_grain(filled, mask, 1.0, seed=0, on_round=heard.append)
    assert np.array_equal(result[~mask], large[~mask])
    assert 0.6 < result[66:80, 704:756].std() / 0.08 < 1.4
    assert result[10:30, 300:340].std() < 0.005
    assert heard == sorted(heard)
    assert heard


def test_the_seed_decides() -> None:
    picture, (flat, grainy) = sand_and_sky(), holes()
    filled = smooth(picture, flat, grainy)
    first, again, other = (add_grain(filled, grainy, 1.0, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_a_whole_known_patch_the_fill_stays() -> None:
    picture = sand_and_sky()
    mask = np.ones((SIDE, SIDE), np.bool_)
    mask[::5] = False
    assert np.array_equal(add_grain(picture, mask, 1.0, seed=0), picture)


@pytest.fixture(scope="module")
def sand() -> tuple[Photo, NDArray[np.bool_]]:
    return Photo((sand_and_sky() * 255).astype(np.uint8)), holes()[1]


@pytest.mark.parametrize("model", ["tta", "lbp", "tmad"])
def test_networks_add_it_unless_told_not_to(model: str, sand: tuple[Photo, NDArray[np.bool_]]) -> None:
    photo, mask = sand
    engine, stages = Engine("cpu"), []

    def hear(progress: Progress) -> None:
        stages.append(progress.stage)

    with_grain = engine.fill(photo, mask, model=model, params={"grain": 1}, on_step=hear).photo.pixels
    assert "Adding the photo's grain" in stages
    stages.clear()
    alone = engine.fill(photo, mask, model=model, params={"grain": 0}, on_step=hear).photo.pixels
    assert "Adding the photo's grain" not in stages
    assert with_grain[mask].std() > alone[mask].std()
    usual = engine.fill(photo, mask, model=model).photo.pixels
    assert not np.array_equal(usual, alone)
    assert np.array_equal(usual[~mask], photo.pixels[~mask])


def test_it_can_be_cancelled(sand: tuple[Photo, NDArray[np.bool_]]) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage == "Adding the photo's grain":
            raise Cancelled

    with pytest.raises(Cancelled):
        Engine("cpu").fill(*sand, model="lbp", on_step=stop)
