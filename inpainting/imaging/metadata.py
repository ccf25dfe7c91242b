"""What is kept of a photo's metadata: facts about the camera and the picture, never where it was taken."""

from __future__ import annotations

import struct

from PIL import ExifTags, Image

_Base = ExifTags.Base

# Only these tags of the first directory survive. Everything else there is either about the storage of pixels (which
# changes), or can hold a location or an older look of the picture: GPS, XMP (700), IPTC (33723), Photoshop (34377).
_KEPT = (
    _Base.ImageDescription,
    _Base.Make,
    _Base.Model,
    _Base.XResolution,
    _Base.YResolution,
    _Base.ResolutionUnit,
    _Base.Software,
    _Base.DateTime,
    _Base.Artist,
    _Base.HostComputer,
    _Base.Rating,
    _Base.Copyright,
)
# Maker notes are opaque, break when moved, and some makers put location and unedited previews into them.
_DROPPED_FROM_EXIF_IFD = {_Base.MakerNote, _Base.ExifInteroperabilityOffset}
_EXIF_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, struct.error, ArithmeticError)


def read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none or it makes no sense."""
    try:
        value = image.getexif().get(_Base.Orientation, 1)
    except _EXIF_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def clean_exif(image: Image.Image, *, width: int, height: int) -> bytes | None:
    """The EXIF block to keep with a photo of `width` × `height` as displayed; ``None`` when nothing is left.

    A block too damaged to be read is dropped: a photo must not be refused for its metadata.
    """
    try:
        found = image.getexif()
        kept = Image.Exif()
        for tag in _KEPT:
            if tag in found:
                kept[tag] = found[tag]
        details = {
            tag: value for tag, value in found.get_ifd(ExifTags.IFD.Exif).items() if tag not in _DROPPED_FROM_EXIF_IFD
        }
        if details:
            details[_Base.ExifImageWidth] = width
            details[_Base.ExifImageHeight] = height
            kept.get_ifd(ExifTags.IFD.Exif).update(details)
        if not len(kept) and not details:
            return None
        return kept.tobytes()
    except _EXIF_ERRORS:
        return None


def fitting_icc(profile: object, channels: int) -> bytes | None:
    """`profile` if it is an ICC profile for pixels of this kind (grey or RGB), else ``None``."""
    if not isinstance(profile, bytes) or len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    expected = b"GRAY" if channels <= 2 else b"RGB "
    return profile if profile[16:20] == expected else None
