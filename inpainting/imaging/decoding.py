"""From a file's bytes to a `Photo`: the one decoder for uploads, the command line and the workers."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from typing import IO, cast

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from inpainting.imaging.color import cmyk_to_srgb
from inpainting.imaging.metadata import clean_exif, fitting_icc, read_orientation
from inpainting.imaging.photo import NoMemoryForPhoto, Photo, PhotoError, Pixels

DEFAULT_MAX_PIXELS = 400_000_000
"""The ceiling when a caller sets none: what a workstation can still hold several times."""
DECODABLE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")

_FORMAT_NAMES = {"MPO": "JPEG"}
_STRIP_ROWS = 64
_BROKEN = "The file is damaged or incomplete, so the picture in it cannot be read."
_NO_MEMORY = "There is too little memory to decode a picture of this size."
_UNKNOWN_TIFF = "This kind of TIFF cannot be read. Save it as RGB with 8 or 16 bits a channel and try again."
_ANIMATED = "This is an animation. Save one of its frames as a still picture and use that."
# What Pillow's readers raise on hostile or damaged input, besides their own error classes.
_READ_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    AttributeError,
    struct.error,
    zlib.error,
)
_MIRRORED = {2, 4, 5, 7}
_SIXTEEN_BIT_GREY = {"I;16", "I;16L", "I;16B", "I;16N"}
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_PLANAR, _TIFF_SAMPLE_FORMAT = 258, 262, 284, 339

pillow_heif.register_heif_opener()


def decode(data: bytes, *, max_pixels: int | None = None) -> Photo:
    """Decode a JPEG, PNG, WebP, TIFF or HEIC file; what the file is called plays no part.

    The EXIF orientation is applied; the ICC profile, alpha and 16 bits a channel are kept (HEIC with more than 8 bits
    is widened to 16). Palettes become RGB(A), 1-bit becomes grey, CMYK and Lab become sRGB through their profile. Of a
    file with several pictures (multi-page TIFF, MPO, HEIC) the main one is taken; animations are refused. No more
    than `max_pixels` are decoded (default `DEFAULT_MAX_PIXELS`); the size is read from the header first.

    Raises `PhotoError` with a sentence for people.
    """
    image = _open(data)
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    if image.width * image.height > limit:
        raise PhotoError(
            f"The picture has {image.width} × {image.height} pixels "
            f"({image.width * image.height / 1e6:.0f} megapixels). At most {limit / 1e6:g} megapixels are allowed."
        )
    if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
        raise PhotoError(_ANIMATED)
    try:
        with warnings.catch_warnings():
            # Pillow warns about odd metadata, which says nothing about the pixels.
            warnings.simplefilter("ignore")
            return _decode(image, data)
    except PhotoError:
        raise
    except MemoryError:
        raise NoMemoryForPhoto(_NO_MEMORY) from None
    except (*_READ_ERRORS, cv2.error) as error:
        if getattr(error, "code", None) == cv2.Error.StsNoMem:
            raise NoMemoryForPhoto(_NO_MEMORY) from None
        raise PhotoError(_BROKEN) from None


def probe_size(data: bytes) -> tuple[int, int]:
    """Width and height as stored (before orientation), from the header alone; raises `PhotoError`."""
    return _open(data).size


def _open(data: bytes) -> ImageFile.ImageFile:
    """The lazily opened file; only headers have been read.

    The readers are asked one by one, not through ``Image.open``: that applies Pillow's process-wide pixel limit, while
    here the caller's own limit decides.
    """
    if not data:
        raise PhotoError("The file is empty.")
    Image.init()
    refusal = "This is not a picture that can be read here. Use JPEG, PNG, WebP, TIFF or HEIC."
    for name in DECODABLE_FORMATS:
        factory, accept = Image.OPEN[name]
        if accept is not None and accept(data[:16]) is not True:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return cast("Callable[[IO[bytes], str], ImageFile.ImageFile]", factory)(io.BytesIO(data), "")
        except (UnidentifiedImageError, *_READ_ERRORS):
            refusal = _UNKNOWN_TIFF if name == "TIFF" else _BROKEN
    raise PhotoError(refusal)


def _decode(image: ImageFile.ImageFile, data: bytes) -> Photo:
    source_format = _FORMAT_NAMES.get(image.format or "", image.format or "")
    icc = image.info.get("icc_profile")
    # Pillow's and OpenCV's TIFF readers turn the pixels themselves while loading.
    orientation = 1 if source_format == "TIFF" else read_orientation(image)
    pixels: Pixels | None = _decode_deep(image, data)
    if pixels is None:
        image.load()
        pixels = _pixels_of(image, icc)
    pixels = _orient(pixels, orientation)
    height, width, channels = pixels.shape
    return Photo(
        pixels=pixels,
        icc=fitting_icc(icc, channels),
        exif=clean_exif(image, width=width, height=height),
        format=source_format,
    )


def _pixels_of(image: Image.Image, icc: object) -> Pixels:
    mode = image.mode
    if mode in _SIXTEEN_BIT_GREY or mode == "I":
        wide = np.asarray(image)
        if mode == "I" and (wide.min(initial=0) < 0 or wide.max(initial=0) > 65535):
            raise PhotoError(
                "The picture has 32-bit integer values. Save it with 8 or 16 bits a channel and try again."
            )
        if isinstance(image, ImageFile.ImageFile) and _tiff_tag(image, _TIFF_PHOTOMETRIC) == 0:
            wide = 65535 - wide  # white is zero; Pillow inverts only 8-bit files
        return np.ascontiguousarray(wide, dtype=np.uint16)[..., np.newaxis]
    if mode == "F":
        raise PhotoError("The picture has floating-point values. Save it with 8 or 16 bits a channel and try again.")
    if mode in ("CMYK", "LAB"):
        image = cmyk_to_srgb(image, icc)
    elif "transparency" in image.info:
        image = image.convert("LA" if mode in ("1", "L") else "RGBA")
    elif mode == "1":
        image = image.convert("L")
    elif mode in ("La", "PA"):
        image = image.convert("LA" if mode == "La" else "RGBA")
    elif mode == "RGBa":
        image = image.convert("RGBA")
    elif mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGB")
    return _array_of(image)


def _array_of(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, C) of an 8-bit image.

    ``np.array(image)`` makes two more copies of the whole on the way, which for 48 megapixels are 288 MB and most of
    the time. Strip by strip they stay in the processor's cache.
    """
    pixels = np.empty((image.height, image.width, len(image.getbands())), np.uint8)
    for top in range(0, image.height, _STRIP_ROWS):
        bottom = min(image.height, top + _STRIP_ROWS)
        strip = np.asarray(image.crop((0, top, image.width, bottom)))
        pixels[top:bottom] = strip.reshape(bottom - top, image.width, -1)
    return pixels


