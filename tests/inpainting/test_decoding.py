"""Every kind of file that can be uploaded, and every kind that must be refused."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from inpainting.imaging import Photo, PhotoError, decode
from tests.inpainting.pictures import (
    LATITUDE,
    SECRET,
    exif_of,
    exif_with_everything,
    file_of,
    noise,
    reopened,
    smooth,
    srgb_profile,
)

RGB = noise(23, 31, 3)
# Where the stored first row and first column are shown, for EXIF orientations 1 to 8 (from the EXIF standard's table).
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def displayed(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The picture as shown, pixel by pixel from the standard's words."""
    height, width = stored.shape[:2]
    row_side, column_side = SIDES[orientation]
    turned = row_side in ("left", "right")
    shown = np.zeros((width, height, *stored.shape[2:]) if turned else stored.shape, stored.dtype)
    for row in range(height):
        for column in range(width):
            along = {row_side: row, column_side: column}
            y = along["top"] if "top" in along else shown.shape[0] - 1 - along["bottom"]
            x = along["left"] if "left" in along else shown.shape[1] - 1 - along["right"]
            shown[y, x] = stored[row, column]
    return shown


def same(photo: Photo, expected: NDArray[Any]) -> bool:
    expected = expected if expected.ndim == 3 else expected[..., np.newaxis]
    return photo.pixels.dtype == expected.dtype and np.array_equal(photo.pixels, expected)


@pytest.mark.parametrize(
    ("format", "mode", "options"),
    [
        ("PNG", "L", {}),
        ("PNG", "LA", {}),
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {"lossless": True, "exact": True}),
        ("TIFF", "L", {}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "RGBA", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_lossless_files_keep_their_pixels(format: str, mode: str, options: dict[str, Any]) -> None:
    image = Image.fromarray(noise(23, 31, 4), "RGBA").convert(mode)
    photo = decode(file_of(image, format, **options))
    assert same(photo, np.asarray(image))
    assert (photo.format, photo.width, photo.height) == (format, 31, 23)
    assert photo.has_alpha == mode.endswith("A")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_decodes_as_pillow_does(mode: str) -> None:
    data = file_of(Image.fromarray(RGB).convert(mode), "JPEG", quality=80)
    assert same(decode(data), np.asarray(reopened(data)))


def test_heic_is_close_to_what_went_in() -> None:
    data = file_of(Image.fromarray(smooth(64, 96)), "HEIF", quality=95, chroma=444)
    photo = decode(data)
    assert photo.format == "HEIF"
    assert np.abs(photo.pixels.astype(int) - smooth(64, 96)).max() <= 6


def test_ten_bit_heic_keeps_more_than_eight_bits() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    pixels = np.ascontiguousarray(np.broadcast_to(ramp[np.newaxis, :, np.newaxis], (64, 256, 3)))
    heif = pillow_heif.from_bytes("RGB;16", (256, 64), pixels.tobytes())
    out = io.BytesIO()
    heif.save(out, quality=-1, chroma=444)
    photo = decode(out.getvalue())
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.pixels.astype(int) - pixels).max() < 65535 / 128
    assert photo.pixels.max() > 65000


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png(channels: int) -> None:
    pixels = noise(23, 31, channels, dtype=np.uint16)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    _done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[..., order]))
    assert same(decode(data.tobytes()), pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_16_bit_tiff(channels: int, compression: str | None) -> None:
    pixels = noise(23, 31, channels, dtype=np.uint16)
    out = io.BytesIO()
    kind = "minisblack" if channels == 1 else "rgb"
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(out, np.squeeze(pixels), photometric=kind, compression=compression, **extra)
    assert same(decode(out.getvalue()), pixels)


def test_16_bit_tiff_where_white_is_zero() -> None:
    pixels = noise(23, 31, dtype=np.uint16)
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, photometric="miniswhite")
    assert same(decode(out.getvalue()), 65535 - pixels)


