"""Writing baseline TIFF with everything a `Photo` has: 8 or 16 bits, alpha, profile and EXIF.

Pillow writes no 16-bit colour and OpenCV no profile, so the container is written here (TIFF 6.0, little-endian,
deflate, horizontal predictor); Pillow's directory writer lays out the tags.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from inpainting.imaging.photo import Photo, PhotoError, Pixels

_STRIP_BYTES = 1 << 20
_LIMIT_BYTES = 2**32 - 2**20
_DEFLATE, _PREDICT_HORIZONTALLY, _UNASSOCIATED_ALPHA = 8, 2, 2
_BLACK_IS_ZERO, _RGB = 1, 2
_LONG = 4
_ICC_PROFILE, _EXIF_IFD = 34675, 34665


def write_tiff(photo: Photo) -> bytes:
    """The photo as a lossless TIFF file; raises `PhotoError` when it would pass TIFF's limit of 4 GB.

    16-bit grey with alpha, which hardly any reader knows, is written as RGB with alpha.
    """
    if photo.is_16_bit and photo.pixels.shape[2] == 2:
        photo = replace(photo, pixels=np.ascontiguousarray(photo.pixels[..., [0, 0, 0, 1]]), icc=None)
    if photo.pixels.nbytes > _LIMIT_BYTES:
        raise PhotoError("The picture is too large for a TIFF file. Use PNG.")
    channels = photo.pixels.shape[2]
    bits = photo.pixels.dtype.itemsize * 8
    rows_per_strip = max(1, _STRIP_BYTES // max(1, photo.width * channels * bits // 8))
    body = bytearray(b"II*\0\0\0\0\0")
    offsets: list[int] = []
    counts: list[int] = []
    for top in range(0, photo.height, rows_per_strip):
        strip = _compress(photo.pixels[top : top + rows_per_strip])
        offsets.append(len(body))
        counts.append(len(strip))
        body += strip
    body += b"\0" * (len(body) % 2)

    tags = ImageFileDirectory_v2()
    tags[ExifTags.Base.ImageWidth] = photo.width
    tags[ExifTags.Base.ImageLength] = photo.height
    tags[ExifTags.Base.BitsPerSample] = (bits,) * channels
    tags[ExifTags.Base.Compression] = _DEFLATE
    tags[ExifTags.Base.PhotometricInterpretation] = _BLACK_IS_ZERO if photo.is_grey else _RGB
    tags[ExifTags.Base.SamplesPerPixel] = channels
    tags[ExifTags.Base.RowsPerStrip] = rows_per_strip
    tags[ExifTags.Base.PlanarConfiguration] = 1
    tags[ExifTags.Base.Predictor] = _PREDICT_HORIZONTALLY
    tags[ExifTags.Base.SampleFormat] = (1,) * channels
    if photo.has_alpha:
        tags[ExifTags.Base.ExtraSamples] = _UNASSOCIATED_ALPHA
    if photo.icc is not None:
        tags[_ICC_PROFILE] = photo.icc
    _add_exif(tags, photo.exif)
    directory_at = len(body)
    body += _serialise(tags, directory_at, offsets, counts)
    struct.pack_into("<I", body, 4, directory_at)
    return bytes(body)


def _compress(rows: Pixels) -> bytes:
    predicted = rows.copy()
    predicted[:, 1:] -= rows[:, :-1]  # wraps around, as the predictor wants
    return zlib.compress(predicted.astype(predicted.dtype.newbyteorder("<"), copy=False).tobytes(), 1)


def _add_exif(tags: ImageFileDirectory_v2, exif: bytes | None) -> None:
    if exif is None:
        return
    block = Image.Exif()
    block.load(exif)
    for tag, value in block.items():
        if tag != _EXIF_IFD:
            tags[tag] = value
    details = block.get_ifd(ExifTags.IFD.Exif)
    if details:
        tags.tagtype[_EXIF_IFD] = _LONG
        tags[_EXIF_IFD] = dict(details)


def _serialise(tags: ImageFileDirectory_v2, at: int, offsets: list[int], counts: list[int]) -> bytes:
    """The directory's bytes for position `at`.

    Pillow takes strip offsets as relative to the end of the directory, with the strips behind it. Here the strips come
    first, so the absolute offsets are written over what Pillow computed.
    """
    tags.tagtype[ExifTags.Base.StripByteCounts] = _LONG
    tags.tagtype[ExifTags.Base.StripOffsets] = _LONG
    tags[ExifTags.Base.StripByteCounts] = tuple(counts)
    tags[ExifTags.Base.StripOffsets] = (0,) * len(offsets)
    raw = bytearray(tags.tobytes(at))
    (entries,) = struct.unpack_from("<H", raw, 0)
    for index in range(entries):
        entry = 2 + 12 * index
        tag, _kind, count, value = struct.unpack_from("<HHII", raw, entry)
        if tag == ExifTags.Base.StripOffsets:
            position = entry + 8 if count == 1 else value - at
            struct.pack_into(f"<{count}I", raw, position, *offsets)
            return bytes(raw)
    raise AssertionError("the directory was written without strip offsets")
