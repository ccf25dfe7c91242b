"""Masks: what counts as a hole, and reading and writing them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inpainting.imaging.decoding import decode, probe_size
from inpainting.imaging.photo import BoolMask, PhotoError, to_8_bit

HOLE_THRESHOLD = 128
"""A grey value of at least this is hole."""


def hole_from_grey(values: NDArray[np.uint8]) -> BoolMask:
    """The one decision what is hole: 8-bit values of `HOLE_THRESHOLD` or more."""
    if values.dtype != np.uint8:
        raise TypeError(f"mask values must be uint8, not {values.dtype}")
    return values >= HOLE_THRESHOLD


def decode_mask(data: bytes, *, width: int, height: int) -> BoolMask:
    """(H, W), True in the hole, from a picture file of exactly `width` × `height`.

    Colours count by their luminance and transparency as black, so a white drawing on a transparent canvas is a mask.
    Raises `PhotoError` when the file cannot be read or its size is not the photo's.
    """
    try:
        stored = probe_size(data)
        # A mask with an orientation tag may be stored turned; anything else of the wrong size is refused undecoded.
        if sorted(stored) != sorted((width, height)):
            raise PhotoError(_wrong_size(*stored, width, height))
        picture = decode(data, max_pixels=max(1, width * height))
    except PhotoError as error:
        text = str(error)
        raise PhotoError(text if text.startswith("The mask") else f"The mask: {text}") from None
    if (picture.width, picture.height) != (width, height):
        raise PhotoError(_wrong_size(picture.width, picture.height, width, height))
    pixels = to_8_bit(picture.pixels)
    color = pixels[..., : 1 if picture.is_grey else 3]
    grey = color[..., 0] if picture.is_grey else cv2.cvtColor(np.ascontiguousarray(color), cv2.COLOR_RGB2GRAY)
    if picture.has_alpha:
        grey = ((grey.astype(np.uint16) * pixels[..., -1] + 127) // 255).astype(np.uint8)
    return hole_from_grey(np.asarray(grey, dtype=np.uint8))


def encode_mask(mask: BoolMask) -> bytes:
    """An 8-bit grey PNG, 255 in the hole and 0 elsewhere."""
    grey = mask.view(np.uint8) * np.uint8(255) if mask.dtype == np.bool_ else None
    if grey is None or mask.ndim != 2:
        raise TypeError(f"a mask must be a boolean (H, W) array, not {mask.dtype} {mask.shape}")
    # Runs of equal values are all a mask has.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    done, data = cv2.imencode(".png", grey, options)
    if not done:
        raise PhotoError("The mask could not be written as PNG.")
    return data.tobytes()


def _wrong_size(mask_width: int, mask_height: int, width: int, height: int) -> str:
    return f"The mask has {mask_width} × {mask_height} pixels, but the photo has {width} × {height}."
