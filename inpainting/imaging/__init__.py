"""Pictures in and out: decoding, encoding, masks, context crops and the way back into the photo. Torch-free."""

from inpainting.imaging.color import to_display
from inpainting.imaging.decoding import DECODABLE_FORMATS, DEFAULT_MAX_PIXELS, decode
from inpainting.imaging.encoding import ENCODABLE_FORMATS, LOSSLESS_FORMATS, encode
from inpainting.imaging.masks import HOLE_THRESHOLD, decode_mask, encode_mask, hole_from_grey
from inpainting.imaging.photo import BoolMask, Photo, PhotoError

__all__ = [
    "DECODABLE_FORMATS",
    "DEFAULT_MAX_PIXELS",
    "ENCODABLE_FORMATS",
    "HOLE_THRESHOLD",
    "LOSSLESS_FORMATS",
    "BoolMask",
    "Photo",
    "PhotoError",
    "decode",
    "decode_mask",
    "encode",
    "encode_mask",
    "hole_from_grey",
    "to_display",
]
