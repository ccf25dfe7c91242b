"""From a `Photo` to a file's bytes, with its profile and its (location-free) EXIF."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from inpainting.imaging.color import as_pillow
from inpainting.imaging.photo import Photo, PhotoError
from inpainting.imaging.tiff import write_tiff

ENCODABLE_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "HEIF")
LOSSLESS_FORMATS = ("PNG", "TIFF")
"""Formats that give every `Photo` back bit by bit, 16-bit ones too."""

_EXIF_PREFIX = b"Exif\0\0"
_JPEG_MAX_SIDE, _WEBP_MAX_SIDE = 65535, 16383
_JPEG_MAX_EXIF = 65533  # one APP1 segment
_JPEG_QUALITY, _HEIF_QUALITY = 95, 92
# The encoder's default is seven times slower for files a tenth smaller (measured on a photo of 3 megapixels).
_HEIF_ENCODER = {"preset": "ultrafast"}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(photo: Photo, format: str | None = None) -> bytes:
    """Encode `photo`; `format` is one of `ENCODABLE_FORMATS` (``None``: the photo's own).

    PNG and TIFF are lossless at every depth. WebP is written lossless too, but has 8 bits only. JPEG is written at
    quality 95 without chroma subsampling, with transparency over white. HEIF keeps more than 8 bits as 10. Raises
    `PhotoError` when the format cannot hold a picture of this size, `ValueError` for an unknown format.
    """
    wanted = format or photo.format
    if wanted == "PNG":
        return _encode_png(photo)
    if wanted == "JPEG":
        return _encode_jpeg(photo)
    if wanted == "WEBP":
        return _encode_webp(photo)
    if wanted == "TIFF":
        return write_tiff(photo)
    if wanted == "HEIF":
        return _encode_heif(photo)
    raise ValueError(f"cannot encode {wanted!r}; there are {', '.join(ENCODABLE_FORMATS)}")


def _encode_png(photo: Photo) -> bytes:
    exif = photo.exif.removeprefix(_EXIF_PREFIX) if photo.exif else None
    if photo.pixels.shape[2] == 2 and photo.is_16_bit:
        return _write_png_grey_alpha_16(photo, exif)
    if photo.pixels.shape[2] == 2:
        out = io.BytesIO()
        as_pillow(photo.pixels).save(out, "PNG", compress_level=1, **_metadata(photo))
        return out.getvalue()
    kinds: list[int] = []
    blocks: list[NDArray[np.uint8]] = []
    for kind, block in ((cv2.IMAGE_METADATA_ICCP, photo.icc), (cv2.IMAGE_METADATA_EXIF, exif)):
        if block is not None:
            kinds.append(kind)
            blocks.append(np.frombuffer(block, np.uint8))
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(photo.pixels.shape[2])
    stored = photo.pixels if order is None else cv2.cvtColor(photo.pixels, order)
    # Level 1 is several times faster than the default and only some percent larger on photos.
    done, data = cv2.imencodeWithMetadata(".png", stored, kinds, blocks, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise PhotoError("The picture could not be written as PNG.")
    return data.tobytes()


def _write_png_grey_alpha_16(photo: Photo, exif: bytes | None) -> bytes:
    """PNG of colour type 4 at 16 bits, which neither Pillow nor OpenCV writes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", photo.width, photo.height, 16, 4, 0, 0, 0)
    samples = photo.pixels.astype(">u2").view(np.uint8).reshape(photo.height, -1)
    rows = np.zeros((photo.height, samples.shape[1] + 1), np.uint8)  # a leading 0 on each row: no filter
    rows[:, 1:] = samples
    parts = [_PNG_SIGNATURE, chunk(b"IHDR", header)]
    if photo.icc is not None:
        parts.append(chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(photo.icc)))
    if exif is not None:
        parts.append(chunk(b"eXIf", exif))
    parts += [chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)), chunk(b"IEND", b"")]
    return b"".join(parts)


def _encode_jpeg(photo: Photo) -> bytes:
    if max(photo.width, photo.height) > _JPEG_MAX_SIDE:
        raise PhotoError(f"A JPEG cannot be larger than {_JPEG_MAX_SIDE} pixels on a side. Use PNG.")
    picture = as_pillow(photo.pixels)
    if photo.has_alpha:
        grey = picture.mode == "LA"
        paper = Image.new("L" if grey else "RGB", picture.size, 255 if grey else (255, 255, 255))
        paper.paste(picture.convert(paper.mode), mask=picture.getchannel("A"))
        picture = paper
    metadata = _metadata(photo)
    if len(metadata.get("exif", b"")) > _JPEG_MAX_EXIF:
        del metadata["exif"]
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0, **metadata)
    return out.getvalue()


def _encode_webp(photo: Photo) -> bytes:
    if max(photo.width, photo.height) > _WEBP_MAX_SIDE:
        raise PhotoError(f"A WebP picture cannot be larger than {_WEBP_MAX_SIDE} pixels on a side. Use PNG.")
    picture = as_pillow(photo.pixels).convert("RGBA" if photo.has_alpha else "RGB")
    metadata = _metadata(photo)
    if photo.is_grey:
        metadata.pop("icc_profile", None)  # WebP has no grey pixels for a grey profile
    out = io.BytesIO()
    # `exact` keeps the colours under transparent pixels.
    picture.save(out, "WEBP", lossless=True, exact=True, quality=0, method=0, **metadata)
    return out.getvalue()


def _encode_heif(photo: Photo) -> bytes:
    metadata = _metadata(photo)
    pixels = photo.pixels
    if photo.is_grey:
        metadata.pop("icc_profile", None)
        grey = np.repeat(photo.color_pixels, 3, axis=2)
        pixels = np.concatenate([grey, pixels[..., -1:]], axis=2) if photo.has_alpha else grey
    out = io.BytesIO()
    mode = "RGBA" if photo.has_alpha else "RGB"
    if photo.is_16_bit:
        wide = np.ascontiguousarray(pixels)
        heif = pillow_heif.from_bytes(f"{mode};16", (photo.width, photo.height), wide.tobytes())
        heif.save(out, quality=_HEIF_QUALITY, chroma=444, enc_params=dict(_HEIF_ENCODER), **metadata)
    else:
        as_pillow(pixels).save(
            out, "HEIF", quality=_HEIF_QUALITY, chroma=444, enc_params=dict(_HEIF_ENCODER), **metadata
        )
    return out.getvalue()


def _metadata(photo: Photo) -> dict[str, Any]:
    found = {"icc_profile": photo.icc, "exif": photo.exif}
    return {name: block for name, block in found.items() if block is not None}
