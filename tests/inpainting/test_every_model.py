"""What holds for every model of the catalogue, trained or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inpainting.catalog import ENTRIES, ModelEntry
from inpainting.engine import Cancelled, Engine, FillError
from inpainting.imaging import Photo
from inpainting.results import Progress
from tests.inpainting.pictures import disc, noise, texture

ENGINE = Engine("cpu")
every_model = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)


def fill(entry: ModelEntry, photo: Photo, mask: NDArray[np.bool_], **options: Any) -> NDArray[Any]:
    result = ENGINE.fill(photo, mask, model=entry.key, allow_untrained=True, **options)
    assert result.photo.pixels.shape == photo.pixels.shape
    assert result.photo.pixels.dtype == photo.pixels.dtype
    assert np.array_equal(result.photo.pixels[~mask], photo.pixels[~mask])
    assert result.proof == {"known_pixels": int((~mask).sum()), "changed_pixels": 0}
    return result.photo.pixels


def holes(kind: str, height: int, width: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.bool_)
    if kind == "pixel":
        mask[height // 2, width // 3] = True
    elif kind == "corner":
        mask[: height // 4, : width // 4] = True
    elif kind == "border":
        mask[:, -width // 6 :] = True
    elif kind == "several":
        mask |= disc(height, width, center=(height * 0.2, width * 0.2), radius=5)
        mask |= disc(height, width, center=(height * 0.8, width * 0.7), radius=9)
    elif kind == "scratch":
        mask[height // 2, :] = True
    elif kind == "nearly all":
        mask[...] = True
        mask[: max(2, height // 8), : max(2, width // 8)] = False
    return mask


@every_model
@pytest.mark.parametrize("kind", ["pixel", "corner", "border", "several", "scratch", "nearly all"])
def test_holes_of_every_kind(entry: ModelEntry, kind: str) -> None:
    mask = holes(kind, 97, 130)
    photo = Photo(texture(97, 130))
    damaged = photo.pixels.copy()
    damaged[mask] = (255, 0, 255)
    filled = fill(entry, Photo(damaged), mask)
    left_over = (filled[mask] == (255, 0, 255)).all(axis=1).mean()
    assert left_over < 0.5


@every_model
@pytest.mark.parametrize("size", [(1, 2), (2, 1), (3, 3), (17, 70), (64, 65)])
def test_odd_sizes(entry: ModelEntry, size: tuple[int, int]) -> None:
    mask = np.zeros(size, np.bool_)
    mask[size[0] // 2, size[1] // 2] = True
    fill(entry, Photo(noise(*size, 3)), mask)


@every_model
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_grey_deep_and_transparent_photos(entry: ModelEntry, channels: int, dtype: Any) -> None:
    pixels = noise(70, 90, channels, dtype=dtype)
    fill(entry, Photo(pixels), disc(70, 90, center=(35, 40), radius=8))


@every_model
def test_the_hole_tells_nothing(entry: ModelEntry) -> None:
    mask = disc(80, 100, center=(40, 45), radius=11)
    first, second = texture(80, 100), texture(80, 100)
    second[mask] = 255 - second[mask]
    assert np.array_equal(fill(entry, Photo(first), mask, seed=5), fill(entry, Photo(second), mask, seed=5))


@every_model
def test_the_same_seed_gives_the_same_bytes(entry: ModelEntry) -> None:
    mask = disc(100, 120, center=(50, 60), radius=15)
    photo = Photo(noise(100, 120, 3))
    first = fill(entry, photo, mask, seed=11)
    assert np.array_equal(first, fill(entry, photo, mask, seed=11))
    fresh = Engine("cpu").fill(photo, mask, model=entry.key, seed=11, allow_untrained=True)
    assert np.array_equal(first, fresh.photo.pixels)


@every_model
def test_empty_and_full_masks(entry: ModelEntry) -> None:
    photo = Photo(noise(40, 50, 3))
    assert np.array_equal(fill(entry, photo, np.zeros((40, 50), np.bool_)), photo.pixels)
    with pytest.raises(FillError, match="covers the whole photo"):
        fill(entry, photo, np.ones((40, 50), np.bool_))


@every_model
def test_progress_is_told_and_can_stop_the_model(entry: ModelEntry) -> None:
    mask = disc(90, 90, center=(45, 45), radius=12)
    heard: list[Progress] = []
    fill(entry, Photo(texture(90, 90)), mask, on_step=heard.append)
    assert heard[-1].fraction == 1.0
    assert len(heard) >= 4  # prepared, at least two of the model's own, done
    assert all(progress.stage for progress in heard)

    def stop(progress: Progress) -> None:
        if progress.fraction > 0.01:
            raise Cancelled

    with pytest.raises(Cancelled):
        fill(entry, Photo(texture(90, 90)), mask, on_step=stop)


@every_model
def test_two_photos_at_once(entry: ModelEntry) -> None:
    masks = [disc(72, 88, center=(30, 30), radius=7), disc(96, 80, center=(60, 50), radius=9)]
    items = [(Photo(texture(*mask.shape)), mask) for mask in masks]
    results = ENGINE.fill_batch(items, model=entry.key, allow_untrained=True)
    for (photo, mask), result in zip(items, results, strict=True):
        alone = fill(entry, photo, mask)
        assert np.array_equal(result.photo.pixels[~mask], photo.pixels[~mask])
        # Batched arithmetic may round differently; the pictures must still be the same to the eye.
        assert np.abs(result.photo.pixels.astype(int) - alone).mean() < 1.0


@every_model
def test_entries_describe_themselves(entry: ModelEntry) -> None:
    assert entry.title
    assert entry.summary.endswith(".")
    assert entry.parse_params({}) == {param.name: param.default for param in entry.params}
    for param in entry.params:
        assert param.parse(param.default) == param.default
