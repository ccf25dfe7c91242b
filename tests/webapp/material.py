"""Real picture files for tests, made by the libraries that cameras' and browsers' files come from."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pillow_heif
from django.http import HttpResponseBase
from PIL import ExifTags, Image, ImageCms, TiffTags
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from inpainting.imaging import BoolMask, encode_mask
from inpainting.imaging.context import Box
from inpainting.imaging.source_maps import pack_sources

pillow_heif.register_heif_opener()

GPS_MARK = b"SECRETPLACE"
"""A text that is in the GPS part of every file made with `gps=True`; it must not be in anything served."""

MAP = pack_sources(np.full((20, 20, 2), 5, np.int32), Box(0, 0, 40, 40))
"""A source map that says that everything comes from one place."""


def pixels(
    width: int = 64, height: int = 48, channels: int = 3, *, seed: int = 1
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(H, W, C) of smooth noise: no two files alike, and no block of one colour."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(2, height // 8), max(2, width // 8), channels), dtype=np.uint8)
    large = [Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)]
    values = np.stack([np.asarray(layer) for layer in large], axis=-1)
    if channels in (2, 4):
        values[..., -1] = np.linspace(0, 255, width, dtype=np.uint8)
    return values


def photo_file(
    format: str = "JPEG",
    *,
    width: int = 64,
    height: int = 48,
    channels: int = 3,
    gps: bool = False,
    orientation: int | None = None,
    icc: bytes | None = None,
    seed: int = 1,
    **options: Any,
) -> bytes:
    """The bytes of a photo's file. With `gps` its EXIF and its XMP say where it was taken."""
    image = Image.fromarray(pixels(width, height, channels, seed=seed).squeeze())
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Reweave Optics"
    if orientation is not None:
        exif[ExifTags.Base.Orientation] = orientation
    if gps:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef] = "N"
        place[ExifTags.GPS.GPSLatitude] = (48.0, 12.0, 30.0)
        place[ExifTags.GPS.GPSAreaInformation] = GPS_MARK
        if format in ("JPEG", "PNG", "WEBP", "HEIF"):
            options["xmp"] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + GPS_MARK + b"</x:xmpmeta>"
    if icc is not None:
        options["icc_profile"] = icc
    if format == "PNG" and "xmp" in options:
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
        options["pnginfo"] = info
    if format == "TIFF":
        return _tiff(image, exif, **options)
    out = io.BytesIO()
    image.save(out, format, exif=exif, **options)
    return out.getvalue()


def _tiff(image: Image.Image, exif: Image.Exif, **options: Any) -> bytes:
    """In a TIFF the EXIF is part of the file's own directory; Pillow drops the GPS part of one it is handed."""
    directory = ImageFileDirectory_v2()
    for tag, value in exif.items():
        directory[tag] = value
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if place:
        directory[ExifTags.IFD.GPSInfo] = dict(place)
        directory.tagtype[ExifTags.IFD.GPSInfo] = TiffTags.LONG
        directory[700] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + GPS_MARK + b"</x:xmpmeta>"
    out = io.BytesIO()
    image.save(out, "TIFF", tiffinfo=directory, **options)
    return out.getvalue()


def srgb_profile() -> bytes:
    """An ICC profile of RGB pixels."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def mask_file(width: int = 64, height: int = 48, *, box: tuple[int, int, int, int] = (10, 10, 30, 30)) -> bytes:
    """A PNG mask with one rectangular hole: left, top, right, bottom."""
    hole: BoolMask = np.zeros((height, width), dtype=np.bool_)
    left, top, right, bottom = box
    hole[top:bottom, left:right] = True
    return encode_mask(hole)


def has_location(data: bytes) -> bool:
    """Whether a picture's file says where it was taken, in EXIF or anywhere as plain text."""
    with Image.open(io.BytesIO(data)) as image:
        exif = image.getexif()
        return bool(exif.get_ifd(ExifTags.IFD.GPSInfo)) or ExifTags.IFD.GPSInfo in exif or GPS_MARK in data


def body_of(answer: HttpResponseBase) -> bytes:
    """The whole body. A streamed answer holds its file open until it is read to the end."""
    if answer.streaming:
        return b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    return answer.content  # type: ignore[attr-defined,no-any-return]


def _webp() -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels(20, 20)).save(out, "WEBP")
    return out.getvalue()


WEBP = _webp()
"""An overlay's file."""
