"""The decoded photo that everything else works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8 | np.uint16]
"""(H, W, C), all of one type, C-contiguous; C is 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha (not premultiplied)."""
BoolMask = NDArray[np.bool_]
"""(H, W), True in the hole."""


class PhotoError(ValueError):
    """A picture or mask that cannot be used; the text is one sentence or two, meant for people."""


class NoMemoryForPhoto(PhotoError):
    """Nothing is wrong with the file, but this machine cannot hold its pixels at the moment."""

    code = "out_of_memory"


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photo as displayed: orientation applied, values as stored in the file, full bit depth.

    `icc` is the colour profile the values are meant in (``None``: sRGB). `exif` is a complete EXIF block, starting
    with ``Exif\\0\\0``, without location, maker notes, thumbnail and orientation. `format` is the name of the format
    the photo came in: ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"TIFF"`` or ``"HEIF"``.
    """

    pixels: Pixels
    icc: bytes | None = None
    exif: bytes | None = None
    format: str = "PNG"

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 2, 3, 4) or self.pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels must be uint8 or uint16 (H, W, 1 to 4), not {self.pixels.dtype} {shape}")

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def has_alpha(self) -> bool:
        return self.pixels.shape[2] in (2, 4)

    @property
    def is_grey(self) -> bool:
        return bool(self.pixels.shape[2] <= 2)

    @property
    def is_16_bit(self) -> bool:
        return bool(self.pixels.dtype == np.uint16)

    @property
    def color_pixels(self) -> Pixels:
        """The grey or RGB channels, a view (H, W, 1 or 3)."""
        return self.pixels[:, :, :-1] if self.has_alpha else self.pixels

    @property
    def max_value(self) -> int:
        """The value of full brightness: 255 or 65535."""
        return 65535 if self.is_16_bit else 255


def to_8_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Values scaled to 8 bit, rounded to nearest; 8-bit input is returned as it is."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, dtype=np.uint8)
    # 65535 = 255 · 257, so adding half of 257 before the division rounds to nearest.
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
