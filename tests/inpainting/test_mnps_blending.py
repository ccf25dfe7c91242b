"""Closing the step at the hole's edge: the photo's gradients meet those of the texture."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inpainting.catalog import get_entry
from inpainting.models.base import FillInput, FloatImage
from inpainting.models.mnps import MNPSFill
from inpainting.models.mnps.blending import RING, blended


def hole_of(top: int, left: int, side: int, shape: tuple[int, int] = (80, 90)) -> NDArray[np.bool_]:
    hole = np.zeros(shape, np.bool_)
    hole[top : top + side, left : left + side] = True
    return hole


def moved(hole: NDArray[np.bool_], down: int, right: int) -> NDArray[np.int32]:
    """Sources of a hole whose pixels all come from the same displacement."""
    sources = np.full((*hole.shape, 2), -1, np.int32)
    ys, xs = np.nonzero(hole)
    sources[ys, xs] = np.stack([ys + down, xs + right], axis=1)
    return sources


def copied(photo: FloatImage, hole: NDArray[np.bool_], sources: NDArray[np.int32]) -> FloatImage:
    image = photo.copy()
    image[hole] = photo[tuple(sources[hole].T)]
    return image


def ramp_with_grain() -> FloatImage:
    """Light that falls off to the right over a fine regular texture of period 8."""
    y, x = np.mgrid[0:80, 0:90]
    grain = 0.05 * np.sin(2 * np.pi * x / 8) * np.cos(2 * np.pi * y / 8)
    return np.stack([0.2 + 0.006 * x + grain, 0.3 + 0.002 * y + grain, 0.5 + grain], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("down", "right"), [(0, -32), (24, 0), (-24, 32)])
def test_a_copy_from_where_the_light_is_another_meets_the_photo(down: int, right: int) -> None:
    """The grain agrees, the light does not: what is copied then differs by a constant, which blending takes away."""
    photo, hole = ramp_with_grain(), hole_of(30, 36, 20)
    sources = moved(hole, down, right)
    image = copied(photo, hole, sources)
    before = np.abs(image - photo)[hole]
    assert before.max() > 0.04
    after = np.abs(blended(image, np.where(hole[..., None], 0, photo), hole, sources) - photo)[hole]
    assert after.max() < 1 / 255


def test_nothing_but_the_hole_changes_and_what_fits_stays() -> None:
    photo, hole = ramp_with_grain(), hole_of(30, 36, 20)
    sources = moved(hole, 0, -32)
    image = copied(photo, hole, sources)
    result = blended(image, photo, hole, sources)
    assert np.array_equal(result[~hole], image[~hole])
    assert result.dtype == np.float32
    periodic = np.tile(np.random.default_rng(0).random((8, 10, 3), dtype=np.float32), (10, 9, 1))
    sources = moved(hole, 24, 0)
    again = blended(periodic, periodic, hole, sources)
    assert np.abs(again - periodic).max() < 1e-5


def test_without_sources_around_the_edge_nothing_happens() -> None:
    photo, hole = ramp_with_grain(), hole_of(30, 36, 20)
    nowhere = np.full((*hole.shape, 2), -1, np.int32)
    image = copied(photo, hole, moved(hole, 0, -32))
    assert np.array_equal(blended(image, photo, hole, nowhere), image)
    # Sources right beside the hole: their own surroundings are hole too.
    into_hole = np.where(hole[..., None], np.array([40, 46], np.int32), np.int32(-1))
    assert np.array_equal(blended(image, photo, hole, into_hole), image)


@pytest.mark.parametrize("place", [(0, 0), (60, 70), (0, 40)])
def test_holes_at_the_border(place: tuple[int, int]) -> None:
    photo, hole = ramp_with_grain(), hole_of(*place, 20)
    down, right = (32 if place[0] == 0 else -32), 0
    sources = moved(hole, down, right)
    image = copied(photo, hole, sources)
    result = blended(image, photo, hole, sources)
    assert np.isfinite(result).all()
    assert np.abs(result - photo)[hole].max() < 1.5 / 255
    assert RING < 20


def test_the_model_blends_unless_it_is_told_not_to() -> None:
    """A photo whose light falls off: its hole is matched with darker and lighter places, and still fits."""
    y, x = np.mgrid[0:96, 0:96]
    random = np.random.default_rng(1)
    photo = np.stack([0.25 + 0.005 * x, 0.3 + 0.003 * y, 0.4 + 0.002 * x], axis=-1) + random.normal(
        0, 0.01, (96, 96, 3)
    )
    photo = photo.clip(0, 1).astype(np.float32)
    hole = hole_of(36, 36, 24, (96, 96))
    entry = get_entry("mnps")
    model, error = MNPSFill(entry), {}
    for edge in ("plain", "blended"):
        given = entry.parse_params({"content": "telea", "iterations": 6, "rematch": 6, "edge": edge})
        made = model.fill(
            FillInput(np.where(hole[..., None], 0, photo).astype(np.float32), hole, given, 0, lambda _: None)
        )
        rim = hole & ~hole_of(39, 39, 18, (96, 96))
        error[edge] = float(np.abs((made.image - photo)[rim].reshape(-1, 3)).mean())
    assert error["blended"] < error["plain"]
