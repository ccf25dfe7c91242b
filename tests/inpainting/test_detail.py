"""Fine detail from the photo itself: where it comes from, and that it helps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inpainting.engine import Engine
from inpainting.imaging.composite import paste_fill
from inpainting.imaging.context import Box, HoleGroup
from inpainting.imaging.correspondence import PATCH, find_sources
from inpainting.imaging.detail import DetailSource, enlarge_at
from inpainting.imaging.photo import Photo
from inpainting.imaging.working import WorkingCrop, make_working_crop
from tests.inpainting.pictures import disc, texture

SCALE = 4


def whole(mask: NDArray[np.bool_]) -> HoleGroup:
    height, width = mask.shape
    return HoleGroup(box=Box(0, 0, width, height), crop=Box(0, 0, width, height), mask=mask)


def restored(photo: Photo, mask: NDArray[np.bool_], sources: NDArray[np.int32] | None, patch: int) -> NDArray[np.uint8]:
    """Fill the hole at a quarter of the size with the truth, as a perfect model would, and bring it back."""
    truth = make_working_crop(photo.pixels, np.zeros_like(mask), max(mask.shape) // SCALE)
    crop = make_working_crop(photo.pixels, mask, max(mask.shape) // SCALE)
    damaged = Photo(np.where(mask[..., np.newaxis], 0, photo.pixels).astype(np.uint8))
    result = damaged.pixels.copy()
    detail = None if sources is None else DetailSource.from_sources(sources, patch)
    paste_fill(result, damaged, whole(mask), mask, crop, truth.image, detail)
    assert np.array_equal(result[~mask], photo.pixels[~mask])
    return result


def error(first: NDArray[np.uint8], second: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    return float(np.sqrt(np.mean((first[mask].astype(float) - second[mask]) ** 2)))


def gradient_energy(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    return float(np.mean(np.abs(np.diff(pixels.astype(float), axis=1, append=0))[mask]))


def photo_and_hole() -> tuple[Photo, NDArray[np.bool_]]:
    return Photo(texture(256, 320, period=16)), disc(256, 320, center=(128, 150), radius=40)


def periodic_sources(crop: WorkingCrop, period: int) -> NDArray[np.int32]:
    """For each hole pixel the nearest known pixel that lies a whole number of periods to the left."""
    sources = np.full((*crop.mask.shape, 2), -1, np.int32)
    for y, x in zip(*np.nonzero(crop.mask), strict=True):
        for distance in range(period, x + 1, period):
            if not crop.mask[y, x - distance]:
                sources[y, x] = (y, x - distance)
                break
    return sources


@pytest.mark.parametrize("patch", [1, 7])
def test_detail_on_a_periodic_texture_is_nearly_exact(patch: int) -> None:
    photo, mask = photo_and_hole()
    crop = make_working_crop(photo.pixels, mask, 320 // SCALE)
    soft = restored(photo, mask, None, 1)
    sharp = restored(photo, mask, periodic_sources(crop, 16 // SCALE), patch)
    assert error(soft, photo.pixels, mask) > 40
    assert error(sharp, photo.pixels, mask) < 0.1 * error(soft, photo.pixels, mask)
    energy = gradient_energy(photo.pixels, mask)
    assert gradient_energy(soft, mask) < 0.5 * energy
    assert gradient_energy(sharp, mask) == pytest.approx(energy, rel=0.1)


def test_found_sources_bring_detail_too() -> None:
    rng = np.random.default_rng(5)
    # A photo that contains every patch of the hole elsewhere: its left and right halves are equal.
    half = (rng.random((320, 240, 3)) * 255).astype(np.uint8)
    for _blur in range(2):
        half = ((half.astype(int) + np.roll(half, 3, 0) + np.roll(half, 3, 1)) // 3).astype(np.uint8)
    photo = Photo(np.concatenate([half, half], axis=1))
    mask = disc(320, 480, center=(160, 120), radius=48)
    truth = make_working_crop(photo.pixels, np.zeros_like(mask), 480 // SCALE)
    crop = make_working_crop(photo.pixels, mask, 480 // SCALE)
    sources = find_sources(truth.image, crop.mask, seed=1)
    ys, xs = np.nonzero(crop.mask)
    found = sources[ys, xs]
    exact = (found[:, 0] == ys) & (found[:, 1] == xs + 60)
    assert exact.mean() > 0.9
    soft, sharp = restored(photo, mask, None, 1), restored(photo, mask, sources, PATCH)
    assert error(sharp, photo.pixels, mask) < 0.5 * error(soft, photo.pixels, mask)


def test_sources_lie_in_the_known_region_and_repeat_by_seed() -> None:
    image = np.random.default_rng(0).random((90, 70, 3), dtype=np.float32)
    mask = disc(90, 70, center=(40, 35), radius=15)
    sources = find_sources(image, mask, seed=7)
    assert np.array_equal(sources, find_sources(image, mask, seed=7))
    assert (sources[~mask] == -1).all()
    inside = sources[mask]
    found = inside[inside[:, 0] >= 0]
    assert len(found) > 0.9 * len(inside)
    assert not mask[found[:, 0], found[:, 1]].any()


@pytest.mark.parametrize("shape", [(5, 5), (7, 40), (12, 9)])
def test_pictures_too_small_for_a_patch_have_no_sources(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.bool_)
    mask[shape[0] // 2, shape[1] // 2] = True
    sources = find_sources(np.zeros((*shape, 3), np.float32), mask, seed=0)
    assert sources.shape == (*shape, 2)
    assert (sources[~mask] == -1).all()


def test_a_listener_can_stop_the_search() -> None:
    class Stopped(Exception):
        pass

    heard: list[float] = []

    def listen(share: float) -> None:
        heard.append(share)
        if len(heard) == 3:
            raise Stopped

    image = np.random.default_rng(0).random((400, 400, 3), dtype=np.float32)
    with pytest.raises(Stopped):
        find_sources(image, disc(400, 400, center=(200, 200), radius=60), seed=0, on_round=listen)
    assert heard == sorted(heard)
    assert 0 < heard[-1] < 1


def test_places_without_a_source_are_only_soft() -> None:
    photo, mask = photo_and_hole()
    crop = make_working_crop(photo.pixels, mask, 320 // SCALE)
    nowhere = np.full((*crop.mask.shape, 2), -1, np.int32)
    assert np.array_equal(restored(photo, mask, nowhere, 1), restored(photo, mask, None, 1))
    into_the_hole = nowhere.copy()
    into_the_hole[crop.mask] = (32, 37)
    assert np.array_equal(restored(photo, mask, into_the_hole, 1), restored(photo, mask, None, 1))


def test_enlarging_keeps_gradients_straight() -> None:
    across = np.linspace(0, 1, 50, dtype=np.float32)
    small = np.broadcast_to(across[np.newaxis, :, np.newaxis], (30, 50, 3)).copy()
    ys, xs = np.divmod(np.arange(60 * 100), 100)
    large = enlarge_at(small, 2.0, 2.0, ys, xs).reshape(60, 100, 3)
    expected = np.interp((np.arange(100) + 0.5) / 2 - 0.5, np.arange(50), across)
    # A step is 1/49; bicubic weights stay within a seventh of one.
    assert np.abs(large[:, :, 0] - expected).max() < 0.15 / 49


def test_sources_are_looked_for_when_asked_also_where_nothing_was_reduced() -> None:
    """On a repeated tile every spot's source must show just what the spot shows."""
    photo, mask = Photo(texture(160, 200)), disc(160, 200, center=(80, 100), radius=18)
    engine = Engine()
    assert engine.fill(photo, mask, model="patchmatch").sources == []
    result = engine.fill(photo, mask, model="patchmatch", params={"sources": True})
    (found,) = result.sources
    assert found.patch == 7
    taken = found.sources[mask[found.box.slices]]
    assert (taken[:, 0] >= 0).mean() > 0.95
    taken = taken[taken[:, 0] >= 0]
    assert not mask[taken[:, 0], taken[:, 1]].any()
    ys, xs = np.nonzero(mask[found.box.slices] & (found.sources[..., 0] >= 0))
    filled = result.photo.pixels[ys + found.box.top, xs + found.box.left].astype(int)
    assert np.median(np.abs(filled - photo.pixels[taken[:, 0], taken[:, 1]])) <= 4