def test_palette_one_bit_and_transparent_colors() -> None:
    palette = Image.fromarray(RGB).quantize(16)
    assert same(decode(file_of(palette, "PNG")), np.asarray(palette.convert("RGB")))
    see_through = palette.copy()
    see_through.info["transparency"] = 3
    photo = decode(file_of(see_through, "PNG", transparency=3))
    assert np.array_equal(photo.pixels[..., 3] == 0, np.asarray(palette) == 3)
    bits = Image.fromarray(RGB).convert("1")
    assert same(decode(file_of(bits, "PNG")), np.asarray(bits.convert("L")))
    flat = Image.new("RGB", (4, 3), (9, 8, 7))
    assert (decode(file_of(flat, "PNG", transparency=(9, 8, 7))).pixels[..., 3] == 0).all()


def test_cmyk_becomes_srgb() -> None:
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    photo = decode(file_of(image, "JPEG", quality=100))
    red = photo.pixels[4, 4].astype(int)
    assert photo.pixels.shape == (8, 8, 3)
    assert red[0] > 200
    assert max(red[1], red[2]) < 60


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "PNG 16", "TIFF 16", "TIFF grey 16"])
def test_orientation_is_applied_once(kind: str, orientation: int) -> None:
    pixels = noise(5, 7, 3)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    if kind == "PNG 16":
        pixels = pixels.astype(np.uint16) * 257 + 3
        _done, encoded = cv2.imencodeWithMetadata(
            ".png",
            np.ascontiguousarray(pixels[..., ::-1]),
            [cv2.IMAGE_METADATA_EXIF],
            [np.frombuffer(exif.tobytes().removeprefix(b"Exif\0\0"), np.uint8)],
        )
        data = encoded.tobytes()
    elif kind.endswith("16"):
        pixels = pixels.astype(np.uint16) * 257 + 3
        pixels = pixels[..., 0] if "grey" in kind else pixels
        out = io.BytesIO()
        photometric = "minisblack" if "grey" in kind else "rgb"
        tifffile.imwrite(out, pixels, photometric=photometric, extratags=[(274, 3, 1, orientation, True)])
        data = out.getvalue()
    else:
        options = {"lossless": True} if kind == "WEBP" else {}
        data = file_of(Image.fromarray(pixels), kind, exif=exif, **options)
    photo = decode(data)
    assert same(photo, displayed(pixels, orientation))
    assert ExifTags.Base.Orientation not in exif_of(photo.exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_orientation(orientation: int) -> None:
    data = file_of(Image.fromarray(smooth(40, 56)), "JPEG", quality=90, exif=exif_with_everything(orientation))
    photo = decode(data)
    assert same(photo, displayed(np.asarray(reopened(data)), orientation))
    details = exif_of(photo.exif).get_ifd(ExifTags.IFD.Exif)
    assert details[ExifTags.Base.ExifImageWidth] == photo.width


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>' + SECRET + b"</exif:GPSLatitude></x:xmpmeta>"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_the_place_is_dropped_and_the_camera_kept(format: str) -> None:
    options: dict[str, Any] = {"exif": exif_with_everything()}
    if format == "TIFF":
        with_xmp = exif_of(options["exif"])
        with_xmp[ExifTags.Base.XMLPacket] = XMP
        options["exif"] = with_xmp.tobytes()
    elif format == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    else:
        options["xmp"] = XMP
    data = file_of(Image.fromarray(smooth(48, 64)), format, **options)
    assert SECRET in data
    if format != "TIFF":  # whose reader has no EXIF block apart from its own directory
        assert exif_of(reopened(data).info["exif"]).get_ifd(ExifTags.IFD.GPSInfo)[2] == LATITUDE
    photo = decode(data)
    assert photo.exif is not None
    assert SECRET not in photo.exif
    kept = exif_of(photo.exif)
    assert kept[ExifTags.Base.Make] == "Mendwell"
    assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2024:05:06 07:08:09"
    assert not kept.get_ifd(ExifTags.IFD.GPSInfo)
    assert ExifTags.Base.XMLPacket not in kept


def test_broken_exif_does_not_refuse_a_photo() -> None:
    data = file_of(Image.fromarray(RGB), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7fgarbage")
    assert decode(data).exif is None


def test_profiles_are_kept_when_they_fit() -> None:
    profile = srgb_profile()
    assert decode(file_of(Image.fromarray(RGB), "JPEG", icc_profile=profile)).icc == profile
    assert decode(file_of(Image.fromarray(RGB).convert("L"), "PNG", icc_profile=profile)).icc is None
    assert decode(file_of(Image.fromarray(RGB), "JPEG", icc_profile=b"not a profile")).icc is None


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_by_its_header() -> None:
    with pytest.raises(PhotoError, match=r"60000 × 60000 pixels \(3600 megapixels\)\. At most 400 megapixels"):
        decode(png_header(60000, 60000))


def test_the_limit_is_the_callers_alone() -> None:
    data = file_of(Image.fromarray(RGB), "PNG")
    assert decode(data, max_pixels=23 * 31).width == 31
    with pytest.raises(PhotoError, match="At most"):
        decode(data, max_pixels=23 * 31 - 1)


def test_files_that_are_no_pictures() -> None:
    with pytest.raises(PhotoError, match="The file is empty"):
        decode(b"")
    for data in (b"hello", file_of(Image.fromarray(RGB), "GIF"), b"<svg></svg>", b"%PDF-1.7"):
        with pytest.raises(PhotoError, match="Use JPEG, PNG, WebP, TIFF or HEIC"):
            decode(data)


def test_animations_are_refused_and_pages_are_not() -> None:
    frames = [Image.fromarray(noise(16, 16, 3, seed=seed)) for seed in range(3)]
    for format in ("WEBP", "PNG"):
        with pytest.raises(PhotoError, match="This is an animation"):
            decode(file_of(frames[0], format, save_all=True, append_images=frames[1:]))
    paged = decode(file_of(frames[0], "TIFF", save_all=True, append_images=frames[1:]))
    assert same(paged, np.asarray(frames[0]))


def test_values_that_are_no_photo() -> None:
    with pytest.raises(PhotoError, match="floating-point"):
        decode(file_of(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))
    out = io.BytesIO()
    tifffile.imwrite(out, noise(3, 8, 8, dtype=np.uint16), photometric="rgb", planarconfig="separate")
    with pytest.raises(PhotoError, match="separate planes"):
        decode(out.getvalue())


SAMPLES = {
    "JPEG": file_of(Image.fromarray(smooth(64, 64)), "JPEG", quality=90, exif=exif_with_everything(6)),
    "PNG": file_of(Image.fromarray(noise(48, 48, 3)), "PNG"),
    "WEBP": file_of(Image.fromarray(noise(48, 48, 3)), "WEBP", lossless=True),
    "TIFF": file_of(Image.fromarray(noise(48, 48, 3)), "TIFF", compression="tiff_lzw"),
    "HEIF": file_of(Image.fromarray(smooth(64, 64)), "HEIF"),
}
_DEEP = noise(48, 48, 3, dtype=np.uint16)
SAMPLES["PNG 16"] = cv2.imencode(".png", _DEEP)[1].tobytes()
SAMPLES["TIFF 16"] = cv2.imencode(".tiff", _DEEP)[1].tobytes()


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind: str, share: float) -> None:
    data = SAMPLES[kind]
    with pytest.raises(PhotoError, match=r"damaged or incomplete|cannot be read"):
        decode(data[: int(len(data) * share)])


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(sorted(SAMPLES)), where=st.floats(0, 1), junk=st.binary(min_size=1, max_size=40))
def test_damaged_files_give_a_photo_or_a_sentence(kind: str, where: float, junk: bytes) -> None:
    data = bytearray(SAMPLES[kind])
    at = int(where * (len(data) - len(junk)))
    data[at : at + len(junk)] = junk
    try:
        photo = decode(bytes(data), max_pixels=1_000_000)
    except PhotoError as refusal:
        sentence = str(refusal)
    else:
        sentence = "."
        assert photo.width * photo.height <= 1_000_000
    assert sentence.endswith(".")
