"""A JPEG without location, its picture's bytes untouched.

Re-encoding a JPEG changes its pixels; to hand an upload back in its own format, only its metadata is replaced.
"""

from __future__ import annotations

import io

from PIL import ExifTags, Image

from inpainting.imaging import Photo
from inpainting.imaging.metadata import read_orientation

_SOI, _EOI, _SOS, _APP1, _APP15, _COM = 0xD8, 0xD9, 0xDA, 0xE1, 0xEF, 0xFE
_ICC, _EXIF = b"ICC_PROFILE\0", b"Exif\0\0"
# Application segments that change how the pixels look. All others may tell where a photo was taken or show an
# older look of it: EXIF (written anew), XMP, IPTC, maker's data, previews.
_KEPT_SEGMENTS = {0xE0: b"JFIF\0", 0xE2: _ICC, 0xEE: b"Adobe"}
_LONGEST_SEGMENT = 65533


def jpeg_without_location(data: bytes, photo: Photo) -> bytes | None:
    """`data`, a JPEG file decoded to `photo`, with `photo.exif` as its only metadata besides the colour profile.

    The orientation tag is kept, since the stored pixels stay as they are. Whatever follows the first picture (the
    other pictures of an MPO file, appended data) is cut off. ``None`` when the file's structure is not understood.
    """
    body = _picture_segments(data)
    if body is None:
        return None
    with Image.open(io.BytesIO(data), formats=["JPEG", "MPO"]) as image:
        orientation = read_orientation(image)
    exif = Image.Exif()
    if photo.exif:
        exif.load(photo.exif)
    if orientation != 1:
        exif[ExifTags.Base.Orientation] = orientation
    block = exif.tobytes() if len(exif) else b""
    if block and not block.startswith(_EXIF):
        block = _EXIF + block
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block if block else b""
    if len(block) > _LONGEST_SEGMENT:
        return None
    return b"\xff\xd8" + segment + body


def _picture_segments(data: bytes) -> bytes | None:
    """Everything between start and end of the first picture but the segments that are not kept."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    kept: list[bytes] = []
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _EOI:
            return b"".join([*kept, b"\xff\xd9"])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(data):
            return None
        if marker == _SOS:
            end = _end_of_scan(data, end)
        if _is_kept(marker, data[at + 4 : at + 16]):
            kept.append(data[at:end])
        at = end
    # The loop ends early when the end marker is the last thing in the file.
    return b"".join([*kept, b"\xff\xd9"]) if data[at : at + 2] == b"\xff\xd9" else None


def _is_kept(marker: int, start: bytes) -> bool:
    if marker == _COM:
        return False
    if 0xE0 <= marker <= _APP15:
        wanted = _KEPT_SEGMENTS.get(marker)
        return wanted is not None and start.startswith(wanted)
    return True


def _end_of_scan(data: bytes, at: int) -> int:
    """Where the entropy-coded data that begins at `at` ends: at the next marker that is not part of it."""
    while True:
        at = data.find(b"\xff", at)
        if at == -1 or at + 1 >= len(data):
            return len(data)
        follower = data[at + 1]
        # A stuffed zero byte or a restart marker belongs to the scan.
        if follower == 0x00 or 0xD0 <= follower <= 0xD7:
            at += 2
        elif follower == 0xFF:
            at += 1
        else:
            return at
