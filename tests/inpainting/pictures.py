"""Pictures and files that several tests make."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

LATITUDE = (48.0, 51.0, 29.6)
SECRET = b"secret-place-48.8583"


def noise(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def texture(height: int, width: int, *, period: int = 12) -> NDArray[np.uint8]:
    """An RGB tile repeated over the picture."""
    tile = noise(period, period, 3, seed=3)
    repeats = (-(-height // period), -(-width // period), 1)
    return np.tile(tile, repeats)[:height, :width]


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """An RGB picture with gradients in both directions."""
    down = np.linspace(20, 230, height)[:, np.newaxis]
    across = np.linspace(10, 200, width)[np.newaxis, :]
    return np.stack([down + 0 * across, across + 0 * down, (down + across) / 2], axis=2).astype(np.uint8)


def disc(height: int, width: int, *, center: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    ys, xs = np.mgrid[:height, :width]
    return (ys - center[0]) ** 2 + (xs - center[1]) ** 2 < radius**2


def file_of(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def reopened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An sRGB profile whose red and green primaries have changed places, so that its effect cannot be missed."""
    profile = srgb_profile()
    return profile.replace(b"rXYZ", b"tmp!", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"tmp!", b"gXYZ", 1)


def exif_with_everything(orientation: int = 1) -> bytes:
    """A camera, an exposure, a place, maker notes and an orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Mendwell"
    exif[ExifTags.Base.Orientation] = orientation
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    details[ExifTags.Base.MakerNote] = SECRET
    details[ExifTags.Base.ExifImageWidth] = 1
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"
    gps[ExifTags.GPS.GPSLatitude] = LATITUDE
    return exif.tobytes()


def exif_of(block: bytes | None) -> Image.Exif:
    exif = Image.Exif()
    if block:
        exif.load(block)
    return exif