def _decode_deep(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint16] | None:
    """Pixels of files with more than 8 bits in several channels, which Pillow would cut to 8; else ``None``."""
    if image.format == "PNG" and len(data) > 25 and data[24] == 16 and data[25] in (2, 4, 6):
        _open(
            data
        ).verify()  # compares every chunk's checksum: OpenCV would fill the missing rest of a cut file with black
        wide = _decode_with_opencv(data)
        if data[25] == 4:  # grey with alpha comes back as B, G, R, alpha
            return np.ascontiguousarray(wide[..., [0, 3]])
        return wide
    if image.format == "TIFF":
        return _decode_deep_tiff(image, data)
    if image.format == "HEIF" and int(image.info.get("bit_depth", 8)) > 8:
        heif = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        wide = np.array(heif, dtype=np.uint16)
        # The library shifts 10 and 12 bits to the top; repeating the leading bits below makes full white 65535.
        wide |= wide >> np.uint16(image.info["bit_depth"])
        return wide if wide.ndim == 3 else wide[..., np.newaxis]
    return None


def _decode_deep_tiff(image: ImageFile.ImageFile, data: bytes) -> NDArray[np.uint16] | None:
    bits = _tiff_tag(image, _TIFF_BITS)
    depths = bits if isinstance(bits, tuple) else (bits,)
    if len(depths) < 2 or max(depths) <= 8:
        return None
    if (
        set(depths) != {16}
        or _tiff_tag(image, _TIFF_SAMPLE_FORMAT) not in (None, 1, (1,) * len(depths))
        or _tiff_tag(image, _TIFF_PHOTOMETRIC) not in (1, 2)
    ):
        raise PhotoError(_UNKNOWN_TIFF)
    if _tiff_tag(image, _TIFF_PLANAR) == 2:
        raise PhotoError("This TIFF keeps its 16-bit colours in separate planes. Save it interleaved and try again.")
    image.load()  # finds damage that OpenCV would pass over
    return _decode_with_opencv(data)


def _decode_with_opencv(data: bytes) -> NDArray[np.uint16]:
    """(H, W, 3 or 4) RGB(A); raises when OpenCV does not return 16-bit values."""
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3:
        raise PhotoError(_BROKEN)
    order = cv2.COLOR_BGRA2RGBA if stored.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cast("NDArray[np.uint16]", cv2.cvtColor(stored, order))


def _tiff_tag(image: ImageFile.ImageFile, tag: int) -> object:
    tags = getattr(image, "tag_v2", None)
    return None if tags is None else tags.get(tag)


def _orient(pixels: Pixels, orientation: int) -> Pixels:
    """Turn stored pixels the way EXIF `orientation` (1 to 8) says they are to be shown."""
    if orientation == 1:
        return pixels
    # 2 and 4 mirror left-right (4 after half a turn); 5 to 8 swap rows and columns.
    if orientation in _MIRRORED:
        pixels = pixels[:, ::-1]
    quarter_turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}[orientation]
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns))
