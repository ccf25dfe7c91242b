"""One threshold, exact sizes, and masks in every shape a drawing tool may export."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from inpainting.imaging import PhotoError, decode_mask, encode_mask, hole_from_grey
from tests.inpainting.pictures import file_of, noise

VALUES = np.array([[0, 1, 127, 128, 129, 255]], np.uint8)
HOLES = [False, False, False, True, True, True]


def test_the_threshold() -> None:
    assert hole_from_grey(VALUES)[0].tolist() == HOLES
    with pytest.raises(TypeError, match="uint8"):
        hole_from_grey(VALUES / 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_grey_masks_in_every_mode(mode: str) -> None:
    data = file_of(Image.fromarray(VALUES).convert(mode), "PNG")
    assert decode_mask(data, width=6, height=1)[0].tolist() == HOLES


def test_transparency_is_no_hole() -> None:
    drawing = np.zeros((1, 4, 4), np.uint8)
    drawing[0] = [(255, 255, 255, 255), (255, 255, 255, 0), (255, 255, 255, 127), (0, 0, 0, 255)]
    data = file_of(Image.fromarray(drawing, "RGBA"), "PNG")
    assert decode_mask(data, width=4, height=1)[0].tolist() == [True, False, False, False]


def test_one_bit_and_deep_masks() -> None:
    bits = Image.fromarray(VALUES).point(lambda value: 255 if value >= 128 else 0).convert("1")
    assert decode_mask(file_of(bits, "PNG"), width=6, height=1)[0].tolist() == HOLES
    deep = Image.fromarray(VALUES.astype(np.uint16) * 257)
    assert decode_mask(file_of(deep, "PNG"), width=6, height=1)[0].tolist() == HOLES


def test_a_mask_must_be_as_large_as_the_photo() -> None:
    data = file_of(Image.new("L", (10, 8)), "PNG")
    with pytest.raises(PhotoError, match=r"The mask has 10 × 8 pixels, but the photo has 8 × 10\."):
        decode_mask(data, width=8, height=10)
    with pytest.raises(PhotoError, match=r"The mask has 10 × 8 pixels, but the photo has 10 × 9\."):
        decode_mask(data, width=10, height=9)


def test_a_turned_mask_is_turned() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    grey = Image.fromarray(np.array([[255, 0, 0], [0, 0, 0]], np.uint8))
    mask = decode_mask(file_of(grey, "PNG", exif=exif), width=2, height=3)
    assert mask.tolist() == [[False, True], [False, False], [False, False]]


def test_a_broken_mask_says_that_it_is_the_mask() -> None:
    with pytest.raises(PhotoError, match="The mask: The file is empty"):
        decode_mask(b"", width=4, height=4)
    data = file_of(Image.fromarray(noise(40, 40)), "PNG")
    with pytest.raises(PhotoError, match="The mask: The file is damaged"):
        decode_mask(data[: len(data) // 2], width=40, height=40)


@given(height=st.integers(1, 30), width=st.integers(1, 30), seed=st.integers(0, 9))
def test_masks_round_trip(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    assert np.array_equal(decode_mask(encode_mask(mask), width=width, height=height), mask)


def test_only_masks_are_encoded() -> None:
    with pytest.raises(TypeError, match="boolean"):
        encode_mask(np.zeros((4, 4), np.uint8))  # type: ignore[arg-type]  # the mistake under test
