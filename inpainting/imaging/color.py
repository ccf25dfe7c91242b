"""Colour profiles: CMYK and Lab sources to sRGB, and pictures for the screen."""

from __future__ import annotations

import io
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageCms
from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform, Intent

from inpainting.imaging.photo import Photo, Pixels, to_8_bit

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


@lru_cache(maxsize=1)
def _srgb() -> ImageCmsProfile:
    return ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=32)
def _transform_to_srgb(icc: bytes, mode: str) -> ImageCmsTransform | None:
    """The transform, or ``None`` when the profile already is sRGB or cannot be used."""
    try:
        profile = ImageCmsProfile(io.BytesIO(icc))
        transform = ImageCms.buildTransform(profile, _srgb(), mode, "RGB", Intent.RELATIVE_COLORIMETRIC)
        return None if mode == "RGB" and _changes_nothing(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _changes_nothing(transform: ImageCmsTransform) -> bool:
    """Whether a transform from RGB moves no color by more than one level: it comes from some spelling of sRGB."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    probe = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(probe), transform), dtype=np.int16)
    return bool(np.abs(moved - probe).max() <= 1)


def cmyk_to_srgb(image: Image.Image, icc: object) -> Image.Image:
    """A CMYK or Lab image as sRGB, through its profile when it has a usable one."""
    if image.mode == "LAB":
        lab = ImageCmsProfile(ImageCms.createProfile("LAB"))
        transform = ImageCms.buildTransform(lab, _srgb(), "LAB", "RGB", Intent.RELATIVE_COLORIMETRIC)
        return ImageCms.applyTransform(image, transform) or image
    if isinstance(icc, bytes) and icc[16:20] == b"CMYK":
        cmyk_transform = _transform_to_srgb(icc, "CMYK")
        if cmyk_transform is not None:
            return ImageCms.applyTransform(image, cmyk_transform) or image
    return image.convert("RGB")


def as_pillow(pixels: Pixels) -> Image.Image:
    """An 8-bit Pillow image of `pixels`, without any change of colour."""
    eight = np.ascontiguousarray(to_8_bit(pixels))
    mode = _MODES[eight.shape[2]]
    return Image.frombuffer(mode, (eight.shape[1], eight.shape[0]), eight, "raw", mode, 0, 1)


def to_display(photo: Photo, max_side: int | None = None) -> Image.Image:
    """8-bit sRGB for a screen: mode ``RGB``, or ``RGBA`` when the photo has alpha.

    With `max_side` the picture is first brought down so that no side is longer (it is never enlarged); the profile is
    applied to the small picture, which makes thumbnails of large photos cheap.
    """
    pixels = photo.pixels
    width, height = photo.width, photo.height
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if photo.has_alpha:
        picture = as_pillow(pixels)
        if size != picture.size:
            # Pillow weighs colours by alpha when it resizes, so transparent pixels do not bleed.
            picture = picture.resize(size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.LANCZOS)
    else:
        if size != (width, height):
            small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
            pixels = small.reshape(size[1], size[0], -1)  # type: ignore[assignment]  # cv2 keeps the data type
        picture = as_pillow(pixels)
    return _to_srgb(picture, photo.icc)


def _to_srgb(picture: Image.Image, icc: bytes | None) -> Image.Image:
    alpha = picture.getchannel("A") if picture.mode in ("LA", "RGBA") else None
    base_mode = "L" if picture.mode in ("L", "LA") else "RGB"
    transform = None if icc is None else _transform_to_srgb(icc, base_mode)
    if transform is None:
        return picture.convert("RGB" if alpha is None else "RGBA")
    base = picture if picture.mode == base_mode else picture.convert(base_mode)
    shown = ImageCms.applyTransform(base, transform) or base
    if alpha is not None:
        shown.putalpha(alpha)
    return shown
