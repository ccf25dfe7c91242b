"""Groups of holes, their crops, and the way to a model's working scale and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inpainting.imaging.composite import prove
from inpainting.imaging.context import Box, bounding_box, context_crop, group_holes
from inpainting.imaging.working import make_working_crop, soften_edge
from tests.inpainting.pictures import disc, noise, smooth


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.bool_]:
    height, width = draw(st.integers(1, 1500)), draw(st.integers(1, 1500))
    mask = np.zeros((height, width), np.bool_)
    for _hole in range(draw(st.integers(0, 8))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        mask[top : top + draw(st.integers(1, 90)), left : left + draw(st.integers(1, 90))] = True
    return mask


@settings(max_examples=80, deadline=None)
@given(mask=masks(), min_side=st.sampled_from([64, 256, 512]))
def test_every_hole_pixel_belongs_to_exactly_one_group(mask: NDArray[np.bool_], min_side: int) -> None:
    height, width = mask.shape
    times = np.zeros(mask.shape, np.int32)
    for group in group_holes(mask, min_side=min_side):
        times[group.crop.slices] += group.mask
        inner = bounding_box(group.mask)
        assert inner is not None
        left, top = group.crop.left, group.crop.top
        assert group.box == (inner.left + left, inner.top + top, inner.right + left, inner.bottom + top)
        assert group.crop.left >= 0
        assert group.crop.top >= 0
        assert group.crop.right <= width
        assert group.crop.bottom <= height
        assert min(group.crop.width, min_side) == min(width, min_side)
        assert min(group.crop.height, min_side) == min(height, min_side)
        if not mask.all():
            assert not mask[group.crop.slices].all()
    assert np.array_equal(times, mask)


def test_no_hole_no_group() -> None:
    assert group_holes(np.zeros((9, 9), np.bool_)) == []


def test_near_holes_are_one_group_and_far_ones_are_not() -> None:
    mask = np.zeros((3000, 3000), np.bool_)
    mask[100:120, 100:120] = mask[100:120, 150:170] = mask[2800:2810, 2800:2810] = True
    groups = group_holes(mask)
    assert [group.box for group in groups] == [Box(100, 100, 170, 120), Box(2800, 2800, 2810, 2810)]


def test_groups_merge_when_one_crop_is_no_larger_than_two() -> None:
    mask = np.zeros((1000, 1000), np.bool_)
    mask[480:500, 300:400] = mask[480:500, 480:500] = True  # 80 apart: dilations do not touch, crops do
    assert len(group_holes(mask)) == 1


def test_context_is_a_share_of_the_hole_with_a_minimum() -> None:
    large = context_crop(Box(1000, 1000, 1400, 1200), width=4000, height=4000, min_side=256)
    assert large == Box(700, 850, 1700, 1350)
    small = context_crop(Box(1000, 1000, 1010, 1010), width=4000, height=4000, min_side=256)
    assert (small.width, small.height) == (256, 256)
    edge = context_crop(Box(0, 0, 10, 10), width=4000, height=4000, min_side=256)
    assert edge == Box(0, 0, 256, 256)
    assert context_crop(Box(0, 0, 10, 10), width=50, height=4000, min_side=256) == Box(0, 0, 50, 256)


def test_many_specks_make_few_groups() -> None:
    mask = np.random.default_rng(0).random((2000, 3000)) < 0.0004
    groups = group_holes(mask)
    assert 1 <= len(groups) <= 48
    assert sum(int(group.mask.sum()) for group in groups) == mask.sum()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_native_scale_keeps_values_and_hides_the_hole(dtype: Any, channels: int) -> None:
    pixels = noise(40, 50, channels, dtype=dtype)
    mask = disc(40, 50, center=(20, 20), radius=9)
    crop = make_working_crop(pixels, mask, None)
    assert crop.image.shape == (40, 50, 3)
    assert not crop.is_reduced
    assert (crop.image[mask] == 0).all()
    back = np.rint(crop.image * np.iinfo(dtype).max).astype(dtype)
    assert np.array_equal(back[~mask], np.broadcast_to(pixels, (40, 50, 3))[~mask])


@settings(max_examples=40, deadline=None)
@given(height=st.integers(30, 300), width=st.integers(30, 300), side=st.integers(8, 120), radius=st.floats(1, 40))
def test_nothing_of_the_hole_reaches_the_model(height: int, width: int, side: int, radius: float) -> None:
    mask = disc(height, width, center=(height / 3, width / 3), radius=radius)
    assume(not mask.all())
    black, white = smooth(height, width), smooth(height, width)
    black[mask], white[mask] = 0, 255
    first, second = make_working_crop(black, mask, side), make_working_crop(white, mask, side)
    assert np.array_equal(first.mask, second.mask)
    assert np.array_equal(first.image, second.image)
    assert max(first.mask.shape) <= max(side, 1)
    assert first.mask.any() == mask.any()


def test_scattered_holes_leave_something_known() -> None:
    pixels = np.full((400, 400, 3), 200, np.uint8)
    ys, xs = np.mgrid[:400, :400]
    dots, checkers = (ys % 2 == 0) & (xs % 3 == 0), (ys + xs) % 2 == 0
    for mask in (dots, checkers, ~dots, ~disc(400, 400, center=(301, 299), radius=1)):
        crop = make_working_crop(pixels, mask, 16)
        assert crop.mask.any()
        assert not crop.mask.all()
        assert crop.image[~crop.mask].min() == pytest.approx(200 / 255, abs=0.01)
        assert crop.image[~crop.mask].max() == pytest.approx(200 / 255, abs=0.01)


def test_softening_closes_the_step_at_the_edge_only() -> None:
    mask = disc(80, 80, center=(40, 40), radius=25)
    image = np.full((80, 80, 3), 0.5, np.float32)
    filled = np.full((80, 80, 3), 0.7, np.float32)
    soft = soften_edge(filled, image, mask, 4.0)
    assert soft[40, 16, 0] == pytest.approx(0.5, abs=0.02)
    assert soft[40, 40, 0] == pytest.approx(0.7, abs=0.01)
    assert np.array_equal(soft[~mask], filled[~mask])
    assert soft_is_monotonic(soft[40, 16:40, 0])


def soft_is_monotonic(values: NDArray[np.float32]) -> bool:
    return bool((np.diff(values) >= -1e-4).all())


def test_the_proof_counts() -> None:
    before = noise(300, 500, 3)
    after = before.copy()
    mask = disc(300, 500, center=(150, 250), radius=60)
    after[mask] ^= 1
    assert prove(before, after, mask).as_dict() == {"known_pixels": int((~mask).sum()), "changed_pixels": 0}
    after[0, 0, 1] ^= 1
    after[299, 499] ^= 1
    assert prove(before, after, mask).changed_pixels == 2
    with pytest.raises(ValueError, match="cannot compare"):
        prove(before, after.astype(np.uint16), mask)
